import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { originOf } from './banner.mjs';
import { freePort, isFree } from './port.mjs';

/** @typedef {import('./checkout.mjs').Checkout} Checkout */

const USUAL_PORT = 8081;
const LOOPBACK = '127.0.0.1';

/**
 * Where the admin API is to listen, and with which token: what the environment says, otherwise port 8081, or another
 * where that is taken, and a token for this one run.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ HEADGATE_ADMIN_HOST: string, HEADGATE_ADMIN_PORT: string, HEADGATE_ADMIN_TOKEN: string }>}
 */
export async function adminEnvironment(env) {
  const host = env.HEADGATE_ADMIN_HOST || LOOPBACK;
  const port =
    env.HEADGATE_ADMIN_PORT || String((await isFree({ host, port: USUAL_PORT })) ? USUAL_PORT : await freePort());
  return {
    HEADGATE_ADMIN_HOST: host,
    HEADGATE_ADMIN_PORT: port,
    HEADGATE_ADMIN_TOKEN: env.HEADGATE_ADMIN_TOKEN || randomBytes(32).toString('hex'),
  };
}

/**
 * Notes it where the `headgate` command looks (services/control/bin), readable by its owner alone, for as long as the
 * gateway runs.
 *
 * @param {Checkout} checkout
 * @param {Awaited<ReturnType<typeof adminEnvironment>>} admin
 * @returns {() => void} removes the note
 */
export function noteAdmin(checkout, admin) {
  const file = path.join(checkout.state, 'admin.json');
  const url = originOf({ host: admin.HEADGATE_ADMIN_HOST, port: Number(admin.HEADGATE_ADMIN_PORT) });
  mkdirSync(checkout.state, { recursive: true });
  // Not over an old one, whose permissions would stay.
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify({ url, token: admin.HEADGATE_ADMIN_TOKEN })}\n`, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}
