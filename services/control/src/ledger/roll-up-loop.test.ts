import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Reports, UsageWriter } from '@headgate/core/ledger';
import { createRequestClient, type RedisClient, redisKeys } from '@headgate/core/redis';
import { createLogger } from '@headgate/core/telemetry';
import { usageEntry } from '@headgate/core/testing/ledger';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { ulid } from 'ulid';
import { RollUpLoop } from './roll-up-loop.ts';

const KEYS = redisKeys('t');
const RETENTION = { generationHours: 2, reportDays: 3 };

let server: RedisServer;
let client: RedisClient;
let lines: Record<string, unknown>[] = [];

const log = createLogger({ service: 'test', destination: { write: (line) => lines.push(JSON.parse(line)) } });

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
beforeEach(async () => {
  await client.flushall();
  lines = [];
});
after(async () => {
  client.disconnect();
  await server.stop();
});

async function write(count: number): Promise<void> {
  const writer = new UsageWriter(client, KEYS, { info: () => {}, warn: () => {} });
  const now = Date.now();
  for (let i = 0; i < count; i += 1) {
    const generationId = `gen_${ulid(now)}`;
    writer.write(usageEntry({ generationId, createdAtMs: now }));
  }
  await writer.stop();
}

const rolledUp = async () => (await new Reports(client, KEYS).total('key_a')).requests;

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('two of them share the work: each generation is added up once', async () => {
  const loops = [1, 2].map(() => new RollUpLoop(client, 't', RETENTION, log));
  for (const loop of loops) loop.start();
  await write(40);
  await until(async () => (await rolledUp()) === 40);
  await Promise.all(loops.map((loop) => loop.stop()));
  assert.equal(await rolledUp(), 40);
  assert.deepEqual(lines, []);
});

test('at the end it takes what is there, and what comes later waits for the next', async () => {
  const loop = new RollUpLoop(client, 't', RETENTION, log);
  await write(3);
  await loop.stop();
  assert.equal(await rolledUp(), 3);
  await write(2);
  assert.equal(await rolledUp(), 3);
  const next = new RollUpLoop(client, 't', RETENTION, log);
  await next.stop();
  assert.equal(await rolledUp(), 5);
});

test('another retention holds for what is added from then on', async () => {
  const loop = new RollUpLoop(client, 't', RETENTION, log);
  loop.change({ generationHours: 5, reportDays: 9 });
  await write(1);
  await loop.stop();
  const [name = ''] = await client.keys('t:{ledger}:generations:*');
  const ttl = await client.ttl(name);
  assert.ok(ttl > 4 * 3_600 && ttl <= 5 * 3_600, `${ttl}`);
});

test('a Redis that cannot do it is told once, and once that it is over', async () => {
  const loop = new RollUpLoop(client, 't', RETENTION, log);
  await client.config('RESETSTAT');
  // Not a stream: every read of it fails.
  await client.set(KEYS.ledger.stream, 'x');
  loop.start();
  await until(() => lines.length > 0);
  await until(async () => {
    const [, failed = '0'] = /cmdstat_xreadgroup:.*failed_calls=(\d+)/.exec(await client.info('commandstats')) ?? [];
    return Number(failed) >= 3;
  });
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['usage waits: it cannot be added to the ledger'],
  );
  await client.del(KEYS.ledger.stream);
  await until(() => lines.length > 1);
  assert.equal(lines[1]?.msg, 'usage is added to the ledger again');
  await loop.stop();
});
