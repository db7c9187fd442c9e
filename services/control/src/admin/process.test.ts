import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { UsageWriter } from '@headgate/core/ledger';
import { createRequestClient, type RedisClient, redisKeys } from '@headgate/core/redis';
import { usageEntry } from '@headgate/core/testing/ledger';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { ulid } from 'ulid';
import { ControlProcess } from '../control-process.testing.ts';

// A whole control process: the admin API as the environment says, and the ledger's roll-up beside it.

const TOKEN = 'admin-token-0123456789';

let server: RedisServer;
let client: RedisClient;
let directory: string;
let control: ControlProcess;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
});
beforeEach(async () => {
  await client.flushall();
  directory = mkdtempSync(join(tmpdir(), 'headgate-control-'));
  configure('ledger: { generationHours: 1 }');
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

const configure = (more: string) =>
  writeFileSync(
    join(directory, 'headgate.yaml'),
    `auth: { keys: [{ name: app, key: key-0123456789 }] }\nproviders: { mistral: { apiKey: k } }\n${more}\n`,
  );

function start(env: Record<string, string>): ControlProcess {
  control = new ControlProcess(directory, { REDIS_URL: server.url, HEADGATE_SECRET: 's'.repeat(32), ...env });
  return control;
}

async function post(rpc: string, body: object) {
  const { port } = await control.line('admin API listens');
  const response = await fetch(`http://127.0.0.1:${port}/headgate.v1.${rpc}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

test('it listens on loopback alone, and ends with the process', async () => {
  start({ HEADGATE_ADMIN_PORT: '0', HEADGATE_ADMIN_TOKEN: TOKEN });
  const line = await control.line('admin API listens');
  assert.equal(line.host, '127.0.0.1');
  await control.line('snapshot published');
  const { json } = await post('KeyService/ListKeys', {});
  assert.deepEqual(
    (json.keys as { name: string }[]).map(({ name }) => name),
    ['app'],
  );
  const asked = performance.now();
  control.child.kill('SIGTERM');
  assert.equal(await control.exit(), 0);
  assert.ok(performance.now() - asked < 4_000, 'an idle connection holds nothing up');
  assert.ok(!JSON.stringify(control.lines).includes(TOKEN));
});

test('a port that cannot be had ends it with 78 and the way out', async () => {
  start({ HEADGATE_ADMIN_PORT: 'many', HEADGATE_ADMIN_TOKEN: TOKEN });
  assert.equal(await control.exit(), 78);
  assert.ok(control.lines.some(({ msg }) => /HEADGATE_ADMIN_PORT: found "many", expected a TCP port/.test(msg)));
});

test('while Redis is frozen it says so in time, and afterwards it works', async () => {
  start({ HEADGATE_ADMIN_PORT: '0', HEADGATE_ADMIN_TOKEN: TOKEN });
  await control.line('snapshot published');
  server.pause();
  try {
    const asked = performance.now();
    const { status, json } = await post('KeyService/CreateKey', { name: 'x' });
    assert.deepEqual([status, json.code], [503, 'unavailable']);
    assert.match(String(json.message), /may have been done: look before you try again/);
    assert.ok(performance.now() - asked < 4_000);
  } finally {
    server.resume();
  }
  assert.equal((await post('KeyService/ListKeys', {})).status, 200);
});

test('what ingresses write reaches the reports in about a second, is kept as the file says, and at the end is not lost', async () => {
  start({ HEADGATE_ADMIN_PORT: '0', HEADGATE_ADMIN_TOKEN: TOKEN });
  await control.line('snapshot published');
  const quiet = { info: () => {}, warn: () => {} };
  const writer = new UsageWriter(client, redisKeys('hg'), quiet);
  const write = async () => {
    const now = Date.now();
    const generationId = `gen_${ulid(now)}`;
    writer.write(usageEntry({ generationId, createdAtMs: now, inputTokens: 7, costUsd: '0.5' }));
    await writer.stop();
    return generationId;
  };
  const written = performance.now();
  const first = await write();
  for (;;) {
    const { status, json } = await post('UsageService/GetGeneration', { id: first });
    if (status === 200) {
      assert.equal((json.record as { inputTokens: string }).inputTokens, '7');
      break;
    }
    assert.equal(status, 404);
  }
  assert.ok(performance.now() - written < 5_000);
  const ttls = await Promise.all((await client.keys('hg:{ledger}:generations:*')).map((key) => client.ttl(key)));
  for (const ttl of ttls) assert.ok(ttl > 3_500 && ttl <= 3_600, `${ttl}`);

  await write();
  control.child.kill('SIGTERM');
  assert.equal(await control.exit(), 0);
  assert.equal(await client.xlen(redisKeys('hg').ledger.stream), 0, 'the last ones were taken before the end');
});
