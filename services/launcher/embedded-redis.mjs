import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readJson } from './checkout.mjs';
import { lastLines } from './command.mjs';
import { Failure } from './failure.mjs';
import { isAlive } from './lock.mjs';
import { freePort } from './port.mjs';
import { redisProblem } from './redis-ping.mjs';
import { Service } from './service.mjs';

const KEEPER = path.join(path.dirname(fileURLToPath(import.meta.url)), 'keeper.mjs');
/** Loading a large append-only file takes a while. */
const START_TIMEOUT_MS = 30_000;

/**
 * @param {number} port
 * @returns {string[]} the server's settings: loopback only, each write kept within a second, nothing ever evicted
 */
export function redisArguments(port) {
  return [
    ...['--port', String(port), '--bind', '127.0.0.1'],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
    ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
  ];
}

/**
 * Starts the checkout's own Redis on a free port and waits until it answers.
 *
 * @param {{ checkout: import('./checkout.mjs').Checkout, program: import('./redis.mjs').RedisProgram,
 *   env: NodeJS.ProcessEnv, verbose: boolean, adopt: (service: Service) => void,
 *   onUnexpectedExit: (service: Service) => void }} setting  `adopt` is told of the process as soon as there is one
 * @returns {Promise<string>} its URL
 */
export async function startRedis({ checkout, program, env, verbose, adopt, onUnexpectedExit }) {
  const pidFile = path.join(checkout.redisData, 'redis.pid');
  mkdirSync(checkout.redisData, { recursive: true });
  await endLeftOver(pidFile);

  let answered = false;
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const redis = new Service({
      name: 'redis',
      program: process.execPath,
      args: [KEEPER, pidFile, program.path, ...redisArguments(port)],
      cwd: checkout.redisData,
      env: { ...env, HEADGATE_REDIS_LIBRARY_PATH: program.libraryPath },
      logs: checkout.logs,
      verbose,
      echo: () => undefined, // its log has a format of its own, and begins with warnings about the machine
      onUnexpectedExit: (service) => {
        if (answered) onUnexpectedExit(service);
      },
    });
    adopt(redis);
    const url = `redis://127.0.0.1:${port}`;
    const over = new AbortController();
    const outcome = await Promise.race([
      redisProblem(url, START_TIMEOUT_MS, over.signal),
      redis.ended.then(() => redis.exitText),
    ]);
    over.abort();
    if (outcome === undefined) {
      answered = true;
      return url;
    }
    await redis.stop(1000);
    // Another program may have taken the port between our looking and its listening.
    const portTaken = redis.lastLines.some((line) => line.includes('Address already in use'));
    if (!portTaken || attempt === 3) {
      throw new Failure(`The embedded Redis ${outcome}:\n${lastLines(redis.lastLines.join('\n'), 15)}`);
    }
  }
}

/**
 * Ends the server that a killed launcher may have left in this data folder, for two servers must not write one file.
 *
 * @param {string} pidFile
 */
async function endLeftOver(pidFile) {
  const left = readJson(pidFile);
  for (const [signal, patienceMs] of /** @type {const} */ ([
    [undefined, 2000],
    ['SIGTERM', 10_000],
    ['SIGKILL', 2000],
  ])) {
    if (!isAlive(left)) return;
    if (signal !== undefined) process.kill(left.pid, signal);
    for (const deadline = Date.now() + patienceMs; isAlive(left) && Date.now() < deadline; ) await delay(50);
  }
}
