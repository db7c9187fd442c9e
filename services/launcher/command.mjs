import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/**
 * @typedef {{ code: number, stdout: string, output: string }} Outcome
 *   `code` is 127 where the program could not be started; `output` is stdout and stderr as they came
 */

/**
 * Runs a program to its end without a shell, so that no argument needs quoting, and keeps what it printed.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<Outcome>}
 */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', (error) => resolve({ code: 127, stdout, output: `${output}${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, output }));
  });
}

/**
 * @param {string} name
 * @param {string | undefined} searchPath  the value of PATH
 * @returns {string | undefined} the absolute path of the first executable file of that name
 */
export function findOnPath(name, searchPath) {
  for (const folder of (searchPath ?? '').split(path.delimiter)) {
    if (folder === '') continue;
    const candidate = path.resolve(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/**
 * @param {string} folder
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv} the environment with `folder` in front of PATH
 */
export function withPathFirst(folder, env) {
  return { ...env, PATH: env.PATH ? `${folder}${path.delimiter}${env.PATH}` : folder };
}

/**
 * @param {string} text
 * @param {number} count
 * @returns {string} the last lines, indented, for showing under a message
 */
export function lastLines(text, count) {
  return text
    .trimEnd()
    .split('\n')
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n');
}
