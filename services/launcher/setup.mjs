import path from 'node:path';
import { install } from './install.mjs';
import { lock } from './lock.mjs';
import { provideNode } from './node.mjs';
import { findNpm } from './npm.mjs';
import { provideRedis } from './redis.mjs';

/** @typedef {import('./checkout.mjs').Checkout} Checkout */
/** @typedef {{ checkout: Checkout, env: NodeJS.ProcessEnv, say: (line: string) => void }} Setting */

/**
 * The pinned Node.js and the dependencies, fetched where they are not there already.
 *
 * @param {Setting & { scope: import('./install.mjs').Scope }} setting
 * @returns {Promise<{ node: string, npm: string }>} the paths of the node program and of npm-cli.js
 */
export function setUp({ scope, ...setting }) {
  return alone(setting, async () => {
    const npm = await findNpm(setting.env);
    const node = await provideNode({ ...setting, npm });
    await install({ ...setting, node, npm, scope });
    return { node, npm };
  });
}

/**
 * A Redis server program, fetched where there is none.
 *
 * @param {Setting} setting
 */
export function setUpRedis(setting) {
  return alone(setting, () => provideRedis(setting));
}

/**
 * Runs one set-up at a time in a checkout.
 *
 * @template T
 * @param {Setting} setting
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function alone({ checkout, say }, work) {
  const release = await lock(path.join(checkout.tools, 'setup.lock'), () =>
    say('waiting for another set-up in this checkout'),
  );
  try {
    return await work();
  } finally {
    release();
  }
}
