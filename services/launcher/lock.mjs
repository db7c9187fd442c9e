import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readJson } from './checkout.mjs';

/**
 * A process that cannot be mistaken for a later one with the same number.
 *
 * @typedef {{ pid: number, started: string }} ProcessId
 */

/**
 * @param {number} pid
 * @returns {ProcessId | undefined} undefined where no such process runs
 */
export function identify(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPERM') return undefined;
  }
  if (process.platform !== 'linux') return { pid, started: 'unknown' };
  try {
    // proc(5): after the program's name in brackets, the 20th field is the start time in ticks since boot.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return { pid, started: fields[19] ?? 'unknown' };
  } catch {
    return undefined;
  }
}

/**
 * @param {ProcessId | undefined} owner
 * @returns {boolean}
 */
export function isAlive(owner) {
  if (owner === undefined || !Number.isInteger(owner.pid) || owner.pid <= 0) return false;
  return identify(owner.pid)?.started === owner.started;
}

/**
 * Takes a lock file, or says who holds it. A lock whose holder is gone is taken over.
 *
 * @param {string} file
 * @returns {{ release: () => void } | { holder: ProcessId }}
 */
export function tryLock(file) {
  mkdirSync(path.dirname(file), { recursive: true });
  const mine = `${file}.${randomUUID()}`;
  const text = JSON.stringify(identify(process.pid));
  writeFileSync(mine, text);
  try {
    for (;;) {
      try {
        linkSync(mine, file); // unlike open, this makes the name and its content appear together
        return { release: () => releaseLock(file, text) };
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
      }
      const holder = readJson(file);
      if (isAlive(holder)) return { holder };
      putAside(file, holder);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * @param {string} file
 * @param {() => void} onWait  called once, when somebody else holds the lock
 * @returns {Promise<() => void>} resolves to the function that releases it
 */
export async function lock(file, onWait) {
  for (let told = false; ; told = true) {
    const attempt = tryLock(file);
    if ('release' in attempt) return attempt.release;
    if (!told) onWait();
    await delay(200);
  }
}

/**
 * @param {string} file
 * @param {string} text
 */
function releaseLock(file, text) {
  try {
    if (readFileSync(file, 'utf8') === text) rmSync(file);
  } catch {
    // already gone
  }
}

/**
 * Removes a dead holder's lock. Two waiters may see the same dead holder, and the slower one must not remove what the
 * faster one has put there since: so it is moved first, looked at, and put back if it is not the dead one's.
 *
 * @param {string} file
 * @param {unknown} dead
 */
function putAside(file, dead) {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
    if (JSON.stringify(readJson(aside)) !== JSON.stringify(dead)) linkSync(aside, file);
  } catch {
    // somebody else was faster
  } finally {
    rmSync(aside, { force: true });
  }
}
