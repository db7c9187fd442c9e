import type { Environment } from '@headgate/core/config';
import type { Logger } from '@headgate/core/telemetry';
import { type AdminServerOptions, startAdminServer } from './admin-server.ts';
import type { Listener } from './listener.ts';

const USUAL_PORT = 8081;
const USUAL_HOST = '127.0.0.1';
const SHORTEST_TOKEN = 16;

/** Something in the environment that has to be changed before the admin API can start. */
export class AdminSettingsError extends Error {
  override readonly name = 'AdminSettingsError';
}

/**
 * Starts the admin API as the environment says: HEADGATE_ADMIN_TOKEN turns it on; HEADGATE_ADMIN_HOST is 127.0.0.1 and
 * HEADGATE_ADMIN_PORT 8081 unless they say otherwise. Null when it is off, which the log explains. Throws an
 * AdminSettingsError on a port that was asked for and cannot be had.
 */
export async function startAdminApi(
  env: Environment,
  options: Omit<AdminServerOptions, 'host' | 'port' | 'token'>,
): Promise<Listener | null> {
  const { log } = options;
  const token = usableToken(env, log);
  if (token === null) return null;
  const host = env.HEADGATE_ADMIN_HOST || USUAL_HOST;
  const asked = env.HEADGATE_ADMIN_PORT ?? '';
  const port = asked === '' ? USUAL_PORT : Number(asked);
  if (asked !== '' && !(/^\d{1,5}$/.test(asked) && port <= 65_535)) {
    throw new AdminSettingsError(`HEADGATE_ADMIN_PORT: found ${JSON.stringify(asked)}, expected a TCP port`);
  }
  try {
    const listener = await startAdminServer({ ...options, host, port, token });
    log.info('admin API listens', { host, port: listener.port });
    return listener;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `the admin API cannot listen on ${host} port ${port}; choose another HEADGATE_ADMIN_PORT: ${reason}`;
    if (asked !== '') throw new AdminSettingsError(message);
    log.error(message);
    return null;
  }
}

function usableToken(env: Environment, log: Logger): string | null {
  const token = env.HEADGATE_ADMIN_TOKEN ?? '';
  const hint = `at least ${SHORTEST_TOKEN} printable characters without spaces, such as the output of: openssl rand -hex 32`;
  if (token === '') {
    const named = (env.HEADGATE_ADMIN_PORT ?? '') !== '';
    const message = `the admin API is off: HEADGATE_ADMIN_TOKEN is not set; expected ${hint}`;
    if (named) log.warn(message);
    else log.info(message);
    return null;
  }
  if (/^[\x21-\x7e]+$/.test(token) && token.length >= SHORTEST_TOKEN) return token;
  log.error(`the admin API is off: HEADGATE_ADMIN_TOKEN cannot be used; expected ${hint}`);
  return null;
}
