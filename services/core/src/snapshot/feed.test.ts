import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { resolveSnapshot } from '../catalog/index.ts';
import { configSchema } from '../config/index.ts';
import { configuredKeys } from '../identity/index.ts';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { CredentialSeal, type Serving, SnapshotFeed, SnapshotPublisher } from './index.ts';

const SECRET = 'the secret of this deployment';
const keys = redisKeys('t');
const seal = new CredentialSeal(SECRET);

let server: RedisServer;
let client: RedisClient;
let publisher: SnapshotPublisher;
let feed: SnapshotFeed | null = null;
let lines: string[] = [];

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await once(client, 'ready');
});
beforeEach(async () => {
  await client.flushall();
  publisher = new SnapshotPublisher(client, 't');
  lines = [];
});
afterEach(() => feed?.stop());
after(async () => {
  client.disconnect();
  await server.stop();
});

function once(emitter: RedisClient, event: string): Promise<void> {
  return new Promise((resolve) => emitter.once(event, () => resolve()));
}

const say = (message: string, fields: Record<string, unknown> = {}) =>
  lines.push(`${message} ${JSON.stringify(fields)}`);

async function startFeed(options: { pollMs?: number; secret?: string; redisUrl?: string } = {}): Promise<SnapshotFeed> {
  feed = new SnapshotFeed({
    redisUrl: server.url,
    prefix: 't',
    secret: SECRET,
    log: { info: say, warn: say, error: say },
    ...options,
  });
  await feed.start();
  return feed;
}

function snapshot(apiKey: string, secretSeal = seal) {
  const config = configSchema.parse({ providers: { mistral: { apiKey } } });
  return resolveSnapshot(config, { env: {}, seal: (provider, values) => secretSeal.seal(provider, values) });
}

const apiKeys = (...names: string[]) =>
  configuredKeys(
    names.map((name) => ({ name, key: `key-of-${name}`, disabled: false })),
    SECRET,
  );

async function publish(apiKey: string, ...names: string[]) {
  await publisher.syncConfiguredKeys(apiKeys(...names));
  return publisher.publish(snapshot(apiKey), Date.now());
}

const credential = (serving: Serving | null) => serving?.table.providers.get('mistral')?.credentials.apiKey;
const knows = (serving: Serving | null, name: string) => serving?.keys.find(`key-of-${name}`, Date.now()).ok ?? false;

/** The first change that is as wanted. */
function changed(of: SnapshotFeed, wanted: (serving: Serving) => boolean): Promise<Serving> {
  return new Promise((resolve) => {
    const stop = of.onChange((serving) => {
      if (!wanted(serving)) return;
      stop();
      resolve(serving);
    });
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const NEVER_MS = 3_600_000;

describe('loading', () => {
  test('start loads what is there, with credentials opened and keys known', async () => {
    await publish('secret-1', 'app');
    const running = await startFeed();
    const serving = running.current();
    assert.equal(credential(serving), 'secret-1');
    assert.equal(serving?.table.version, 1);
    assert.ok(knows(serving, 'app') && !knows(serving, 'other'));
    assert.equal(running.redisUp(), true);
    assert.doesNotMatch(lines.join('\n'), /secret-1|key-of/);
  });

  test('start with an empty Redis waits for the first publication', async () => {
    const running = await startFeed({ pollMs: NEVER_MS });
    assert.equal(running.current(), null);
    assert.deepEqual(lines, ['waiting for control to publish a snapshot {}']);
    const first = changed(running, () => true);
    await publish('secret-1', 'app');
    assert.equal(credential(await first), 'secret-1');
  });

  test('a notification alone brings a change within a second', async () => {
    await publish('secret-1', 'app');
    const running = await startFeed({ pollMs: NEVER_MS });
    const before = running.current();
    const next = changed(running, (serving) => credential(serving) === 'secret-2');
    const published = performance.now();
    await publish('secret-2', 'app');
    assert.equal((await next).table.version, 2);
    assert.ok(performance.now() - published < 1000);
    assert.equal(credential(before), 'secret-1', 'what a request holds does not change under it');
  });

  test('a change of keys alone swaps the keys and keeps the table', async () => {
    await publish('secret-1', 'app');
    const running = await startFeed({ pollMs: NEVER_MS });
    const { table } = running.current() ?? {};
    const next = changed(running, (serving) => knows(serving, 'new'));
    await publisher.syncConfiguredKeys(apiKeys('new'));
    const serving = await next;
    assert.equal(serving.table, table);
    assert.ok(!knows(serving, 'app'));
  });

  test('polling heals a lost notification', async () => {
    await publish('secret-1', 'app');
    const running = await startFeed({ pollMs: 100 });
    const next = changed(running, (serving) => credential(serving) === 'secret-2');
    // As publish-snapshot.lua writes it, but nobody is told.
    const other = new SnapshotPublisher(client, 'other');
    await other.publish(snapshot('secret-2'), 1);
    const fields = await client.hgetallBuffer(redisKeys('other').state);
    await client.hset(keys.state, { ...fields, snapshotVersion: '2' });
    await next;
  });

  test('reads thousands of keys', async () => {
    const many = Array.from({ length: 5000 }, (_, index) => `app-${index}`);
    await publish('secret-1', ...many);
    const running = await startFeed();
    assert.equal(running.current()?.keys.size, 5000);
    assert.ok(knows(running.current(), 'app-4999'));
  });
});

describe('a snapshot that cannot be used is refused with one line, and the old one stays', () => {
  test('sealed under another secret', async () => {
    await publish('secret-1', 'app');
    const running = await startFeed({ pollMs: 20 });
    await publisher.publish(snapshot('secret-2', new CredentialSeal('quite another secret')), 1);
    await until(() => lines.some((line) => line.startsWith('snapshot refused')));
    await publisher.syncConfiguredKeys(apiKeys('app', 'later'));
    await until(() => knows(running.current(), 'later'));
    assert.equal(credential(running.current()), 'secret-1');
    assert.deepEqual(
      lines.filter((line) => line.startsWith('snapshot refused')),
      [
        'snapshot refused {"version":2,"reason":"the credentials of provider mistral were sealed under another HEADGATE_SECRET; give every process the same one","serving":1}',
      ],
    );
    const next = changed(running, (serving) => credential(serving) === 'secret-3');
    await publish('secret-3', 'app');
    await next;
  });

  test('not decodable, at start: nothing is served, and a good one is taken', async () => {
    await client.hset(keys.state, {
      snapshot: Buffer.of(0xff, 0xff),
      snapshotDigest: 'x',
      snapshotVersion: '9',
      keysStamp: 's',
    });
    const running = await startFeed({ pollMs: NEVER_MS });
    assert.equal(running.current(), null);
    assert.match(lines.join('\n'), /snapshot refused \{"version":9,"reason":"it cannot be decoded","serving":"none"\}/);
    const next = changed(running, () => true);
    await publish('secret-1', 'app');
    assert.equal((await next).table.version, 10);
  });

  test('a key that cannot be decoded does not take the others with it', async () => {
    await client.hset(keys.apiKeys, 'key_bad', Buffer.of(0xff, 0xff));
    await publish('secret-1', 'app');
    const running = await startFeed();
    assert.ok(knows(running.current(), 'app'));
    assert.match(lines.join('\n'), /API key refused: it cannot be decoded \{"keyId":"key_bad"\}/);
  });
});

describe('when Redis goes', () => {
  test('a restart with nothing left: the last table stays, one line each way, and the next publication is taken', async () => {
    await publish('secret-1', 'app');
    const running = await startFeed({ pollMs: 20 });
    lines = [];
    await server.halt();
    await until(() => !running.redisUp());
    assert.equal(credential(running.current()), 'secret-1');
    assert.ok(knows(running.current(), 'app'));
    await server.startAgain();
    await until(() => running.redisUp() && lines.some((line) => line.includes('holds no snapshot')));
    assert.equal(credential(running.current()), 'secret-1');
    assert.ok(knows(running.current(), 'app'), 'an empty Redis does not lock everybody out');
    assert.deepEqual(
      lines.map((line) => line.replace(/"reason":"[^"]*",/, '')),
      [
        'Redis is away {"serving":1}',
        'Redis holds no snapshot; keeping the last one {"version":1}',
        'Redis is back {}',
      ],
    );
    if (client.status !== 'ready') await once(client, 'ready');
    // A control process that remembers nothing starts again at version 1: the digest tells the difference.
    publisher = new SnapshotPublisher(client, 't');
    const next = changed(running, (serving) => credential(serving) === 'secret-2');
    assert.equal((await publish('secret-2', 'app')).version, 1);
    await next;
  });

  test('a flush does not take the table away', async () => {
    await publish('secret-1', 'app');
    const running = await startFeed({ pollMs: 20 });
    await client.flushall();
    await until(() => lines.some((line) => line.includes('holds no snapshot')));
    assert.equal(credential(running.current()), 'secret-1');
    assert.ok(knows(running.current(), 'app'));
  });

  test('a frozen Redis is noticed, and its return too', async () => {
    await publish('secret-1', 'app');
    const running = await startFeed({ pollMs: 50 });
    server.pause();
    await until(() => !running.redisUp());
    assert.equal(credential(running.current()), 'secret-1');
    server.resume();
    await until(() => running.redisUp());
    const next = changed(running, (serving) => credential(serving) === 'secret-2');
    await publish('secret-2', 'app');
    await next;
  });

  test('away from the start: start() does not fail, and all is loaded when it comes', async () => {
    const late = await startRedisServer();
    await late.halt();
    const running = await startFeed({ redisUrl: late.url });
    assert.equal(running.current(), null);
    assert.equal(running.redisUp(), false);
    const first = changed(running, () => true);
    await late.startAgain();
    const lateClient = createRequestClient(late.url, 'test');
    await once(lateClient, 'ready');
    publisher = new SnapshotPublisher(lateClient, 't');
    await publish('secret-1', 'app');
    assert.equal(credential(await first), 'secret-1');
    assert.equal(lines.filter((line) => line.startsWith('Redis is away')).length, 1);
    await running.stop();
    lateClient.disconnect();
    await late.stop();
  });
});

test('the steady state costs one command a poll', async () => {
  await publish('secret-1', 'app');
  const running = await startFeed({ pollMs: 20 });
  const calls = async () => {
    const stats = await client.info('commandstats');
    return Object.fromEntries(
      [...stats.matchAll(/cmdstat_(\S+):calls=(\d+)/g)].map(([, name, count]) => [name, Number(count)]),
    );
  };
  const before = await calls();
  await until(() => running.redisUp());
  await new Promise((resolve) => setTimeout(resolve, 200));
  const after = await calls();
  const grown = Object.keys(after).filter((name) => after[name] !== before[name]);
  assert.deepEqual(
    grown.filter((name) => name !== 'info'),
    ['hmget'],
  );
});
