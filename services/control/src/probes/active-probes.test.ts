import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { HealthBoard } from '@headgate/core/health';
import { createQueueConnection, type RedisClient, redisKeys } from '@headgate/core/redis';
import { createLogger } from '@headgate/core/telemetry';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import type { RoutingSnapshot } from '@headgate/proto/snapshot';
import { type Simulator, startSimulator } from '@headgate/simulator';
import { Queue } from 'bullmq';
import { readDesiredState } from '../desired-state.ts';
import { ActiveProbes } from './active-probes.ts';

const SECRET = 'the secret of this deployment';
const API_KEY = 'sk-the-key-of-the-provider';
const PREFIX = 't';
const CHAT = 'acme:m';
const EMBEDDING = 'acme:text-embedding-3-small';
const POLICY = { consecutiveFailures: 2, failureRatio: 1, minimumRequests: 100, windowMs: 30_000, cooldownMs: 30 };
const BREAKER = { ...POLICY, maxCooldownMs: POLICY.cooldownMs };

let server: RedisServer;
let connection: RedisClient;
let queue: Queue;
let simulator: Simulator;
let directory: string;
/** An ingress process, as far as health goes. */
let ingress: HealthBoard;
let running: ActiveProbes[];
let lines: string[];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headgate-probes-'));
  server = await startRedisServer();
  simulator = await startSimulator();
  connection = createQueueConnection(server.url, 'test');
  queue = new Queue('probes', { connection, prefix: redisKeys(PREFIX).queues });
  queue.on('error', () => {});
});
after(async () => {
  await queue.close();
  connection.disconnect();
  await simulator.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});
beforeEach(async () => {
  await connection.flushall();
  simulator.faults.clear();
  simulator.journal.clear();
  running = [];
  lines = [];
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  ingress = new HealthBoard({ redisUrl: server.url, prefix: PREFIX, log, policy: () => BREAKER, pollMs: 50 });
  await ingress.start();
});
afterEach(async () => {
  await Promise.all([...running.map((probes) => probes.stop()), ingress.stop()]);
  assert.ok(!lines.join('\n').includes(API_KEY), 'no log line holds the credential');
});

/** Intervals are short, and as long as a probe may take by default: nothing depends on which. */
function snapshot(probes: string, model = 'm'): RoutingSnapshot {
  const { cooldownMs, maxCooldownMs, consecutiveFailures } = BREAKER;
  const path = join(directory, 'headgate.yaml');
  writeFileSync(
    path,
    `health:
  breaker: { consecutiveFailures: ${consecutiveFailures}, cooldownMs: ${cooldownMs}, maxCooldownMs: ${maxCooldownMs} }
  probes: { ${probes} }
auth: { keys: [{ name: app, key: key-0123456789 }] }
providers: { acme: { dialect: openai, baseUrl: "${simulator.url}/v1", apiKey: ${API_KEY} } }
models:
  - { id: acme/chat, type: chat, endpoints: [{ provider: acme, model: ${model} }] }
  - { id: acme/embedding, type: embedding, endpoints: [{ provider: acme, model: text-embedding-3-small }] }
`,
  );
  return readDesiredState({ HEADGATE_CONFIG: path }, directory, SECRET).snapshot;
}

/** A replica of control, as far as probes go. */
async function control(config: RoutingSnapshot, redisUrl = server.url): Promise<ActiveProbes> {
  const log = createLogger({ service: 'test', destination: { write: (line: string) => lines.push(line) } });
  const probes = new ActiveProbes({ redisUrl, prefix: PREFIX, secret: SECRET, log, checkMs: 100 }, config);
  running.push(probes);
  await probes.start();
  return probes;
}

const said = (message: string) =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === message);

function outage(endpointKey = CHAT): void {
  for (let times = 0; times < BREAKER.consecutiveFailures; times++) {
    ingress.began(endpointKey);
    ingress.ended({
      endpointKey,
      provider: 'acme',
      failure: 'overloaded',
      retryAfterMs: undefined,
      status: 503,
      startedAt: performance.now(),
      ttftMs: null,
      tokensPerSecond: null,
    });
  }
}

const isOpen = (key = CHAT) => ingress.open().some(({ endpointKey }) => endpointKey === key);

async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function probesArrived(count: number) {
  const arrived = await simulator.journal.wait({}, count, 20_000);
  assert.ok(arrived.length >= count, `${arrived.length} of ${count} probes arrived`);
  return arrived;
}

const schedules = async () => (await queue.getJobSchedulers()).map(({ name, every }) => ({ name, every }));
/** Neither a schedule nor a job that was made by one: no further probe can come. */
const nothingIsPlanned = async () =>
  (await queue.getJobSchedulersCount()) === 0 &&
  (await queue.getJobCountByTypes('waiting', 'delayed', 'active', 'prioritized')) === 0;

describe('an endpoint whose breaker has opened', () => {
  test('is probed until it answers; then its breaker closes and nothing is planned any more', async () => {
    simulator.faults.add({ fault: { status: 503 } });
    await control(snapshot('intervalMs: 60, timeoutMs: 2000'));
    outage();
    const [first] = await probesArrived(3);
    assert.deepEqual([first?.path, first?.model, first?.status], ['/v1/chat/completions', 'm', 503]);
    assert.deepEqual(first?.body, { model: 'm', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 });
    assert.deepEqual(await schedules(), [{ name: 'probe', every: 60 }]);
    assert.ok(isOpen());

    simulator.faults.clear();
    await eventually(() => !isOpen());
    await eventually(nothingIsPlanned);
    const all = simulator.requests;
    assert.deepEqual(
      all.filter(({ status }) => status === 200).map(({ seq }) => seq),
      [all.at(-1)?.seq],
      'the first success was the last probe',
    );
    const [failing, ...again] = said('active probes of an endpoint fail');
    assert.deepEqual([failing?.endpoint, failing?.failure, failing?.status], [CHAT, 'overloaded', 503]);
    assert.deepEqual(again, []);
    assert.equal(said('an active probe was answered, the endpoint is back').length, 1);
  });

  test('is alive when it refuses the probe', async () => {
    simulator.faults.add({ fault: { status: 400 } });
    await control(snapshot('intervalMs: 60'));
    outage();
    await probesArrived(1);
    await eventually(() => !isOpen());
  });

  test('that never answers keeps its breaker open, one time-out after another', async () => {
    simulator.faults.add({ fault: { hang: true } });
    await control(snapshot('intervalMs: 60, timeoutMs: 40'));
    outage();
    await probesArrived(3);
    assert.ok(isOpen());
    assert.equal(said('active probes of an endpoint fail')[0]?.failure, 'silent');
    simulator.faults.clear();
    await eventually(() => !isOpen());
  });

  test('is probed by a control process that was not there when it opened', async () => {
    outage();
    await eventually(() => isOpen());
    await control(snapshot('intervalMs: 60'));
    await probesArrived(1);
    await eventually(() => !isOpen());
  });

  test('of an embedding model is asked for one small vector', async () => {
    simulator.faults.add({ fault: { status: 503 } });
    await control(snapshot('intervalMs: 60'));
    outage(EMBEDDING);
    const [first] = await probesArrived(2);
    assert.deepEqual([first?.path, first?.status], ['/v1/embeddings', 503]);
    assert.deepEqual(first?.body, { model: 'text-embedding-3-small', input: ['Hi'], encoding_format: 'float' });
    assert.ok(isOpen(EMBEDDING));
    simulator.faults.clear();
    await eventually(() => !isOpen(EMBEDDING));
    assert.equal(simulator.requests.at(-1)?.status, 200);
  });
});

describe('two replicas of control', () => {
  const INTERVAL_MS = 150;

  test('make one probe an interval together, and one of them goes on alone', async () => {
    simulator.faults.add({ fault: { status: 503 } });
    const config = snapshot(`intervalMs: ${INTERVAL_MS}`);
    const [first] = await Promise.all([control(config), control(config)]);
    const openedAt = Date.now();
    outage();
    const arrived = await probesArrived(8);
    // The nth cannot be due before n-1 intervals have passed; probes of two replicas would have been twice as many.
    for (const [n, { startedAt }] of arrived.entries()) {
      assert.ok(startedAt - openedAt >= (n - 1) * INTERVAL_MS, `probe ${n} after ${startedAt - openedAt} ms`);
    }
    assert.equal((await schedules()).length, 1);

    await first.stop();
    assert.equal((await schedules()).length, 1);
    await probesArrived(simulator.requests.length + 2);
    simulator.faults.clear();
    await eventually(() => !isOpen());
    await eventually(nothingIsPlanned);
  });
});

describe('a configuration that changes', () => {
  let probes: ActiveProbes;
  beforeEach(async () => {
    simulator.faults.add({ fault: { status: 503 } });
    probes = await control(snapshot('intervalMs: 60'));
    outage();
    await probesArrived(1);
  });

  test('probes disabled: none any more, also by a replica that starts so; enabled again: they go on', async () => {
    probes.change(snapshot('enabled: false'));
    await eventually(nothingIsPlanned);
    const { length } = simulator.requests;
    assert.ok(isOpen());

    await probes.stop();
    await queue.upsertJobScheduler('acme%3Am', { every: 3_600_000, startDate: Date.now() + 3_600_000 });
    const other = await control(snapshot('enabled: false'));
    await eventually(nothingIsPlanned);
    assert.equal(simulator.requests.length, length);

    other.change(snapshot('intervalMs: 60'));
    await probesArrived(length + 1);
  });

  test('an endpoint that is configured no more is probed no more', async () => {
    probes.change(snapshot('intervalMs: 60', 'another'));
    await eventually(nothingIsPlanned);
    assert.ok(simulator.requests.every(({ model }) => model === 'm'));
    assert.ok(isOpen());
  });

  test('another interval holds for a schedule that runs', async () => {
    probes.change(snapshot('intervalMs: 80'));
    await eventually(async () => (await schedules())[0]?.every === 80);
    await probesArrived(simulator.requests.length + 2);
    assert.equal((await schedules()).length, 1);
  });
});

describe('a Redis that is away', () => {
  test('is lived through, and an outage after that is probed', async () => {
    await control(snapshot('intervalMs: 60'));
    await server.restart();
    await eventually(() => ingress.redisUp());
    outage();
    await probesArrived(1);
    await eventually(() => !isOpen());
    assert.deepEqual(said('the queue of probes has a problem'), []);
  });

  test('a schedule that it lost is made anew while the breaker is still open', async () => {
    simulator.faults.add({ fault: { status: 503 } });
    await control(snapshot('intervalMs: 60'));
    outage();
    await probesArrived(1);
    await queue.obliterate({ force: true });
    await probesArrived(simulator.requests.length + 2);
  });

  test('at the start and at the end: control starts, and stops within seconds', async () => {
    const late = await startRedisServer();
    await late.halt();
    const probes = await control(snapshot('intervalMs: 60'), late.url);
    const asked = performance.now();
    await probes.stop();
    assert.ok(performance.now() - asked < 3_000, `${performance.now() - asked} ms`);
    await late.stop();
  });

  test('while a probe is under way: control stops within seconds all the same', async () => {
    simulator.faults.add({ fault: { hang: true } });
    const probes = await control(snapshot('intervalMs: 60, timeoutMs: 60000'));
    outage();
    await probesArrived(1);
    server.pause();
    try {
      const asked = performance.now();
      await probes.stop();
      assert.ok(performance.now() - asked < 4_000, `${performance.now() - asked} ms`);
    } finally {
      server.resume();
    }
  });
});
