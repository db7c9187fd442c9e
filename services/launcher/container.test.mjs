import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './command.mjs';
import { ContainerProcesses } from './container-processes.mjs';
import { valkeySettings } from './container-valkey.mjs';

const CONTAINER = path.join(path.dirname(fileURLToPath(import.meta.url)), 'container.mjs');

test('a role that is none is told, with those that are', async () => {
  for (const role of ['ingres', '', '__proto__', 'toString']) {
    const outcome = await run(process.execPath, [CONTAINER, role]);
    assert.equal(outcome.code, 64);
    assert.match(outcome.output, /no role ".*all, ingress, embedder, control, simulator, headgate/);
  }
});

test('called by the name of the command line it is the command line', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'headgate-'));
  try {
    const link = path.join(folder, 'headgate');
    symlinkSync(CONTAINER, link);
    const outcome = await run(process.execPath, [link, '--help']);
    assert.equal(outcome.code, 0, outcome.output);
    assert.match(outcome.stdout, /keys create/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what ends by itself ends all, with its name and how', async () => {
  const processes = new ContainerProcesses({});
  processes.startNode('steady', ['-e', 'setInterval(() => {}, 1000)'], {});
  processes.startNode('control', ['-e', 'process.exit(3)'], {});
  assert.deepEqual(await processes.ending, { why: 'control ended with exit code 3' });
  await processes.stop(['control', 'steady'], 0);
});

test('a program that is not there is told, too', async () => {
  const processes = new ContainerProcesses({});
  processes.start('valkey', '/nowhere/valkey-server', ['-'], { env: {}, input: 'port 1' });
  assert.match((await processes.ending).why, /^valkey could not be started: .*ENOENT/);
  await processes.stop(['valkey'], 0);
});

test('they end one after the other, and by force what does not listen', async () => {
  const processes = new ContainerProcesses({});
  const said = "process.stdout.write('up\\n'); setInterval(() => {}, 1000);";
  const obedient = `process.on('SIGTERM', () => process.exit(0)); ${said}`;
  const deaf = `process.on('SIGTERM', () => {}); ${said}`;
  const started = [
    processes.startNode('ingress', ['-e', deaf], {}, 'first line'),
    processes.startNode('control', ['-e', obedient], {}, 'first line'),
  ];
  assert.deepEqual(await Promise.all(started.map(({ firstLine }) => firstLine)), ['up', 'up']);
  /** @type {string[]} */
  const ended = [];
  for (const { name, child } of started) {
    child.once('exit', (code, signal) => ended.push(`${name} ${signal ?? code}`));
  }
  await processes.stop(['ingress', 'control'], -1_900);
  assert.deepEqual(ended, ['ingress SIGKILL', 'control 0']);
});

test('what is started while all of it ends, ends', async () => {
  const processes = new ContainerProcesses({});
  await processes.stop([], 0);
  const late = processes.startNode('late', ['-e', 'setInterval(() => {}, 1000)'], {});
  await late.ended;
  assert.equal(late.child.signalCode, 'SIGKILL');
});

test('the settings of Valkey keep data only where there is a place for it, and let nobody in without the password', () => {
  const kept = valkeySettings({ port: 7000, password: 'secret', keeps: true });
  assert.match(kept, /^port 7000$/m);
  assert.match(kept, /^bind 127\.0\.0\.1$/m);
  assert.match(kept, /^requirepass secret$/m);
  assert.match(kept, /^appendonly yes$/m);
  assert.match(valkeySettings({ port: 7000, password: 'secret', keeps: false }), /^appendonly no$/m);
});
