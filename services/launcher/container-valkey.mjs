import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './failure.mjs';
import { freePort } from './port.mjs';
import { redisProblem } from './redis-ping.mjs';

const FOLDER = '/opt/valkey';
/** Loading a large append-only file takes a while. */
const START_TIMEOUT_MS = 30_000;

/**
 * Starts the image's Valkey for this container alone and waits until it answers.
 *
 * @param {import('./container-processes.mjs').ContainerProcesses} processes
 * @param {string | null} state  the folder under which its data is kept; null: in memory only
 * @returns {Promise<string>} its URL
 */
export async function startValkey(processes, state) {
  const port = await freePort();
  const password = randomBytes(24).toString('base64url');
  const data = state === null ? '/' : path.join(state, 'valkey');
  if (state !== null) mkdirSync(data, { recursive: true });
  const { ended } = processes.start('valkey', path.join(FOLDER, 'valkey-server'), ['-'], {
    // Beside the runtime's own libraries, which stay node's.
    env: { LD_LIBRARY_PATH: path.join(FOLDER, 'lib') },
    cwd: data,
    // On its standard input, not among its arguments: with the host's network the loopback interface is not ours alone.
    input: valkeySettings({ port, password, keeps: state !== null }),
  });
  const url = `redis://:${password}@127.0.0.1:${port}`;
  const problem = await Promise.race([redisProblem(url, START_TIMEOUT_MS), ended.then(() => 'has ended')]);
  if (problem !== undefined) throw new Failure(`The Valkey of this container ${problem}; its output above says why.`);
  return url;
}

/**
 * @param {{ port: number, password: string, keeps: boolean }} setting
 * @returns {string} valkey.conf: loopback only, nothing ever evicted, each write kept within a second where it is kept
 */
export function valkeySettings({ port, password, keeps }) {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    `requirepass ${password}`,
    `appendonly ${keeps ? 'yes' : 'no'}`,
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
    'loglevel warning',
    '',
  ].join('\n');
}
