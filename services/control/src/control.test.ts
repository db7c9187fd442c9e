import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { createRequestClient, type RedisClient, redisKeys } from '@headgate/core/redis';
import { type Serving, SnapshotFeed } from '@headgate/core/snapshot';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { ControlProcess } from './control-process.testing.ts';

const SECRET = 'the secret of this deployment';
const PREFIX = 't';

let server: RedisServer;
let client: RedisClient;
let directory: string;
let control: ControlProcess;
let feed: SnapshotFeed;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
});
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headgate-control-'));
  await client.flushall();
  const quiet = () => {};
  feed = new SnapshotFeed({
    redisUrl: server.url,
    prefix: PREFIX,
    secret: SECRET,
    log: { info: quiet, warn: quiet, error: quiet },
  });
});
afterEach(async () => {
  control.child.kill('SIGKILL');
  await control.exit();
  await feed.stop();
  rmSync(directory, { recursive: true });
});
after(async () => {
  client.disconnect();
  await server.stop();
});

function start(env: Record<string, string>, stdio: 'plain' | 'ipc' = 'plain'): ControlProcess {
  const own = { REDIS_URL: server.url, HEADGATE_REDIS_PREFIX: PREFIX, HEADGATE_SECRET: SECRET };
  return new ControlProcess(directory, { ...own, ...env }, stdio);
}

const yaml = (key: string, more = '') => `auth: { keys: [{ name: app, key: ${key} }] }
providers: { mistral: { apiKey: provider-key } }
${more}`;

const file = () => join(directory, 'headgate.yaml');
const knows = (serving: Serving | null, key: string) => serving?.keys.find(key, Date.now()).ok ?? false;

/** Resolves when the feed, as an ingress has it, serves what is wanted. */
function served(wanted: (serving: Serving) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = feed.onChange((serving) => {
      if (!wanted(serving)) return;
      stop();
      resolve();
    });
  });
}

/** Milliseconds until the feed knows a key. */
async function known(key: string): Promise<number> {
  const asked = performance.now();
  await served((serving) => knows(serving, key));
  return performance.now() - asked;
}

async function startWith(content: string): Promise<void> {
  writeFileSync(file(), content);
  const loaded = known('key-1');
  control = start({});
  await feed.start();
  if (!knows(feed.current(), 'key-1')) await loaded;
  await control.line('snapshot published');
}

describe('publishing', () => {
  test('an edit is served within a second, a broken one is refused with its place, and a later one is taken', async () => {
    await startWith(yaml('key-1'));

    const second = known('key-2');
    writeFileSync(file(), yaml('key-2'));
    assert.ok((await second) < 1000);
    assert.equal(knows(feed.current(), 'key-1'), false);

    const version = feed.current()?.table.version;
    writeFileSync(file(), yaml('key-LEAK', 'server: { port: never }'));
    const refused = await control.line('configuration refused, the last good one keeps serving');
    assert.equal(refused.level, 'error');
    assert.deepEqual(refused.reasons, [
      `${file()}:3:17 server.port: found "never", expected a TCP port from 0 to 65535`,
    ]);
    assert.ok(knows(feed.current(), 'key-2'));
    assert.equal(feed.current()?.table.version, version);

    const third = known('key-3');
    writeFileSync(file(), yaml('key-3'));
    await third;
    assert.doesNotMatch(JSON.stringify(control.lines) + control.stderr, /key-1|key-2|key-3|LEAK|provider-key/);
  });

  test('a file that an editor renames over the old one', async () => {
    await startWith(yaml('key-1'));
    const next = known('key-2');
    writeFileSync(join(directory, '.headgate.yaml.swp'), yaml('key-2'));
    renameSync(join(directory, '.headgate.yaml.swp'), file());
    assert.ok((await next) < 1500);
  });

  test('a ConfigMap whose link Kubernetes swaps', async () => {
    const revision = (name: string, content: string) => {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, 'headgate.yaml'), content);
      symlinkSync(name, join(directory, '..data_tmp'));
      renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    };
    revision('..rev1', yaml('key-1'));
    symlinkSync(join('..data', 'headgate.yaml'), file());
    const loaded = known('key-1');
    control = start({});
    await feed.start();
    if (!knows(feed.current(), 'key-1')) await loaded;

    const next = known('key-2');
    revision('..rev2', yaml('key-2'));
    assert.ok((await next) < 1500);
  });

  test('a file that goes is refused, one that comes back is taken', async () => {
    await startWith(yaml('key-1'));
    unlinkSync(file());
    const refused = await control.line('configuration refused, the last good one keeps serving');
    assert.deepEqual(refused.reasons, [`${file()}: the file is gone`]);
    assert.ok(knows(feed.current(), 'key-1'));
    const next = known('key-2');
    writeFileSync(file(), yaml('key-2'));
    await next;
  });

  test('a Redis that lost everything gets it again, under the same version', async () => {
    await startWith(yaml('key-1'));
    const { state } = redisKeys(PREFIX);
    const before = await client.hmget(state, 'snapshotVersion', 'snapshotDigest');
    const from = control.lines.length;
    await server.restart();
    await control.line('snapshot published', from);
    if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve));
    assert.deepEqual(await client.hmget(state, 'snapshotVersion', 'snapshotDigest'), before);
    assert.ok(knows(feed.current(), 'key-1'));

    const again = control.lines.length;
    await client.flushall();
    await control.line('snapshot published', again);
    assert.deepEqual(await client.hmget(state, 'snapshotVersion', 'snapshotDigest'), before);
  });

  test('waits for a Redis that is not there yet', async () => {
    writeFileSync(file(), yaml('key-1'));
    const late = await startRedisServer();
    await late.halt();
    control = start({ REDIS_URL: late.url });
    await control.line('Redis is away');
    await late.startAgain();
    assert.equal((await control.line('snapshot published')).version, 1);
    assert.equal(control.lines.filter(({ msg }) => msg === 'Redis is away').length, 1);
    await late.stop();
  });

  test('without a file: HEADGATE_API_KEY and the simulator, and a file that appears is taken', async () => {
    const loaded = known('key-1');
    control = start({ HEADGATE_API_KEY: 'key-1', HEADGATE_SIMULATOR_URL: 'http://127.0.0.1:9' });
    await feed.start();
    if (!knows(feed.current(), 'key-1')) await loaded;
    assert.equal(feed.current()?.table.simulated, true);
    const next = served(({ table }) => !table.simulated);
    writeFileSync(file(), yaml('key-2'));
    await next;
    assert.ok(knows(feed.current(), 'key-2'));
    assert.ok(knows(feed.current(), 'key-1'), 'the key of the environment stays');
  });
});

describe('the process', () => {
  test('a configuration that is wrong from the start: told on standard error, exit 78', async () => {
    writeFileSync(file(), 'server: { prot: 1 }\n');
    control = start({});
    assert.equal(await control.exit(), 78);
    assert.equal(
      control.stderr,
      `${file()} cannot be used (1 problem):\n  ${file()}:1:11 server.prot: unknown key; did you mean "port"?\n`,
    );
  });

  test('no secret: exit 78 with the way out', async () => {
    control = start({ HEADGATE_SECRET: '' });
    assert.equal(await control.exit(), 78);
    assert.match(control.stderr, /^HEADGATE_SECRET is not set; expected .*openssl rand -hex 32\n$/);
  });

  test('SIGTERM ends it with 0, also while Redis is frozen', async () => {
    await startWith(yaml('key-1'));
    server.pause();
    try {
      control.child.kill('SIGTERM');
      assert.equal(await control.exit(), 0);
    } finally {
      server.resume();
    }
  });

  test('ends when the process that started it is gone', async () => {
    writeFileSync(file(), yaml('key-1'));
    control = start({}, 'ipc');
    await control.line('snapshot published');
    control.child.disconnect();
    assert.equal(await control.exit(), 0);
    assert.equal((await control.line('control stops')).reason, 'the launcher is gone');
  });

  test('health: live at once, ready when Redis has taken the configuration', async () => {
    writeFileSync(file(), yaml('key-1'));
    const late = await startRedisServer();
    await late.halt();
    control = start({ REDIS_URL: late.url, HEADGATE_HOST: '127.0.0.1', HEADGATE_CONTROL_PORT: '0' });
    const { port } = await control.line('health server listens');
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    assert.equal((await get('/health/live')).status, 200);
    assert.deepEqual(await get('/health/ready'), {
      status: 503,
      body: { status: 'waiting for Redis', version: null, digest: null, settled: false },
    });
    await late.startAgain();
    await control.line('snapshot published');
    const { status, body } = await get('/health/ready');
    assert.equal(status, 200);
    assert.deepEqual([body.status, body.version, body.settled], ['ready', 1, true]);
    assert.equal((await get('/nope')).status, 404);
    await late.stop();
  });

  test('warns of settings that need a restart, and of a gateway without keys', async () => {
    writeFileSync(file(), 'providers: { mistral: { apiKey: k } }');
    control = start({});
    await control.line('no API key is configured: every request will be refused; set HEADGATE_API_KEY or auth.keys');
    await control.line('snapshot published');
    writeFileSync(file(), 'providers: { mistral: { apiKey: k } }\nserver: { port: 1 }');
    const warning = await control.line('these settings take effect at the next start');
    assert.deepEqual(warning.settings, ['server.port']);
  });
});
