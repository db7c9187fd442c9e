/**
 * What the whole-system tests need beside the dependencies of package.json: releases of SDKs that cannot be installed next
 * to the current ones. `npm test` runs this before the tests; it costs nothing when all is there.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readJson } from '../services/launcher/checkout.mjs';
import { lastLines, run } from '../services/launcher/command.mjs';
import { Failure } from '../services/launcher/failure.mjs';
import { lock } from '../services/launcher/lock.mjs';
import { runNpm } from '../services/launcher/npm.mjs';

const AI_SDK_4 = 'test/conformance/ai4';
const REQUIREMENTS = 'test/conformance/requirements.txt';
/** Git-ignored, as everything that set-up fetches. */
const STATE = '.headgate/conformance';

/**
 * @typedef {{ root: string, node: string, npm: string }} Setting  the checkout, the node that runs the tests, npm-cli.js
 * @typedef {{ wanted: string, python: string } | { skipped: string }} PythonState
 *   what was installed and the interpreter that has it, or why the Python examples cannot run here
 */

/** @param {Setting} setting */
export default async function prepare(setting) {
  const state = path.join(setting.root, STATE);
  mkdirSync(state, { recursive: true });
  const release = await lock(path.join(state, 'setup.lock'), () => say('waiting for another set-up of the tests'));
  try {
    await installAiSdk4(setting);
    await installPythonSdk(setting);
  } finally {
    release();
  }
}

/**
 * AI SDK 4 has a lock file of its own: beside the current AI SDK it would drag zod 3 into everything. It is not installed
 * where that stands, for its packages bring tests along, which the search for ours would find.
 *
 * @param {Setting} setting
 */
async function installAiSdk4({ root, node, npm }) {
  const folder = path.join(root, STATE, 'ai4');
  const stamp = path.join(root, STATE, 'ai4.json');
  const files = ['package.json', 'package-lock.json'];
  const wanted = hashOf(...files.map((file) => path.join(root, AI_SDK_4, file)));
  if (readJson(stamp)?.wanted === wanted && existsSync(path.join(folder, 'node_modules'))) return;
  say('installing AI SDK 4 for its tests');
  rmSync(stamp, { force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of files) copyFileSync(path.join(root, AI_SDK_4, file), path.join(folder, file));
  // Run from a script of the workspace, npm would take the workspace for its own folder.
  const args = ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'];
  const outcome = await runNpm({ node, npm, args, cwd: folder, env: process.env });
  if (outcome.code !== 0) {
    throw new Failure(`npm ci of ${AI_SDK_4} failed (exit code ${outcome.code}):\n${lastLines(outcome.output, 25)}`);
  }
  writeFileSync(stamp, `${JSON.stringify({ wanted })}\n`);
}

/**
 * The Python SDK in a virtual environment of its own. A machine without Python or without a package index still runs all
 * other tests; this one is tried again at the next `npm test`.
 *
 * @param {Setting} setting
 */
async function installPythonSdk({ root }) {
  const stamp = path.join(root, STATE, 'python.json');
  const venv = path.join(root, STATE, 'python');
  const python = path.join(venv, 'bin', 'python');
  const wanted = hashOf(path.join(root, REQUIREMENTS));
  const stamped = readJson(stamp);
  // A virtual environment does not work from another place than it was made in.
  if (stamped?.wanted === wanted && stamped.python === python && existsSync(python)) return;
  /** @param {PythonState} state */
  const note = (state) => writeFileSync(stamp, `${JSON.stringify(state)}\n`);

  say('installing the Python SDK of OpenAI for its tests');
  rmSync(venv, { recursive: true, force: true });
  const steps = [
    { what: 'python3 could not make a virtual environment', program: 'python3', args: ['-m', 'venv', venv] },
    {
      what: 'pip could not install the openai package',
      program: python,
      args: [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--timeout',
        '15',
        '--retries',
        '1',
        '-r',
        path.join(root, REQUIREMENTS),
      ],
    },
  ];
  for (const { what, program, args } of steps) {
    const outcome = await run(program, args, { cwd: root, env: process.env });
    if (outcome.code === 0) continue;
    note({ skipped: what });
    say(`THE PYTHON TESTS WILL BE SKIPPED: ${what}:\n${lastLines(outcome.output, 6)}`);
    return;
  }
  note({ wanted, python });
}

/** @param {string[]} files */
function hashOf(...files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`test: ${line}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { findNpm } = await import('../services/launcher/npm.mjs');
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
  await prepare({ root, node: process.execPath, npm: await findNpm(process.env) });
}
