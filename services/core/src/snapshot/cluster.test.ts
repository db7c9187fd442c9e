import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { resolveSnapshot } from '../catalog/index.ts';
import { configuredKeys } from '../identity/index.ts';
import { createRequestClient } from '../redis/index.ts';
import { startRedisServer } from '../redis/redis-server.testing.ts';
import { CredentialSeal, KeyStore, SnapshotFeed, SnapshotPublisher } from './index.ts';

const SECRET = 'the secret of this deployment';

async function startCluster() {
  const server = await startRedisServer({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
  const node = new Redis(server.url);
  await node.cluster('ADDSLOTSRANGE', 0, 16383);
  while (!String(await node.cluster('INFO')).includes('cluster_state:ok')) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  node.disconnect();
  return { url: server.url.replace('redis://', 'redis+cluster://'), stop: () => server.stop() };
}

test('publisher, feed and key store work on a Redis Cluster: every script stays on one node', async () => {
  const cluster = await startCluster();
  const client = createRequestClient(cluster.url, 'test');
  const quiet = () => {};
  const log = { info: quiet, warn: quiet, error: quiet };
  const feed = new SnapshotFeed({ redisUrl: cluster.url, prefix: 't', secret: SECRET, log, pollMs: 3_600_000 });
  try {
    await new Promise((resolve) => client.once('ready', resolve));
    const publisher = new SnapshotPublisher(client, 't');
    const seal = new CredentialSeal(SECRET);
    const snapshot = resolveSnapshot(null, {
      env: { MISTRAL_API_KEY: 'secret-1' },
      seal: (provider, values) => seal.seal(provider, values),
    });
    await publisher.syncConfiguredKeys(configuredKeys([{ name: 'a', key: 'key-a', disabled: false }], SECRET));
    await publisher.publish(snapshot, Date.now());
    await feed.start();
    assert.equal(feed.current()?.table.providers.get('mistral')?.credentials.apiKey, 'secret-1');
    assert.equal(feed.redisUp(), true);

    const notified = new Promise<void>((resolve) => {
      feed.onChange(({ keys }) => {
        if (keys.find('key-b', Date.now()).ok) resolve();
      });
    });
    await publisher.syncConfiguredKeys(configuredKeys([{ name: 'b', key: 'key-b', disabled: false }], SECRET));
    await notified;

    const store = new KeyStore(client, 't');
    const [key] = await store.list();
    assert.ok(key);
    assert.equal(await store.create({ ...key, id: 'key_1', name: 'c' }), 'written');
    const stored = await store.get('key_1');
    assert.ok(stored);
    assert.equal(await store.remove(stored), 'written');
  } finally {
    await feed.stop();
    client.disconnect();
    await cluster.stop();
  }
});
