import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { DEFAULT_FILES } from '../catalog/index.ts';
import { createRequestClient, redisKeys } from '../redis/index.ts';
import { startRedisServer } from '../redis/redis-server.testing.ts';
import { StoredFiles } from './stored-files.ts';

test('files work on a Redis Cluster: every script and every removal stays on one node', async () => {
  const server = await startRedisServer({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
  const node = new Redis(server.url);
  const client = createRequestClient(server.url.replace('redis://', 'redis+cluster://'), 'files-cluster-test');
  try {
    await node.cluster('ADDSLOTSRANGE', 0, 16383);
    while (!String(await node.cluster('INFO')).includes('cluster_state:ok')) await delay(20);
    if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve));
    const timing = { uploadIdleMs: 100, retryMs: 1 };
    const log = { warn: () => undefined };
    const files = new StoredFiles({ client, keys: redisKeys('t'), policy: () => DEFAULT_FILES, log, timing });

    const bytes = randomBytes(1_000_000);
    const ids: string[] = [];
    for (const owner of ['oidc:1:a{b}c', 'key_1', 'key_2']) {
      const upload = await files.create({ owner, filename: 'a', purpose: 'batch', expiresAfterS: null });
      await upload.write(bytes);
      const { id } = await upload.finish();
      ids.push(id);
      assert.deepEqual(
        (await files.list(owner, { limit: 5, order: 'desc' })).files.map((file) => file.id),
        [id],
      );
      const pieces: Buffer[] = [];
      for await (const piece of files.read(owner, id, { from: 300_000 })) pieces.push(piece);
      assert.ok(Buffer.concat(pieces).equals(bytes.subarray(300_000)));
      const broken = await files.create({ owner, filename: 'b', purpose: 'batch', expiresAfterS: null });
      await broken.write(bytes);
      await broken.abort();
      // Nobody ends this one.
      await (await files.create({ owner, filename: 'c', purpose: 'evals', expiresAfterS: null })).write(bytes);
      assert.equal(await files.delete(owner, id), true);
    }
    while ((await node.dbsize()) > 0) {
      await files.sweep();
      await delay(10);
    }
    assert.equal(new Set(ids).size, 3);
  } finally {
    client.disconnect();
    node.disconnect();
    await server.stop();
  }
});
