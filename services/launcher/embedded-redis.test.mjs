import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { checkoutAt, readJson, thisCheckout } from './checkout.mjs';
import { startRedis } from './embedded-redis.mjs';
import { isAlive } from './lock.mjs';
import { freePort } from './port.mjs';
import { provideRedis } from './redis.mjs';
import { checkRedis, parseRedisUrl } from './redis-ping.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'headgate embedded '));
/** @type {import('./service.mjs').Service[]} */
const services = [];
after(async () => {
  await Promise.all(services.map((service) => service.stop(2000)));
  rmSync(folder, { recursive: true, force: true });
});

const program = process.env.HEADGATE_REDIS_SERVER
  ? { path: process.env.HEADGATE_REDIS_SERVER, libraryPath: process.env.HEADGATE_REDIS_LIBRARY_PATH ?? '' }
  : await provideRedis({ checkout: thisCheckout(), env: process.env, say: () => {} });

/** @param {string} name */
function setting(name) {
  const checkout = checkoutAt(path.join(folder, name));
  /** @type {import('./service.mjs').Service[]} */
  const died = [];
  return {
    checkout,
    program,
    died,
    env: process.env,
    verbose: false,
    adopt: (/** @type {import('./service.mjs').Service} */ service) => services.push(service),
    onUnexpectedExit: (/** @type {import('./service.mjs').Service} */ service) => died.push(service),
  };
}

/** @param {import('./checkout.mjs').Checkout} checkout */
const pidFile = (checkout) => path.join(checkout.redisData, 'redis.pid');

/** @param {() => boolean} condition */
async function until(condition) {
  for (const deadline = Date.now() + 10_000; !condition(); await delay(20)) {
    assert.ok(Date.now() < deadline, `not so within 10 s: ${condition}`);
  }
}

/** @param {string} url @param {string} command */
async function ask(url, command) {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(`${command}\r\n`);
  const [reply] = await once(socket, 'data');
  socket.destroy();
  return String(reply);
}

test('it starts in a path with spaces, keeps data over a restart, and stops when asked', async () => {
  const here = setting('a b');
  const url = await startRedis(here);
  assert.equal(await ask(url, 'SET kept yes'), '+OK\r\n');
  assert.match(await ask(url, 'CONFIG GET maxmemory-policy'), /noeviction/);
  const first = readJson(pidFile(here.checkout));
  assert.equal(isAlive(first), true);
  await services.at(-1)?.stop(5000);
  assert.equal(isAlive(first), false);
  assert.equal(existsSync(pidFile(here.checkout)), false);
  assert.deepEqual(here.died, []);

  const again = await startRedis(here);
  assert.equal(await ask(again, 'GET kept'), '$3\r\nyes\r\n');
});

test('one that dies by itself is reported', async () => {
  const here = setting('dies');
  await startRedis(here);
  process.kill(readJson(pidFile(here.checkout)).pid, 'SIGKILL');
  await until(() => here.died.length === 1);
  assert.equal(here.died[0]?.name, 'redis');
});

test('it ends with a launcher that is killed, and one that is left over all the same ends at the next start', async () => {
  const here = setting('orphan');
  mkdirSync(here.checkout.redisData, { recursive: true });
  const script = path.join(folder, 'launcher.mjs');
  const module = JSON.stringify(path.join(import.meta.dirname, 'embedded-redis.mjs'));
  writeFileSync(
    script,
    `import { startRedis } from ${module};
     const setting = JSON.parse(process.argv[2]);
     await startRedis({ ...setting, env: process.env, adopt: (service) => console.log(service.child.pid), onUnexpectedExit() {} });
     console.log('up');`,
  );
  const { checkout, verbose } = here;
  const launch = async () => {
    const launcher = spawn(process.execPath, [script, JSON.stringify({ checkout, program, verbose })]);
    let printed = '';
    launcher.stdout.on('data', (text) => {
      printed += text;
    });
    await until(() => printed.includes('up'));
    return { launcher, keeper: Number.parseInt(printed, 10), redis: readJson(pidFile(checkout)) };
  };

  const one = await launch();
  one.launcher.kill('SIGKILL');
  await until(() => !isAlive(one.redis));

  const two = await launch();
  process.kill(two.keeper, 'SIGKILL');
  two.launcher.kill('SIGKILL');
  assert.equal(isAlive(two.redis), true);
  await startRedis(here);
  assert.equal(isAlive(two.redis), false);
});

test('a server that cannot start is shown with the end of its log', async () => {
  const here = setting('broken');
  mkdirSync(path.join(here.checkout.redisData, 'appendonlydir'), { recursive: true });
  writeFileSync(path.join(here.checkout.redisData, 'appendonlydir', 'appendonly.aof.manifest'), 'nonsense\n');
  await assert.rejects(startRedis(here), /The embedded Redis ended with exit code 1:\n.*Invalid AOF manifest/s);
  assert.match(readFileSync(path.join(here.checkout.logs, 'redis.log'), 'utf8'), /Invalid AOF manifest/);
});

test('a given URL is tried, with its password, which no message shows', async () => {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--requirepass', 'p@ss word'];
  const env = { ...process.env, ...(program.libraryPath && { LD_LIBRARY_PATH: program.libraryPath }) };
  const server = spawn(program.path, args, { cwd: folder, env, stdio: 'ignore' });
  try {
    await checkRedis(`redis://:p%40ss%20word@127.0.0.1:${port}/2`, { timeoutMs: 10_000 });
    await assert.rejects(checkRedis(`redis://127.0.0.1:${port}`), /wants a password, and the URL has none/);
    await assert.rejects(checkRedis(`redis://:s3cret@127.0.0.1:${port}`), (/** @type {Error} */ error) => {
      assert.match(error.message, new RegExp(`Redis at 127.0.0.1:${port} refuses the user or the password`));
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  } finally {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  await assert.rejects(
    checkRedis(`redis://:s3cret@127.0.0.1:${port}`, { timeoutMs: 100 }),
    (/** @type {Error} */ error) => {
      assert.match(error.message, /cannot be reached \(ECONNREFUSED\).*REDIS_URL/);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    },
  );
});

test('what is not Redis is not taken for it', async () => {
  const server = http.createServer((_request, response) => response.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  await assert.rejects(
    checkRedis(`redis://127.0.0.1:${port}`, { timeoutMs: 500 }),
    /does not speak the Redis protocol/,
  );
  server.close();
});

test('a URL that cannot be one is refused without being shown', () => {
  assert.throws(() => parseRedisUrl('not a url with s3cret'), /^Failure: REDIS_URL is not a URL(?!.*s3cret)/);
  assert.throws(() => parseRedisUrl('http://h'), /begins with http:\/\/ where redis:\/\/ or rediss:\/\//);
  assert.deepEqual(parseRedisUrl('rediss://u:p@h'), { host: 'h', port: 6379, tls: true, username: 'u', password: 'p' });
  assert.equal(parseRedisUrl('redis://[::1]:7').host, '::1');
});
