import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { chat, question } from './chat-client.ts';
import { CREDENTIAL, configuration, directTo, targetOf } from './configuration.ts';

let stack: Stack;

/** Says something else than the others, if it is not given the beginning. */
const MISTRAL = 'mistral-large-latest+prefill=echo+salt=other';

before(async () => {
  stack = await startStack({
    config: ([simulator]) =>
      configuration(simulator, {
        providers: { mistral: { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: CREDENTIAL } },
        models: [
          {
            id: 'test/prefill',
            endpoints: [
              { provider: 'alpha', model: 'one+cut=25' },
              { provider: 'mistral', model: MISTRAL },
            ],
          },
        ],
      }),
  });
});
after(() => stack?.stop());

test("a broken stream is given to Mistral as a prefix, which it repeats: the client's text has it once", async () => {
  const messages = question('Tell me of the sea.');
  const since = await stack.simulator().lastSeq();
  const answer = await chat(targetOf(stack), { model: 'test/prefill', stream: true, messages });
  const received = await stack.simulator().requests({ since });
  const direct = directTo(stack.simulator());
  const [first, other] = await Promise.all(
    ['one', 'mistral-large-latest+salt=other'].map((model) => chat(direct, { model, stream: true, messages })),
  );
  assert.ok(first && other);

  assert.deepEqual([answer.status, answer.done, answer.finishReason], [200, true, 'stop']);
  assert.ok(answer.text.endsWith(other.text), answer.text);
  const begun = answer.text.slice(0, -other.text.length);
  assert.ok(begun.length > 30 && first.text.startsWith(begun), begun);
  const { messages: asked } = (received.at(-1)?.body ?? {}) as { messages?: readonly object[] };
  assert.deepEqual(asked?.at(-1), { role: 'assistant', content: begun.trimEnd(), prefix: true });
  assert.equal(received.length, 2);
});
