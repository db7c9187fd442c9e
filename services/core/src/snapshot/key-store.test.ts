import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { clone, create } from '@bufbuild/protobuf';
import { type ApiKey, ApiKeyOrigin, ApiKeySchema } from '@headgate/proto/api_key';
import { resolveSnapshot } from '../catalog/index.ts';
import { configSchema } from '../config/index.ts';
import { configuredKeys, KeyHasher, sha256 } from '../identity/index.ts';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { KeyStore, type Serving, SnapshotFeed, SnapshotPublisher, type StoredKey } from './index.ts';

const SECRET = 'secret of the deployment';
const keys = redisKeys('t');
let server: RedisServer;
let client: RedisClient;
let store: KeyStore;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
  store = new KeyStore(client, 't');
});
beforeEach(async () => void (await client.flushall()));
after(async () => {
  client.disconnect();
  await server.stop();
});

function apiKey(id: string, name: string, text = `text-of-${id}`): ApiKey {
  const hash = new KeyHasher(SECRET).keyedHash(sha256(text));
  return create(ApiKeySchema, { id, name, hash, origin: ApiKeyOrigin.ADMIN });
}

async function stored(id: string): Promise<StoredKey> {
  const found = await store.get(id);
  assert.ok(found);
  return found;
}

function renamed({ key }: StoredKey, name: string): ApiKey {
  const result = clone(ApiKeySchema, key);
  result.name = name;
  return result;
}

/** Resolves when somebody listens to changes. */
async function subscribed(): Promise<void> {
  for (;;) {
    const [, listeners] = (await client.pubsub('NUMSUB', keys.changes)) as [string, number];
    if (listeners > 0) return;
  }
}

const stamp = () => client.hget(keys.state, 'keysStamp');

describe('KeyStore', () => {
  test('creates, replaces and removes, and stamps each change anew', async () => {
    assert.equal(await store.create(apiKey('key_1', 'one')), 'written');
    assert.deepEqual((await stored('key_1')).key, apiKey('key_1', 'one'));
    const stamps = [await stamp()];
    assert.equal(await store.replace(await stored('key_1'), renamed(await stored('key_1'), 'uno')), 'written');
    stamps.push(await stamp());
    assert.deepEqual(
      (await store.list()).map(({ name }) => name),
      ['uno'],
    );
    assert.equal(await store.remove(await stored('key_1')), 'written');
    stamps.push(await stamp());
    assert.equal(await store.get('key_1'), null);
    assert.equal(new Set(stamps).size, 3);
    assert.equal(await client.hget(keys.state, 'keysVersion'), '3');
    assert.deepEqual(await client.hgetall(keys.apiKeyNames), {});
  });

  test('of two changes that began with the same key, one is made and the other learns it', async () => {
    await store.create(apiKey('key_1', 'one'));
    const seen = await stored('key_1');
    const made = await Promise.all(['a', 'b', 'c'].map((name) => store.replace(seen, renamed(seen, name))));
    assert.deepEqual(made, ['written', 'changed', 'changed']);
    assert.equal(await store.remove(seen), 'changed');
    assert.equal((await stored('key_1')).key.name, 'a');
    const before = await stamp();
    assert.equal(await store.replace(seen, renamed(seen, 'd')), 'changed');
    assert.equal(await stamp(), before, 'nothing happened, so nobody is told');
    await store.remove(await stored('key_1'));
    assert.equal(await store.replace(seen, renamed(seen, 'd')), 'changed', 'what is gone stays gone');
    assert.equal(await store.get('key_1'), null);
  });

  test('a name belongs to one key, however many ask for it at once, and is free again afterwards', async () => {
    const ids = ['key_1', 'key_2', 'key_3', 'key_4'];
    const made = await Promise.all(ids.map((id) => store.create(apiKey(id, 'same'))));
    assert.deepEqual(made, ['written', 'name taken', 'name taken', 'name taken']);
    await store.create(apiKey('key_2', 'other'));
    assert.equal(await store.replace(await stored('key_2'), renamed(await stored('key_2'), 'same')), 'name taken');
    await store.replace(await stored('key_1'), renamed(await stored('key_1'), 'new'));
    assert.equal(await store.replace(await stored('key_2'), renamed(await stored('key_2'), 'same')), 'written');
    await store.remove(await stored('key_2'));
    assert.equal(await store.create(apiKey('key_5', 'same')), 'written');
    assert.equal(await store.create(apiKey('key_6', 'other')), 'written');
    await client.hdel(keys.apiKeys, 'key_6');
    assert.equal(await store.create(apiKey('key_7', 'other')), 'written', 'a name that no key has is free');
  });

  test('stands beside the keys of headgate.yaml: neither touches the other', async () => {
    const publisher = new SnapshotPublisher(client, 't');
    const configured = configuredKeys([{ name: 'app', key: 'key-of-the-file', disabled: false }], SECRET);
    await publisher.syncConfiguredKeys(configured);
    await store.create(apiKey('key_1', 'one'));
    assert.deepEqual([...(await store.configuredNames())], ['app']);
    assert.deepEqual(
      (await store.list()).map(({ name }) => name),
      ['app', 'one'],
    );
    await publisher.syncConfiguredKeys([]);
    assert.deepEqual(
      (await store.list()).map(({ name }) => name),
      ['one'],
    );
    assert.equal((await store.configuredNames()).size, 0);
  });

  test('an ingress has a change in well under a second', async () => {
    const quiet = { info: () => {}, warn: () => {}, error: () => {} };
    const options = { redisUrl: server.url, prefix: 't', secret: SECRET, log: quiet };
    const publisher = new SnapshotPublisher(client, 't');
    await publisher.syncConfiguredKeys([]);
    const config = configSchema.parse({ providers: { mistral: { apiKey: 'k' } } });
    await publisher.publish(resolveSnapshot(config, { env: {}, seal: () => new Uint8Array() }), 1);
    // Nothing is found by polling.
    const feed = new SnapshotFeed({ ...options, pollMs: 3_600_000 });
    await feed.start();
    const served = (serving: Serving) => serving.keys.find('the-text', 1).ok;
    const loaded = new Promise<void>((resolve) => {
      feed.onChange((serving) => {
        if (served(serving)) resolve();
      });
    });
    try {
      await subscribed();
      const asked = performance.now();
      await store.create(apiKey('key_1', 'one', 'the-text'));
      await loaded;
      assert.ok(performance.now() - asked < 500);
    } finally {
      await feed.stop();
    }
  });
});
