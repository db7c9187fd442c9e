import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { createRequestClient, type RedisClient } from '@headgate/core/redis';
import { createLogger } from '@headgate/core/telemetry';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { AdminSettingsError, startAdminApi } from './admin-api.ts';

const TOKEN = 'admin-token-0123456789';

let redis: RedisServer;
let client: RedisClient;
let taken: Server;
let lines: Record<string, unknown>[];

before(async () => {
  redis = await startRedisServer();
  client = createRequestClient(redis.url, 'test');
  taken = createServer();
  await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
});
beforeEach(() => {
  lines = [];
});
after(async () => {
  taken.close();
  client.disconnect();
  await redis.stop();
});

const start = (env: Record<string, string>) =>
  startAdminApi(env, {
    client,
    prefix: 't',
    secret: 's'.repeat(32),
    log: createLogger({ service: 'test', destination: { write: (line) => lines.push(JSON.parse(line)) } }),
    groupBudgets: () => new Map(),
  });

test('without a token it is off, and says how to turn it on; louder where a port was named', async () => {
  const hint = /HEADGATE_ADMIN_TOKEN is not set; expected at least 16 .*openssl rand -hex 32$/;
  for (const [env, level] of [
    [{}, 'info'],
    [{ HEADGATE_ADMIN_TOKEN: '' }, 'info'],
    [{ HEADGATE_ADMIN_PORT: '0' }, 'warn'],
  ] as const) {
    assert.equal(await start(env), null);
    const line = lines.pop();
    assert.equal(line?.level, level);
    assert.match(String(line?.msg), hint);
  }
});

test('a token that is too short, or cannot be sent, leaves it off and is not shown', async () => {
  for (const token of ['too-short-token', 'long enough but with spaces', 'nicht-sendbar-äöüß-0123']) {
    assert.equal(await start({ HEADGATE_ADMIN_PORT: '0', HEADGATE_ADMIN_TOKEN: token }), null);
    const line = lines.pop();
    assert.equal(line?.level, 'error');
    assert.match(String(line?.msg), /HEADGATE_ADMIN_TOKEN cannot be used; expected at least 16/);
    assert.ok(!JSON.stringify(line).includes(token));
  }
});

test('it listens where the environment says', async () => {
  const listener = await start({
    HEADGATE_ADMIN_HOST: 'localhost',
    HEADGATE_ADMIN_PORT: '0',
    HEADGATE_ADMIN_TOKEN: TOKEN,
  });
  assert.ok(listener);
  const { msg, host, port } = lines[0] ?? {};
  assert.deepEqual([msg, host, port], ['admin API listens', 'localhost', listener.port]);
  assert.equal((await fetch(`http://localhost:${port}/`)).status, 401);
  await listener.close();
});

test('a port that was named and cannot be had is an error that names it', async () => {
  const { port } = taken.address() as AddressInfo;
  for (const [text, words] of [
    [String(port), /cannot listen on 127\.0\.0\.1 port \d+; choose another HEADGATE_ADMIN_PORT: .*EADDRINUSE/],
    ['many', /HEADGATE_ADMIN_PORT: found "many", expected a TCP port/],
    ['65536', /HEADGATE_ADMIN_PORT: found "65536", expected a TCP port/],
  ] as const) {
    await assert.rejects(start({ HEADGATE_ADMIN_PORT: text, HEADGATE_ADMIN_TOKEN: TOKEN }), (error) => {
      assert.ok(error instanceof AdminSettingsError);
      assert.match(error.message, words);
      return true;
    });
  }
});
