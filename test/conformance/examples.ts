import assert from 'node:assert/strict';
import type { ReceivedRequest, SimulatorProcess } from '../support/simulator-process.ts';
import type { Stack } from '../support/stack.ts';
import { SONNET } from './gateway.ts';
import { tinyPdf, tinyPng } from './media.ts';
import type { Run } from './workshop.ts';

/** How an example shows what it got. */
export type Shows = 'nothing' | 'values' | 'inspected' | 'json';

interface Answer {
  readonly text: string | null;
  readonly usage: Readonly<Record<string, number>>;
}

/** What one example did: what it printed, and what the providers got of it. */
export interface Outcome {
  readonly run: Run;
  readonly shows: Shows;
  /** By position of the simulator. */
  readonly received: readonly (readonly ReceivedRequest[])[];
  readonly stack: Stack;
}

type Check = (outcome: Outcome) => Promise<void>;

/** What each example of the seed has to come to, by its name without the language. */
export const CHECKS: Readonly<Record<string, Check>> = {
  client: async (outcome) => {
    const body = await chatBody(outcome);
    assert.deepEqual(body.messages, [{ role: 'user', content: 'Hello, world!' }]);
    assert.equal(outcome.run.stdout, '');
  },
  'list-models': async ({ run: { stdout } }) => {
    for (const id of [SONNET, 'openai/gpt-4.1-mini']) {
      assert.match(stdout, member('id', id));
      assert.match(stdout, member('owned_by', id.split('/')[0] ?? ''));
    }
    assert.match(stdout, member('object', 'model'));
    assert.match(stdout, /created['"]?[:=] ?\d{9,10}\b/);
  },
  'retrieve-model': async ({ run: { stdout } }) => {
    assert.match(stdout, member('id', SONNET));
    assert.match(stdout, member('object', 'model'));
    assert.match(stdout, member('owned_by', 'anthropic'));
    assert.doesNotMatch(stdout, /gpt-4/);
  },
  'chat-completion': (outcome) => showsAnswer(outcome),
  'streaming-chat': (outcome) => showsStream(outcome),
  'image-analysis': async (outcome) => {
    const body = await chatBody(outcome);
    const [{ content }] = body.messages as [
      { content: { type: string; image_url?: { url: string; detail: string } }[] },
    ];
    assert.deepEqual(
      content.map(({ type }) => type),
      ['text', 'image_url'],
    );
    assert.deepEqual(content[1]?.image_url, {
      url: `data:image/png;base64,${tinyPng().toString('base64')}`,
      detail: 'auto',
    });
    await showsAnswer(outcome);
  },
  'pdf-analysis': async (outcome) => {
    const body = await chatBody(outcome);
    const [{ content }] = body.messages as [{ content: { type: string; file?: unknown }[] }];
    // The seed's spelling of a file has become the provider's (WIRE 2.2).
    assert.deepEqual(content[1], {
      type: 'file',
      file: { file_data: `data:application/pdf;base64,${tinyPdf().toString('base64')}`, filename: 'document.pdf' },
    });
    await showsAnswer(outcome);
  },
  embeddings: async ({ run: { stdout }, stack }) => {
    const [received] = await stack.simulator(0).received({ path: '/v1/embeddings' });
    assert.ok(received);
    const { input, encoding_format } = received.body as { input: unknown; encoding_format: unknown };
    assert.deepEqual(input, ['Sunny day at the beach']);
    // What the SDKs ask for when nobody chose, and print as numbers.
    assert.equal(encoding_format, 'base64');
    const response = await fetch(`${stack.simulator(0).baseUrl}/embeddings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer sk-simulated' },
      body: JSON.stringify({ model: 'text-embedding-3-small', input }),
    });
    const { data } = (await response.json()) as { data: { embedding: number[] }[] };
    const shown = stdout.match(/-?\d+\.\d+(?:e-?\d+)?/g) ?? [];
    assert.ok(shown.length >= 100, `it showed ${shown.length} numbers`);
    const expected = data[0]?.embedding ?? [];
    for (const [i, text] of shown.slice(0, 100).entries())
      assert.equal(Math.fround(Number(text)), Math.fround(expected[i] ?? 0));
  },
  'tool-calls': async (outcome) => {
    const { stdout } = outcome.run;
    const body = await chatBody(outcome);
    assert.equal(body.tool_choice, 'auto');
    if (outcome.shows === 'json') {
      const { choices } = JSON.parse(stdout);
      const [{ id, type, function: called }] = choices[0].message.tool_calls;
      assert.match(id, /^call_/);
      assert.equal(type, 'function');
      assert.equal(called.name, 'get_weather');
      assert.equal(JSON.parse(called.arguments).location, 'San Francisco');
      assert.equal(choices[0].message.content, null);
      assert.equal(choices[0].finish_reason, 'tool_calls');
    } else if (outcome.shows === 'values') {
      assert.match(stdout, /^Assistant: (null|None)$/m);
      assert.match(stdout, /Tool calls: \[/);
      assert.match(stdout, member('name', 'get_weather'));
      assert.match(stdout, /"location": ?"San Francisco"/);
    } else assert.match(stdout, member('finish_reason', 'tool_calls'));
  },
  'provider-options': async (outcome) => {
    askedVertex(outcome);
    await showsAnswer(outcome, 1);
  },
  'streaming-provider-options': async (outcome) => {
    askedVertex(outcome);
    await showsStream(outcome, 1);
  },
};

/** `id: 'x'`, `id='x'` and `"id":"x"`, as the languages print it. */
function member(name: string, value: string): RegExp {
  return new RegExp(`\\b${name}["']?[:=] ?["']${value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']`);
}

async function showsAnswer(outcome: Outcome, provider = 0): Promise<void> {
  const { stdout } = outcome.run;
  const answer = await directAnswer(outcome, provider);
  assert.ok(answer.text, 'the provider said nothing');
  if (outcome.shows === 'json') {
    const { choices, model, object, id } = JSON.parse(stdout);
    assert.equal(choices[0].message.content, answer.text);
    assert.equal(choices[0].message.role, 'assistant');
    assert.equal(choices[0].finish_reason, 'stop');
    assert.equal(model, SONNET);
    assert.equal(object, 'chat.completion');
    assert.match(id, /^gen_[0-9A-HJKMNP-TV-Z]{26}$/);
  } else if (outcome.shows === 'values') assert.ok(stdout.includes(`Assistant: ${answer.text}\n`), stdout);
  else {
    assert.match(stdout, member('model', SONNET));
    assert.match(stdout, member('finish_reason', 'stop'));
  }
  for (const name of ['prompt_tokens', 'completion_tokens', 'total_tokens']) {
    const shown = new RegExp(`\\b${name}["']?[:=] ?(\\d+)`).exec(stdout)?.[1];
    assert.equal(Number(shown), answer.usage[name], `${name} in ${stdout}`);
  }
}

async function showsStream(outcome: Outcome, provider = 0): Promise<void> {
  const { stdout } = outcome.run;
  const { text } = await directAnswer(outcome, provider);
  const body = await chatBody(outcome, provider);
  assert.equal(body.stream, true);
  if (outcome.shows === 'json') {
    const frames = stdout.split('\n\n').filter((frame) => frame !== '');
    assert.equal(frames.at(-1), 'data: [DONE]');
    const chunks = frames.slice(0, -1).map((frame) => JSON.parse(frame.replace(/^data: /, '')));
    assert.equal(chunks.map(({ choices }) => choices[0].delta.content ?? '').join(''), text);
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
    assert.deepEqual(new Set(chunks.map(({ model }) => model)), new Set([SONNET]));
  } else assert.equal(stdout, outcome.shows === 'inspected' ? `${text}Stream complete\n` : text);
}

function askedVertex({ received }: Outcome): void {
  assert.equal(received[0]?.length, 0, 'the first provider was not to be asked');
  assert.equal(received[1]?.length, 1);
  assert.equal(received[1]?.[0]?.model, 'claude-sonnet-4@20250514');
}

async function chatBody({ received }: Outcome, provider?: number): Promise<Record<string, unknown>> {
  const requests = provider === undefined ? received.flat() : (received[provider] ?? []);
  assert.equal(requests.length, 1, 'one request reaches one provider');
  const body = requests[0]?.body;
  assert.ok(typeof body === 'object' && body !== null);
  return body as Record<string, unknown>;
}

/** What the provider says to the very request that it got, asked without the gateway: it says the same thing twice. */
async function directAnswer(outcome: Outcome, provider: number): Promise<Answer> {
  const simulator: SimulatorProcess = outcome.stack.simulator(provider);
  const { stream_options: _, ...body } = await chatBody(outcome, provider);
  const response = await fetch(`${simulator.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-simulated' },
    body: JSON.stringify({ ...body, stream: false }),
  });
  const { choices, usage } = (await response.json()) as {
    choices: { message: { content: string | null } }[];
    usage: Record<string, number>;
  };
  return { text: choices[0]?.message.content ?? null, usage };
}
