import { realpathSync } from 'node:fs';
import path from 'node:path';
import { findOnPath, run, withPathFirst } from './command.mjs';
import { Failure } from './failure.mjs';

/**
 * npm as a script for node, so that it can be run by another node than the one it came with. That matters: npm decides
 * by the node it runs on which releases and optional packages fit.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string>} the path of npm-cli.js
 */
export async function findNpm(env) {
  // npm sets npm_execpath for the scripts it runs; so do other package managers, with their own program.
  const caller = env.npm_execpath;
  if (caller !== undefined && path.basename(caller) === 'npm-cli.js') return caller;

  const command = findOnPath('npm', env.PATH);
  if (command === undefined) {
    throw new Failure('npm is not on the PATH. Install Node.js with npm, then try again.');
  }
  const script = realpathSync(command);
  if (script.endsWith('.js')) return script;

  // A wrapper, as version managers have: npm itself knows where it lies.
  const asked = await run(command, ['exec', '--call', 'printf %s "$npm_execpath"'], { env });
  if (asked.code === 0 && asked.stdout.endsWith('.js')) return asked.stdout;
  throw new Failure(`${command} did not say where its npm-cli.js is. Run "npm start" rather than node itself.`);
}

/**
 * @param {{ node: string, npm: string, args: string[], cwd: string, env: NodeJS.ProcessEnv }} call
 * @returns {ReturnType<typeof run>}
 */
export function runNpm({ node, npm, args, cwd, env }) {
  const quiet = { ...withPathFirst(path.dirname(node), env), npm_config_update_notifier: 'false' };
  return run(node, [npm, ...args], { cwd, env: quiet });
}
