import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openChat, question, readChat, type Target } from '../resilience/chat-client.ts';
import { configuration } from '../resilience/configuration.ts';
import { eventually } from '../resilience/observe.ts';
import { RawRequest } from '../resilience/raw-http.ts';
import { ContainerStack, HTTP } from './container-stack.ts';

const GEMINI = 'google/gemini-embedding-001';
/** Each call of the provider takes longer than an embedder may take to end. */
const SLOW = 'google/slow-embedding';
const CALL_MS = 4_000;

let stack: ContainerStack;

before(async () => {
  stack = await ContainerStack.start({
    embedders: 2,
    env: { HEADGATE_DRAIN_TIMEOUT_SECONDS: '1' },
    config: ([simulator]) => {
      // The base URL of Gemini has no path.
      const baseUrl = new URL(simulator?.baseUrl ?? '').origin;
      const provider = { dialect: 'gemini', baseUrl, apiKey: 'key-of-gemini' };
      return configuration(simulator, {
        providers: { gemini: provider, slow: provider },
        models: [
          { id: GEMINI, type: 'embedding', endpoints: [{ provider: 'gemini', model: 'gemini-embedding-001' }] },
          {
            id: SLOW,
            type: 'embedding',
            endpoints: [{ provider: 'slow', model: `gemini-embedding-001+ttft=${CALL_MS}` }],
          },
        ],
      });
    },
  });
});
after(() => stack?.stop());

test('an ingress that drains: not ready, connections closed, what is open at the limit ends with an error, exit 0', async (t) => {
  const ingress = await stack.addIngress({ HEADGATE_DRAIN_DELAY_SECONDS: '2', HEADGATE_DRAIN_TIMEOUT_SECONDS: '2' });
  const target: Target = { port: ingress.port(HTTP), key: stack.key };
  const ask = (text: string, stream: boolean) =>
    openChat(target, { model: 'test/one', stream, messages: question(text) });
  const short = ask('[[sim tokens=20 tps=8]] ends in time', true);
  const long = ask('[[sim tokens=1000 tps=20]] does not', true);
  const whole = ask('[[sim slow=60000]] neither', false);
  const idle = new RawRequest(target.port, { path: '/health/live' });
  await idle.ended;
  await Promise.all([short, long].map((stream) => stream.untilText('"content":"')));

  const began = performance.now();
  await ingress.signal('SIGTERM');
  const draining = await eventually('not ready', async () => {
    const request = new RawRequest(target.port, { path: '/health/ready' });
    const { status, headers } = await request.head;
    await request.ended;
    request.leave();
    return status === 503 ? { headers, status: (JSON.parse(request.text) as { status: string }).status } : null;
  });
  assert.deepEqual([draining.status, draining.headers.connection], ['draining', 'close']);
  const late = ask('[[sim tokens=5]] accepted until balancers have noticed', true);
  assert.deepEqual([(await late.head).status, (await late.head).headers.connection], [200, 'close']);
  assert.ok((await readChat(late)).done);

  assert.ok((await readChat(short)).done, 'a stream that ends in time is whole');
  const cut = await readChat(long);
  assert.equal(cut.end, 'complete', 'with intact framing');
  assert.ok(!cut.done && cut.text.length > 0);
  assert.deepEqual(
    cut.errors.map(({ type, code }) => [type, code]),
    [['service_unavailable', 'shutting_down']],
  );
  await whole.ended;
  const { error } = JSON.parse(whole.text) as { error: { type: string; code: string } };
  assert.deepEqual([(await whole.head).status, error.type, error.code], [503, 'service_unavailable', 'shutting_down']);
  await idle.closed;
  assert.equal(await ingress.ended(), 0);
  const seconds = (performance.now() - began) / 1000;
  t.diagnostic(`ended ${seconds.toFixed(1)} s after SIGTERM, of a delay of 2 s and a limit of 2 s`);
  assert.ok(seconds >= 3.9 && seconds < 8, `${seconds} s`);
});

test('an ingress that nobody uses ends at once, whatever its limit', async (t) => {
  const ingress = await stack.addIngress({ HEADGATE_DRAIN_TIMEOUT_SECONDS: '600' });
  const idle = [1, 2, 3].map(() => new RawRequest(ingress.port(HTTP), { path: '/health/live' }));
  await Promise.all(idle.map(({ ended }) => ended));
  const began = performance.now();
  await ingress.signal('SIGTERM');
  assert.equal(await ingress.ended(), 0);
  const seconds = (performance.now() - began) / 1000;
  t.diagnostic(`ended ${seconds.toFixed(1)} s after SIGTERM, with three idle connections`);
  await Promise.all(idle.map(({ closed }) => closed));
  assert.ok(seconds < 5, `${seconds} s`);
});

test('an embedder that is stopped hands its jobs to the other: the request that waits for them is answered', async (t) => {
  const input = Array.from({ length: 3_000 }, (_, i) => `text ${i}`);
  const embed = async (model: string, texts: readonly string[]) => {
    const response = await fetch(`${stack.baseUrl}/embeddings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, input: texts, dimensions: 64, encoding_format: 'base64' }),
      signal: AbortSignal.timeout(60_000),
    });
    const body = (await response.json()) as { data?: { embedding: string }[]; error?: unknown };
    assert.equal(response.status, 200, JSON.stringify(body.error));
    return body.data?.map(({ embedding }) => embedding) ?? [];
  };
  const [victim, other] = stack.embedders;
  assert.ok(victim && other);
  const simulator = stack.simulator();
  const since = await simulator.lastSeq();
  const answer = embed(SLOW, input);
  // More than one embedder runs at a time, so that both have work.
  const calls = await simulator.received({ since }, 20, 20_000);
  const began = performance.now();
  assert.equal(await victim.stop(20), 0);
  const stopped = (performance.now() - began) / 1000;
  const vectors = await answer;
  const asked = (await simulator.requests({ since })).length;
  t.diagnostic(
    `embedder stopped in ${stopped.toFixed(1)} s (limit 1 s, a call takes ${CALL_MS / 1000} s), ${calls.length} calls under way`,
  );
  t.diagnostic(
    `answered ${((performance.now() - began) / 1000).toFixed(1)} s after SIGTERM; calls of the provider: ${asked} for 30 chunks`,
  );
  assert.equal(vectors.length, input.length);
  assert.ok(asked > 30, 'chunks were begun by the one and done by the other');
  // The queue alone, of the one that is left, gives the same.
  assert.deepEqual(vectors, await embed(GEMINI, input));
});
