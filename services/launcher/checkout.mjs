import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Where things lie in one checkout. Everything that set-up fetches or a run writes stands under `.headgate/`, which git
 * ignores, so that deleting that folder gives a clean start and two checkouts never meet.
 *
 * @typedef {object} Checkout
 * @property {string} root       the folder of the top package.json
 * @property {string} tools      what set-up fetched and noted, for all runs: `.headgate`
 * @property {string} node       where a fetched Node.js is unpacked
 * @property {string} redis      where a fetched redis-server is unpacked
 * @property {string} state      what belongs to one running gateway: `.headgate`, or HEADGATE_STATE_DIR
 * @property {string} redisData  the embedded Redis keeps its data here
 * @property {string} logs       one file a service
 */

/** @returns {Checkout} the checkout that this file belongs to */
export function thisCheckout() {
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
  return checkoutAt(root, process.env.HEADGATE_STATE_DIR);
}

/**
 * @param {string} root
 * @param {string} [stateDir]  so that a second gateway can run from one checkout, beside the first
 * @returns {Checkout}
 */
export function checkoutAt(root, stateDir) {
  const tools = path.join(root, '.headgate');
  const state = stateDir ? path.resolve(stateDir) : tools;
  return {
    root,
    tools,
    node: path.join(tools, 'node'),
    redis: path.join(tools, 'redis'),
    state,
    redisData: path.join(state, 'data', 'redis'),
    logs: path.join(state, 'logs'),
  };
}

/**
 * @param {string} file
 * @returns {any} the parsed JSON, or undefined where there is no such file or it is not JSON
 */
export function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
