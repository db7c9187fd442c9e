import { existsSync } from 'node:fs';
import { findOnPath } from './command.mjs';
import { canUnpack, unpackedProgram, unpackRedis } from './debian-redis.mjs';
import { Failure } from './failure.mjs';

/** @typedef {import('./checkout.mjs').Checkout} Checkout */
/**
 * A server program that speaks Redis.
 *
 * @typedef {object} RedisProgram
 * @property {string} path         absolute
 * @property {string} libraryPath  what LD_LIBRARY_PATH must be for it, empty where the system has its libraries
 */

const NAMES = ['redis-server', 'valkey-server'];

/**
 * The server to run: one on the PATH, one fetched earlier, or Debian's own package fetched now.
 *
 * @param {{ checkout: Checkout, env: NodeJS.ProcessEnv, say: (line: string) => void }} setting
 * @returns {Promise<RedisProgram>}
 */
export async function provideRedis({ checkout, env, say }) {
  const route = chooseRedis(checkout, env);
  if (route.use === 'program') return route.program;
  if (route.use === 'none') throw new Failure(route.why);
  say('no redis-server on the PATH; getting the Debian package into .headgate/redis');
  try {
    return await unpackRedis(checkout, env);
  } catch (error) {
    if (error instanceof Failure) throw new Failure(`${error.message}\n${howToGetRedis()}`);
    throw error;
  }
}

/**
 * @param {Checkout} checkout
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ use: 'program', program: RedisProgram } | { use: 'unpack' } | { use: 'none', why: string }}
 */
export function chooseRedis(checkout, env) {
  for (const name of NAMES) {
    const found = findOnPath(name, env.PATH);
    if (found !== undefined) return { use: 'program', program: { path: found, libraryPath: '' } };
  }
  const unpacked = unpackedProgram(checkout);
  if (existsSync(unpacked.path)) return { use: 'program', program: unpacked };
  if (canUnpack(env)) return { use: 'unpack' };
  return { use: 'none', why: howToGetRedis() };
}

/** @returns {string} */
function howToGetRedis() {
  const install =
    process.platform === 'darwin'
      ? 'brew install redis'
      : 'apt-get install redis-server, dnf install valkey or apk add redis, whichever is your system’s';
  return `Headgate needs a Redis server. Install one (${install}), or point REDIS_URL at a running one, e.g. REDIS_URL=redis://127.0.0.1:6379 npm start`;
}
