import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import { ApiKeyOrigin, ApiKeySchema } from '@headgate/proto/api_key';
import { RoutingSnapshotSchema } from '@headgate/proto/snapshot';
import { configuredKeys } from '../identity/index.ts';
import { createRequestClient, createSubscriber, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { SnapshotPublisher, snapshotDigest } from './index.ts';

const keys = redisKeys('t');
let server: RedisServer;
let client: RedisClient;
let subscriber: RedisClient;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  subscriber = createSubscriber(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
  await subscriber.subscribe(keys.changes);
});
beforeEach(() => client.flushall());
after(async () => {
  client.disconnect();
  subscriber.disconnect();
  await server.stop();
});

const snapshot = (onRedisLoss: string) => create(RoutingSnapshotSchema, { onRedisLoss });
const stored = (entries: readonly (readonly [name: string, key: string])[]) =>
  configuredKeys(
    entries.map(([name, key]) => ({ name, key, disabled: false })),
    'secret of the deployment',
  );

describe('publish', () => {
  test('gives rising versions, notifies, and leaves an equal snapshot alone', async () => {
    const heard: unknown[] = [];
    const listen = (_channel: string, message: unknown) => heard.push(message);
    subscriber.on('message', listen);
    const publisher = new SnapshotPublisher(client, 't');
    assert.equal(await publisher.isPublished(), false);
    const first = await publisher.publish(snapshot('a'), 1000);
    assert.deepEqual(first, { version: 1, digest: snapshotDigest(snapshot('a')), changed: true });
    assert.deepEqual(await publisher.publish(snapshot('a'), 2000), { ...first, changed: false });
    assert.equal((await publisher.publish(snapshot('b'), 3000)).version, 2);
    // Another process that starts with what stands already.
    assert.deepEqual(await new SnapshotPublisher(client, 't').publish(snapshot('b'), 4000), {
      version: 2,
      digest: snapshotDigest(snapshot('b')),
      changed: false,
    });
    const body = await client.hgetBuffer(keys.state, 'snapshot');
    assert.equal(fromBinary(RoutingSnapshotSchema, body ?? new Uint8Array()).publishedAtMs, 3000n);
    while (heard.length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(heard, ['snapshot', 'snapshot']);
    subscriber.off('message', listen);
  });

  test('goes on from the version it remembers after Redis lost everything', async () => {
    const publisher = new SnapshotPublisher(client, 't');
    await publisher.publish(snapshot('a'), 1);
    await publisher.publish(snapshot('b'), 1);
    await client.flushall();
    assert.deepEqual([(await publisher.publish(snapshot('b'), 1)).version], [2]);
    await client.flushall();
    assert.deepEqual([(await publisher.publish(snapshot('c'), 1)).version], [3]);
  });
});

describe('syncConfiguredKeys', () => {
  test('writes what is new, removes what is gone, and leaves keys of the admin API alone', async () => {
    const publisher = new SnapshotPublisher(client, 't');
    await client.hset(keys.apiKeys, 'key_admin', Buffer.from('made by the admin API'));
    assert.deepEqual(
      await publisher.syncConfiguredKeys(
        stored([
          ['a', '1'],
          ['b', '2'],
        ]),
      ),
      {
        version: 1,
        written: 2,
        removed: 0,
      },
    );
    const stamp = await client.hget(keys.state, 'keysStamp');
    assert.deepEqual(
      await publisher.syncConfiguredKeys(
        stored([
          ['a', '1'],
          ['b', '2'],
        ]),
      ),
      {
        version: 1,
        written: 0,
        removed: 0,
      },
    );
    assert.equal(await client.hget(keys.state, 'keysStamp'), stamp);
    // b is renamed, a is gone, c is new.
    const changed = stored([
      ['b2', '2'],
      ['c', '3'],
    ]);
    assert.deepEqual(await publisher.syncConfiguredKeys(changed), { version: 2, written: 2, removed: 1 });
    assert.notEqual(await client.hget(keys.state, 'keysStamp'), stamp);
    const ids = await client.hkeys(keys.apiKeys);
    assert.deepEqual(ids.sort(), ['key_admin', ...changed.map(({ id }) => id)].sort());
    const bytes = await client.hgetBuffer(keys.apiKeys, changed[0]?.id ?? '');
    const entry = fromBinary(ApiKeySchema, bytes ?? new Uint8Array());
    assert.equal(entry.name, 'b2');
    assert.equal(entry.origin, ApiKeyOrigin.CONFIG);
  });

  test('no key at all is also a state that can be told from nothing', async () => {
    const publisher = new SnapshotPublisher(client, 't');
    await publisher.syncConfiguredKeys([]);
    assert.equal(await publisher.isPublished(), false);
    await publisher.publish(snapshot('a'), 1);
    assert.equal(await publisher.isPublished(), true);
  });

  test('nothing in Redis tells a key or a credential', async () => {
    const publisher = new SnapshotPublisher(client, 't');
    await publisher.syncConfiguredKeys(stored([['a', 'the-plain-key']]));
    const dump = Object.entries(await client.hgetallBuffer(keys.apiKeys)).map(([, value]) => value.toString('latin1'));
    assert.ok(dump.length === 1 && !dump.join().includes('the-plain-key'));
  });
});
