import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { Failure } from './failure.mjs';

/** What a server that is just starting or stopping may answer with. */
const AGAIN = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/**
 * Makes sure that the Redis server somebody named is there and lets us in.
 *
 * @param {string} url  redis:// or rediss://, with user and password where the server wants them
 * @param {{ timeoutMs?: number }} [options]
 * @throws {Failure} naming host and port
 */
export async function checkRedis(url, { timeoutMs = 3000 } = {}) {
  const problem = await redisProblem(url, timeoutMs);
  if (problem === undefined) return;
  const { host, port } = parseRedisUrl(url);
  throw new Failure(
    `Redis at ${host}:${port} ${problem}. Start it or correct REDIS_URL (or redis.url in headgate.yaml); ` +
      'without either, npm start brings its own.',
  );
}

/**
 * Asks over a plain socket, for no client library can be counted on before set-up is done, and again while the server
 * may still be starting.
 *
 * @param {string} url
 * @param {number} timeoutMs
 * @param {AbortSignal} [signal]  gives up early
 * @returns {Promise<string | undefined>} what is wrong, without the URL's password; undefined when it answered PONG
 */
export async function redisProblem(url, timeoutMs, signal) {
  const target = parseRedisUrl(url);
  for (const deadline = Date.now() + timeoutMs; ; await delay(50)) {
    const problem = await ping(target, Math.max(deadline - Date.now(), 100));
    if (problem === undefined) return undefined;
    if (!problem.again || signal?.aborted || Date.now() + 50 >= deadline) return problem.text;
  }
}

/**
 * @typedef {{ host: string, port: number, tls: boolean, username: string, password: string }} RedisTarget
 */

/**
 * @param {string} url
 * @returns {RedisTarget}
 */
export function parseRedisUrl(url) {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    throw new Failure('REDIS_URL is not a URL. Expected: redis://[user:password@]host[:port][/database]');
  }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') {
    throw new Failure(`REDIS_URL begins with ${parsed.protocol}// where redis:// or rediss:// is expected.`);
  }
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1',
    port: Number(parsed.port || 6379),
    tls: parsed.protocol === 'rediss:',
    username: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
  };
}

/**
 * @param {RedisTarget} target
 * @param {number} timeoutMs
 * @returns {Promise<{ text: string, again: boolean } | undefined>} undefined when it answered PONG
 */
function ping(target, timeoutMs) {
  return new Promise((resolve) => {
    const { host, port } = target;
    const socket = target.tls
      ? tls.connect({ host, port, servername: net.isIP(host) ? '' : host })
      : net.connect({ host, port });
    /** @param {{ text: string, again: boolean } | undefined} result */
    const finish = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeoutMs, () => finish({ text: 'does not answer', again: true }));
    socket.on('error', (error) => {
      const code = /** @type {NodeJS.ErrnoException} */ (error).code;
      finish({ text: `cannot be reached (${code ?? error.message})`, again: code !== undefined && AGAIN.has(code) });
    });
    socket.on('close', () => finish({ text: 'closed the connection', again: true }));

    const login =
      target.password === '' ? [] : [command('AUTH', ...[target.username, target.password].filter(Boolean))];
    socket.write([...login, command('PING')].join(''));
    let replies = '';
    socket.setEncoding('utf8').on('data', (text) => {
      replies += text;
      const lines = replies.split('\r\n').slice(0, -1);
      const refusal = lines.find((line) => line.startsWith('-'));
      if (refusal !== undefined) finish(explain(refusal));
      else if (lines.length > login.length) {
        finish(lines.at(-1) === '+PONG' ? undefined : { text: 'does not speak the Redis protocol', again: false });
      }
    });
  });
}

/**
 * @param {string} refusal  an error reply, e.g. `-NOAUTH Authentication required.`
 * @returns {{ text: string, again: boolean }}
 */
function explain(refusal) {
  if (refusal.startsWith('-LOADING')) return { text: 'is still loading its data', again: true };
  if (refusal.startsWith('-NOAUTH')) return { text: 'wants a password, and the URL has none', again: false };
  if (/^-(WRONGPASS|ERR .*(AUTH|password))/.test(refusal)) {
    return { text: 'refuses the user or the password of the URL', again: false };
  }
  return { text: `refuses the connection (${refusal.slice(1).split(' ', 1)[0]})`, again: false };
}

/**
 * @param {...string} words
 * @returns {string} the command as a RESP array of bulk strings
 */
function command(...words) {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
