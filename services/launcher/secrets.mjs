import { randomBytes, randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The development key and the secret that keys hashes and seals credentials: what the environment says, otherwise made
 * once and kept, readable by its owner alone.
 *
 * @param {{ state: string | null }} place  the folder they are kept in; null: nowhere, they are new each time
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ apiKey: string, secret: string }}
 */
export function provideSecrets({ state }, env) {
  /** @type {(name: string, make: () => string) => string} */
  const provide = (name, make) => (state === null ? make() : keptSecret(path.join(state, name), make));
  return {
    apiKey: env.HEADGATE_API_KEY || provide('api-key', newApiKey),
    secret: env.HEADGATE_SECRET || provide('secret', newSecret),
  };
}

/** @returns {string} 256 random bits in 43 characters that need no escaping anywhere */
function newApiKey() {
  return `hg_${randomBytes(32).toString('base64url')}`;
}

/** @returns {string} 32 random bytes as hexadecimal */
function newSecret() {
  return randomBytes(32).toString('hex');
}

/**
 * @param {string} file
 * @param {() => string} make
 * @returns {string}
 */
function keptSecret(file, make) {
  mkdirSync(path.dirname(file), { recursive: true });
  const fresh = `${file}.${randomUUID()}`;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
  }
  try {
    // Written whole under another name and then linked, so that of two first starts both see one value.
    writeFileSync(fresh, `${make()}\n`, { mode: 0o600 });
    linkSync(fresh, file);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  return readFileSync(file, 'utf8').trim();
}
