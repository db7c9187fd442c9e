import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readJson } from './checkout.mjs';
import { run } from './command.mjs';
import { freePort } from './port.mjs';
import { testEnvironment } from './test-environment.mjs';

// The real `npm start` of this checkout, with data of its own, beside whatever else runs from here.
const folder = mkdtempSync(path.join(os.tmpdir(), 'headgate start '));
/** @type {import('node:child_process').ChildProcess[]} */
const started = [];
after(() => {
  for (const child of started) child.kill('SIGKILL'); // its services end with it
  rmSync(folder, { recursive: true, force: true });
});

const state = path.join(folder, 'state');
const config = path.join(folder, 'headgate.yaml');
writeFileSync(config, 'server: { host: 127.0.0.1, processes: 2 }\n');
const skip = process.platform !== 'linux' && 'looks for processes in /proc';
// Only to leave the personal settings out: start.mjs looks for a redis-server itself.
const personalLeftOut = testEnvironment(process.env, { path: '', libraryPath: '' });

/** @param {NodeJS.ProcessEnv} env */
function start(env) {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'start.mjs')], {
    cwd: folder,
    env: { ...personalLeftOut, HEADGATE_CONFIG: config, HEADGATE_STATE_DIR: state, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  const running = { child, printed: '', exited: once(child, 'exit') };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      running.printed += text;
    });
  }
  return running;
}

/** @param {ReturnType<typeof start>} running @param {string} text */
async function untilPrinted(running, text) {
  for (const deadline = Date.now() + 45_000; !running.printed.includes(text); await delay(20)) {
    assert.ok(running.child.exitCode === null && Date.now() < deadline, running.printed);
  }
}

/** @returns {string[]} the command lines of all processes that were started with this test's state folder */
function left() {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(state)) return [];
      return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
    } catch {
      return []; // gone meanwhile
    }
  });
}

async function untilNoneIsLeft() {
  for (const deadline = Date.now() + 15_000; left().length > 0; await delay(50)) {
    assert.ok(Date.now() < deadline, left().join('\n'));
  }
}

test('npm start brings up a gateway that answers, and Ctrl-C ends all of it', { skip }, async () => {
  const port = await freePort();
  const running = start({ HEADGATE_PORT: String(port) });
  await untilPrinted(running, 'Ctrl-C stops it');
  await untilPrinted(running, 'choices[0].message.content);');

  const line = running.printed.split('\n').find((text) => text.includes('  curl ')) ?? '';
  const [, key = ''] = /Bearer (hg_[\w-]+)/.exec(line) ?? [];
  const [, body = ''] = /-d '(.*)'$/.exec(line) ?? [];
  const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body,
  });
  const answer = /** @type {any} */ (await response.json());
  assert.equal(response.status, 200, JSON.stringify(answer));
  assert.match(answer.choices[0].message.content, /\w+/);
  assert.match(running.printed, /answers {3}the simulator/);

  const command = path.join(import.meta.dirname, '../control/bin/headgate.mjs');
  const settings = { env: { PATH: process.env.PATH, HEADGATE_STATE_DIR: state } };
  const keys = await run(process.execPath, [command, 'keys', 'list'], settings);
  assert.match(keys.output, /^cfg_\w+ +default /m, 'the command finds the gateway by itself');
  assert.equal(statSync(path.join(state, 'admin.json')).mode & 0o777, 0o600);

  const second = start({ HEADGATE_PORT: String(port), HEADGATE_STATE_DIR: path.join(folder, 'state of another') });
  assert.deepEqual(await second.exited, [1, null]);
  assert.match(second.printed, new RegExp(`Port ${port} is taken.*HEADGATE_PORT=`));

  const third = start({ HEADGATE_PORT: String(await freePort()) });
  assert.deepEqual(await third.exited, [1, null]);
  assert.match(third.printed, new RegExp(`runs from this checkout already \\(process ${running.child.pid}\\)`));

  running.child.kill('SIGINT');
  running.child.kill('SIGINT'); // npm passes the terminal's Ctrl-C on, so one arrives twice
  assert.deepEqual(await running.exited, [0, null], running.printed);
  await untilNoneIsLeft();
  assert.ok(!existsSync(path.join(state, 'admin.json')));
  assert.deepEqual(readdirSync(path.join(state, 'logs')).sort(), [
    'control.log',
    'embedder.log',
    'ingress.log',
    'redis.log',
    'simulator.log',
  ]);
});

test('nothing outlives a launcher that is killed, and a service that dies ends the rest', { skip }, async () => {
  const env = { HEADGATE_PORT: String(await freePort()) };
  const killed = start(env);
  await untilPrinted(killed, 'base URL');
  killed.child.kill('SIGKILL');
  await untilNoneIsLeft();

  const running = start(env);
  await untilPrinted(running, 'base URL');
  process.kill(readJson(path.join(state, 'data', 'redis', 'redis.pid')).pid, 'SIGKILL');
  assert.deepEqual(await running.exited, [1, null]);
  assert.match(running.printed, /redis ended with exit code 1\. The end of .*redis\.log:\n/);
  await untilNoneIsLeft();
});

test('a configuration that cannot be used is shown, and nothing is started', { skip }, async () => {
  const file = path.join(folder, 'bad.yaml');
  writeFileSync(file, 'server: { port: many }\n');
  const running = start({ HEADGATE_CONFIG: file, HEADGATE_PORT: undefined });
  assert.deepEqual(await running.exited, [78, null]);
  assert.match(running.printed, /bad\.yaml.*server\.port/s);
});
