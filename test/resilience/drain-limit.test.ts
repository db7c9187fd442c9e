import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { chat, openChat, question, readChat } from './chat-client.ts';
import { configuration, targetOf } from './configuration.ts';
import { eventually, isAlive } from './observe.ts';
import { RawRequest } from './raw-http.ts';

let stack: Stack;

before(async () => {
  stack = await startStack({
    env: { HEADGATE_DRAIN_TIMEOUT_SECONDS: '1' },
    config: ([simulator]) => ({
      ...configuration(simulator, {
        models: [{ id: 'test/embed', type: 'embedding', endpoints: [{ provider: 'alpha', model: 'embed' }] }],
      }),
      timeouts: { firstTokenMs: 60_000, streamStallMs: 60_000 },
    }),
  });
});

after(() => stack.stop());

test('what is still open at the drain limit ends with an error in its own form, and is accounted', async () => {
  const target = targetOf(stack);
  const ask = (text: string, stream: boolean) =>
    openChat(target, { model: 'test/one', stream, messages: question(text) });
  const stream = ask('[[sim tokens=1000 tps=20]] long', true);
  const silent = ask('[[sim slow=60000]] silent', true);
  const whole = ask('[[sim slow=60000]] whole', false);
  const vectors = new RawRequest(stack.port, {
    method: 'POST',
    path: '/v1/embeddings',
    headers: [
      ['authorization', `Bearer ${target.key}`],
      ['content-type', 'application/json'],
    ],
    body: JSON.stringify({ model: 'test/embed', input: '[[sim slow=60000]] vectors' }),
  });
  // A connection that nobody uses does not hold the process up either.
  const idle = new RawRequest(stack.port, { path: '/health/live' });
  await idle.ended;
  await stream.untilText('"content":"');
  await eventually('all four are with the provider', async () => (await stack.simulator().requests()).length >= 4);

  const ingress = stack.service('ingress');
  const { pid } = ingress;
  process.kill(pid, 'SIGTERM');
  const cut = await readChat(stream);
  assert.equal(cut.end, 'complete', 'with intact framing');
  assert.ok(!cut.done && cut.text.length > 0);
  assert.deepEqual(
    cut.errors.map(({ type, code }) => [type, code]),
    [['service_unavailable', 'shutting_down']],
  );
  for (const request of [silent, whole, vectors]) {
    const { status, headers } = await request.head;
    await request.ended;
    const { error } = JSON.parse(request.text) as { error: Record<string, unknown> };
    assert.deepEqual([status, error.type, error.code], [503, 'service_unavailable', 'shutting_down']);
    assert.deepEqual([headers['x-should-retry'], headers['retry-after'], headers.connection], ['true', '1', 'close']);
  }
  await idle.closed;
  await ingress.ended;
  assert.equal(ingress.exit, 'exit code 0');
  assert.ok(!isAlive(pid));

  await stack.start('ingress');
  await stack.ready();
  assert.ok((await chat(target, { model: 'test/one', messages: question('[[sim tokens=3]] again') })).text.length > 0);
  const id = cut.headers['x-generation-id'];
  const record = await eventually('the ledger knows the stream', async () => {
    const answer = await fetch(`${stack.baseUrl}/generation?id=${id}`, {
      headers: { authorization: `Bearer ${target.key}` },
    });
    return answer.status === 200 ? ((await answer.json()) as { data: Record<string, unknown> }).data : null;
  });
  assert.ok(Number(record.tokens_completion ?? record.native_tokens_completion) > 0, JSON.stringify(record));
});
