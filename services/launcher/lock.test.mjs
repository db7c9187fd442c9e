import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { identify, isAlive, lock, tryLock } from './lock.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'headgate lock '));
after(() => rmSync(folder, { recursive: true }));

test('one holds it, the next is told who, and after the release it is free', () => {
  const file = path.join(folder, 'a.lock');
  const first = tryLock(file);
  assert.ok('release' in first);
  assert.deepEqual(tryLock(file), { holder: identify(process.pid) });
  first.release();
  assert.equal(existsSync(file), false);
  const second = tryLock(file);
  assert.ok('release' in second);
  second.release();
  assert.deepEqual(readdirSync(folder), []);
});

test('the lock of a process that is gone is taken over, and so is an unreadable one', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const id = identify(child.pid ?? 0);
  const file = path.join(folder, 'b.lock');
  writeFileSync(file, JSON.stringify(id));
  assert.deepEqual(tryLock(file), { holder: id });

  child.kill('SIGKILL');
  await once(child, 'exit');
  const taken = tryLock(file);
  assert.ok('release' in taken);
  taken.release();

  writeFileSync(file, '');
  const again = tryLock(file);
  assert.ok('release' in again);
  again.release();
});

test('a later process with the same number is not the one that was meant', {
  skip: process.platform !== 'linux',
}, () => {
  const self = identify(process.pid);
  assert.equal(isAlive(self), true);
  assert.equal(isAlive({ pid: process.pid, started: '1' }), false);
  assert.equal(isAlive(undefined), false);
});

test('who waits gets it after the release, and is told of the wait once', async () => {
  const file = path.join(folder, 'c.lock');
  const release = await lock(file, () => assert.fail('nobody holds it'));
  let waits = 0;
  /** @type {string[]} */
  const order = [];
  const next = lock(file, () => {
    waits += 1;
    order.push('released');
    release();
  }).then((releaseNext) => {
    order.push('taken');
    releaseNext();
  });
  await next;
  assert.deepEqual([waits, ...order], [1, 'released', 'taken']);
});
