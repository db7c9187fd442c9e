/** What Prometheus gets of a control process. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { UsageWriter } from '@headgate/core/ledger';
import { createRequestClient, type RedisClient, redisKeys } from '@headgate/core/redis';
import { usageEntry } from '@headgate/core/testing/ledger';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { ulid } from 'ulid';
import { ControlProcess } from './control-process.testing.ts';

const KEYS = redisKeys('t');
const GOOD = (name: string) => `auth: { keys: [{ name: ${name}, key: key-0123456789 }] }
providers: { mistral: { apiKey: sk-the-key-of-the-provider } }
`;

let server: RedisServer;
let client: RedisClient;
let directory: string;
let control: ControlProcess;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headgate-control-'));
  await client.flushall();
});
afterEach(async () => {
  control.child.kill('SIGKILL');
  await control.exit();
  rmSync(directory, { recursive: true });
});
after(async () => {
  client.disconnect();
  await server.stop();
});

function configure(content: string): void {
  writeFileSync(join(directory, 'headgate.yaml'), content);
}

function start(redisUrl = server.url): void {
  control = new ControlProcess(directory, {
    REDIS_URL: redisUrl,
    HEADGATE_REDIS_PREFIX: 't',
    HEADGATE_SECRET: 's'.repeat(32),
    HEADGATE_HOST: '127.0.0.1',
    HEADGATE_CONTROL_PORT: '0',
  });
}

async function scrape(): Promise<string> {
  const { port } = await control.line('health server listens');
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  return response.text();
}

/** The value of a series, named as Prometheus shows it; undefined when there is none. */
function sampleOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** The first scrape in which the series has the value. */
async function until(series: string, value: number): Promise<string> {
  for (const end = Date.now() + 10_000; ; await delay(20)) {
    const text = await scrape();
    if (sampleOf(text, series) === value) return text;
    assert.ok(Date.now() < end, `${series} never was ${value}:\n${text}`);
  }
}

test('what is published, whether a change was refused, and the process itself', async () => {
  configure(GOOD('app'));
  start();
  await control.line('snapshot published');
  const first = await scrape();
  assert.equal(
    sampleOf(first, `headgate_build_info{service="control",version="0.1.0",process="${control.child.pid}"}`),
    1,
  );
  assert.ok((sampleOf(first, `process_resident_memory_bytes{process="${control.child.pid}"}`) ?? 0) > 10_000_000);
  assert.equal(sampleOf(first, 'headgate_redis_up'), 1);
  assert.equal(sampleOf(first, 'headgate_snapshot_published_version'), 1);
  assert.equal(sampleOf(first, 'headgate_snapshot_settled'), 1);
  const publishedAt = sampleOf(first, 'headgate_snapshot_published_time_seconds') ?? 0;
  assert.ok(Math.abs(publishedAt - Date.now() / 1000) < 30, `${publishedAt}`);
  assert.equal(sampleOf(first, 'headgate_config_refused'), 0);
  assert.equal(sampleOf(first, 'headgate_config_reloads_total{gateway_outcome="refused"}'), 0);

  configure('server: { port: never }');
  await control.line('configuration refused, the last good one keeps serving');
  const refused = await scrape();
  assert.equal(sampleOf(refused, 'headgate_config_refused'), 1);
  assert.equal(sampleOf(refused, 'headgate_config_reloads_total{gateway_outcome="refused"}'), 1);
  assert.equal(sampleOf(refused, 'headgate_snapshot_published_version'), 1);
  assert.equal(sampleOf(refused, 'headgate_snapshot_settled'), 1);

  configure(`${GOOD('app')}server: { requestTimeoutMs: 5000 }\n`);
  const taken = await until('headgate_snapshot_published_version', 2);
  assert.equal(sampleOf(taken, 'headgate_config_refused'), 0);
  assert.equal(sampleOf(taken, 'headgate_config_reloads_total{gateway_outcome="taken"}'), 1);
  assert.ok((sampleOf(taken, 'headgate_snapshot_published_time_seconds') ?? 0) >= publishedAt);
  assert.doesNotMatch(taken, /key-0123456789|sk-the-key/);
});

test('usage that was added, and what still waits', async () => {
  configure(GOOD('app'));
  const [now = 0] = (await client.time()).map(Number);
  // Somebody has taken it and does not come to an end with it.
  await client.xadd(KEYS.ledger.stream, `${(now - 400) * 1000}-1`, 'batch', '');
  await client.xgroup('CREATE', KEYS.ledger.stream, 'roll-up', '0');
  await client.xreadgroup('GROUP', 'roll-up', 'another', 'STREAMS', KEYS.ledger.stream, '>');
  start();
  const behind = await until('headgate_ledger_stream_entries', 1);
  const age = sampleOf(behind, 'headgate_ledger_stream_age_seconds') ?? 0;
  assert.ok(age >= 399 && age < 460, `${age}`);
  assert.equal(sampleOf(behind, 'headgate_ledger_rolled_up_total'), 0);

  const writer = new UsageWriter(client, KEYS, { info: () => {}, warn: () => {} });
  for (let i = 0; i < 30; i += 1) {
    writer.write(usageEntry({ generationId: `gen_${ulid(Date.now())}`, createdAtMs: Date.now() }));
  }
  await writer.stop();
  await until('headgate_ledger_rolled_up_total', 30);
});

test('before Redis was there: nothing published, nothing said of what is not known', async () => {
  configure(GOOD('app'));
  const late = await startRedisServer();
  await late.halt();
  start(late.url);
  await control.line('Redis is away');
  const away = await scrape();
  assert.equal(sampleOf(away, 'headgate_redis_up'), 0);
  assert.equal(sampleOf(away, 'headgate_snapshot_published_version'), 0);
  assert.equal(sampleOf(away, 'headgate_snapshot_settled'), 0);
  assert.equal(sampleOf(away, 'headgate_snapshot_published_time_seconds'), undefined);
  assert.equal(sampleOf(away, 'headgate_ledger_stream_age_seconds'), undefined);
  await late.startAgain();
  await until('headgate_snapshot_settled', 1);
  await until('headgate_ledger_stream_entries', 0);
  await late.stop();
});
