import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { question } from './chat-client.ts';
import { CREDENTIAL } from './configuration.ts';
import { type ExplainedAttempt, type Explanation, providersOf } from './explanation.ts';
import { eventually, metrics, total } from './observe.ts';
import { connectWorkers, type WorkerConnection } from './worker-connection.ts';

/** What WIRE promises: a provider that fails in one process is avoided by the others within this time. */
const TOLD_MS = 100;
/** Long enough that what is looked at while it is open is over before it ends. */
const OPEN_MS = 2_000;

let stack: Stack;
let first: WorkerConnection;
let second: WorkerConnection;

before(async () => {
  stack = await startStack({
    processes: 2,
    simulators: 2,
    config: (simulators) => {
      const [alpha, beta] = simulators.map(({ baseUrl }) => ({ dialect: 'openai', baseUrl, apiKey: CREDENTIAL }));
      const endpoints = (model: string, weight?: number) =>
        ['alpha', 'beta'].map((provider) => ({ provider, model, ...(weight ? { weight } : {}) }));
      return {
        providers: { alpha, beta },
        models: [
          { id: 'test/ill', endpoints: endpoints('ill') },
          { id: 'test/busy', endpoints: endpoints('busy') },
          { id: 'test/back', endpoints: endpoints('back') },
          { id: 'test/asked', endpoints: endpoints('asked') },
          { id: 'test/sticky', endpoints: endpoints('sticky', 1) },
          { id: 'test/timed', endpoints: endpoints('timed') },
        ],
        health: {
          breaker: { consecutiveFailures: 2, cooldownMs: OPEN_MS, maxCooldownMs: OPEN_MS },
          // Recovery is left to requests here.
          probes: { enabled: false },
        },
      };
    },
  });
  const workers = await connectWorkers(stack, 2);
  assert.ok(workers[0] && workers[1]);
  [first, second] = workers;
});

afterEach(() => stack.simulator(0).clearFaults());

after(async () => {
  first?.close();
  second?.close();
  await stack?.stop();
});

interface Chatted {
  readonly status: number;
  readonly provider: string | undefined;
  readonly attempts: number;
  readonly text: string;
}

async function chatOver(worker: WorkerConnection, model: string, more: object = {}): Promise<Chatted> {
  const { status, headers, text } = await worker.send('POST', '/v1/chat/completions', {
    model,
    messages: question('[[sim tokens=12 tps=400]] Who answers?'),
    ...more,
  });
  const provider = headers['x-headgate-provider'];
  const attempts = text.match(/"totalProviderAttemptCount":(\d+)/)?.[1];
  return { status, provider: provider === undefined ? undefined : String(provider), attempts: Number(attempts), text };
}

async function explainOver(worker: WorkerConnection, model: string, more: object = {}): Promise<Explanation> {
  const { status, text } = await worker.send('POST', '/v1/route/explain', { model, messages: question('?'), ...more });
  assert.equal(status, 200, text);
  return JSON.parse(text) as Explanation;
}

const attemptAt = (told: Explanation, provider: string): ExplainedAttempt => {
  const attempt = told.attempts.find((one) => one.provider === provider);
  assert.ok(attempt, `no ${provider} in the plan`);
  return attempt;
};

const isLast = (told: Explanation, provider: string): boolean => providersOf(told).at(-1) === provider;

/** Milliseconds until the condition holds, asked again and again. */
async function timeUntil(what: string, holds: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  for (;;) {
    const held = await holds();
    const ms = performance.now() - began;
    if (held) return ms;
    if (ms > 5_000) throw new Error(`not within 5 s: ${what}`);
  }
}

async function statusOf(model: string, tag: string): Promise<number | undefined> {
  const { text } = await second.send('GET', `/v1/models/${model}/endpoints`);
  const { data } = JSON.parse(text) as { data: { endpoints: { tag: string; status: number }[] } };
  return data.endpoints.find((endpoint) => endpoint.tag === tag)?.status;
}

const isDown = (model: string) => stack.simulator(0).fault({ match: { model }, fault: { status: 503 } });

test('a provider that fails in one process is avoided by the other at once', async () => {
  // So that the first request of the second process is no special one.
  assert.equal((await chatOver(second, 'test/ill')).provider, 'alpha');
  await isDown('ill');
  const opening = await chatOver(first, 'test/ill');
  assert.deepEqual([opening.status, opening.provider], [200, 'beta'], 'the client gets its answer');
  assert.equal(opening.attempts, 3, 'alpha twice, which opens its breaker, then beta');

  const ms = await timeUntil('alpha is last', async () => isLast(await explainOver(second, 'test/ill'), 'alpha'));
  assert.ok(ms < TOLD_MS, `the other process knew after ${ms} ms`);
  const asked = await stack.simulator(0).lastSeq();
  const { provider, attempts } = await chatOver(second, 'test/ill');
  assert.deepEqual([provider, attempts], ['beta', 1]);
  assert.equal(await stack.simulator(0).lastSeq(), asked, 'nobody has asked alpha again');

  for (const worker of [first, second]) {
    const told = await explainOver(worker, 'test/ill');
    assert.deepEqual(providersOf(told), ['beta', 'alpha'], 'last, and not away');
    assert.equal(attemptAt(told, 'alpha').health.breaker, 'open');
    assert.equal(attemptAt(told, 'beta').health.breaker, 'closed');
  }
  assert.equal(await statusOf('test/ill', 'alpha:ill'), -3);
  assert.equal(await statusOf('test/ill', 'beta:ill'), 0);
  const samples = await metrics(stack);
  const labels = { gateway_provider: 'alpha', gateway_provider_model: 'ill' };
  const states = samples.filter(
    ({ name, labels: { gateway_provider: by, gateway_provider_model: of } }) =>
      name === 'headgate_endpoint_breaker_state' && by === 'alpha' && of === 'ill',
  );
  assert.deepEqual(states, [{ name: 'headgate_endpoint_breaker_state', labels, value: 2 }], 'once, for all processes');
});

test('429 with Retry-After: both processes leave the endpoint alone for that long, its breaker stays closed', async () => {
  await stack.simulator(0).fault({ match: { model: 'busy' }, fault: { status: 429, 'retry-after': 30 }, times: 1 });
  assert.deepEqual((await chatOver(first, 'test/busy')).provider, 'beta');
  const ms = await timeUntil('alpha is last', async () => isLast(await explainOver(second, 'test/busy'), 'alpha'));
  assert.ok(ms < TOLD_MS, `the other process knew after ${ms} ms`);
  const { health } = attemptAt(await explainOver(second, 'test/busy'), 'alpha');
  assert.equal(health.breaker, 'closed');
  const seconds = ((health.coolUntil ?? 0) - Date.now()) / 1_000;
  assert.ok(seconds > 25 && seconds <= 30.5, `cools for ${seconds} s`);
  assert.equal((await chatOver(second, 'test/busy')).provider, 'beta');
  assert.equal(await statusOf('test/busy', 'alpha:busy'), -1);
  const labels = { gateway_provider: 'alpha', gateway_provider_model: 'busy' };
  assert.equal(total(await metrics(stack), 'headgate_endpoint_cooling', labels), 1);
});

test('an endpoint that is back is found out by one request, and then has its place again in both processes', async () => {
  const id = await isDown('back');
  await chatOver(first, 'test/back');
  await eventually('alpha is open', async () => isLast(await explainOver(second, 'test/back'), 'alpha'));
  await stack.simulator(0).clearFaults(id);
  const since = await stack.simulator(0).lastSeq();
  await eventually('alpha answers', async () => (await chatOver(second, 'test/back')).provider === 'alpha');
  const proofs = await stack.simulator(0).requests({ since, model: 'back' });
  assert.equal(proofs.length, 1, 'one request has tried it');
  for (const worker of [first, second]) {
    await eventually('it is first again', async () => !isLast(await explainOver(worker, 'test/back'), 'alpha'));
    assert.equal((await chatOver(worker, 'test/back')).provider, 'alpha');
  }
  assert.equal(await statusOf('test/back', 'alpha:back'), 0);
});

test('asking for an explanation neither takes a permit nor wants one', async () => {
  const id = await isDown('asked');
  await chatOver(first, 'test/asked');
  await stack.simulator(0).clearFaults(id);
  for (const worker of [first, second]) {
    await eventually('its open period is over', async () => {
      return attemptAt(await explainOver(worker, 'test/asked'), 'alpha').health.probeDue;
    });
  }
  for (let i = 0; i < 40; i++) {
    const told = await explainOver(i % 2 ? first : second, 'test/asked');
    const { breaker, probeDue } = attemptAt(told, 'alpha').health;
    assert.deepEqual(
      [providersOf(told), breaker, probeDue],
      [['beta', 'alpha'], 'open', true],
      'nobody has come for it',
    );
  }
});

test('one key of a prompt cache goes to one endpoint, whichever process is asked', async () => {
  const used = new Set<string | undefined>();
  for (let i = 0; i < 12; i++) {
    const key = { prompt_cache_key: `conversation ${i}` };
    const before = await explainOver(second, 'test/sticky', key);
    assert.deepEqual([before.affinity?.cachedAt, before.affinity?.outcome], [null, 'miss']);
    const { provider } = await chatOver(first, 'test/sticky', key);
    used.add(provider);
    assert.equal(provider, before.attempts[0]?.provider, 'both processes draw alike');
    const { affinity, attempts } = await explainOver(first, 'test/sticky', key);
    assert.deepEqual([affinity?.cachedAt, affinity?.outcome], [`${provider}:sticky`, 'hit']);
    assert.equal(attempts[0]?.provider, provider);
    assert.equal((await chatOver(second, 'test/sticky', key)).provider, provider);
  }
  assert.deepEqual(used, new Set(['alpha', 'beta']), 'and different keys are spread');
});

test('what one process measures, the other sorts by', async () => {
  const speed = { alpha: '[[sim tokens=40 tps=100 ttft=150]]', beta: '[[sim tokens=40 tps=400 ttft=20]]' };
  for (const [provider, directive] of Object.entries(speed)) {
    for (let i = 0; i < 3; i++) {
      const only = { providerOptions: { gateway: { only: [provider] } } };
      const streamed = { stream: true, messages: question(`${directive} Measure ${i}.`), ...only };
      assert.equal((await chatOver(first, 'test/timed', streamed)).status, 200);
    }
  }
  const sorted = (sort: string) => explainOver(second, 'test/timed', { providerOptions: { gateway: { sort } } });
  // Medians are written each second and asked for each fifth one.
  const told = await eventually(
    'the other process knows the times',
    async () => {
      const candidate = await sorted('ttft');
      return candidate.attempts.every(({ health }) => health.ttftMs !== null) ? candidate : null;
    },
    15_000,
  );
  assert.deepEqual(providersOf(told), ['beta', 'alpha']);
  assert.deepEqual(providersOf(await sorted('tps')), ['beta', 'alpha']);
  assert.deepEqual(told.sort?.executionOrder, ['beta', 'alpha']);
  const { ttftMs, tokensPerSecond, successRate } = attemptAt(told, 'alpha').health;
  assert.ok(ttftMs !== null && ttftMs > 120 && ttftMs < 600, `${ttftMs} ms`);
  assert.ok(tokensPerSecond !== null && tokensPerSecond > 40 && tokensPerSecond < 150, `${tokensPerSecond} tps`);
  assert.equal(successRate, 1);
  const labels = { gateway_provider: 'alpha', gateway_provider_model: 'timed' };
  const samples = await metrics(stack);
  const seconds = total(samples, 'headgate_endpoint_time_to_first_token_seconds', labels);
  assert.ok(seconds > 0.12 && seconds < 0.6, `${seconds} s, of all processes once`);
  assert.equal(total(samples, 'headgate_endpoint_success_ratio', labels), 1);
  assert.ok(total(samples, 'headgate_endpoint_tokens_per_second', labels) > 40);
});

test('calls in flight are added up over the processes', async () => {
  const labels = { gateway_provider: 'alpha', gateway_provider_model: 'asked' };
  const inFlight = async () => total(await metrics(stack), 'headgate_endpoint_in_flight', labels);
  const more = {
    messages: question('[[sim ttft=60000]] Wait.'),
    providerOptions: { gateway: { only: ['alpha'] } },
  };
  const calls = [first, second].map((worker) =>
    worker.send('POST', '/v1/chat/completions', { model: 'test/asked', ...more }),
  );
  const left = Promise.allSettled(calls);
  await eventually('one call in each process', async () => (await inFlight()) === 2);
  first.close();
  second.close();
  await left;
  await eventually('they have ended', async () => (await inFlight()) === 0);
});
