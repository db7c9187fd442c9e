#!/usr/bin/env node
/**
 * Starts the `headgate` command line with a Node.js that can run it: this one, or the one that belongs to the checkout.
 * Plain JavaScript for any Node.js, for whoever calls `npx headgate` may have an old one.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const control = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const root = path.resolve(control, '..', '..');
const source = path.join(control, 'src', 'cli', 'main.ts');
const compiled = path.join(control, 'dist', 'cli', 'main.js');
const runsSource = existsSync(source);

const node = runsSource ? nodeForSource() : process.execPath;
if (node === undefined) {
  process.stderr.write(
    `headgate: this is Node.js ${process.versions.node}, and 22.18 or newer is needed. ` +
      `Run "npm start" in ${root} once, which brings one along, or install a newer one.\n`,
  );
  process.exitCode = 2;
} else {
  const program = runsSource ? ['--conditions=source', source] : [compiled];
  const child = spawn(node, [...program, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...runningGateway(), ...process.env },
  });
  // Ctrl-C reaches both of us, and the child decides what becomes of it.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`headgate: ${node} cannot be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}

/** @returns {string | undefined} a Node.js that runs TypeScript as it is */
function nodeForSource() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  return [
    path.join(root, '.headgate', 'node', 'bin', 'node'),
    path.join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node'),
  ].find((candidate) => existsSync(candidate));
}

/**
 * Where the gateway that `npm start` runs from this checkout has its admin API, so that nobody has to copy its token.
 *
 * @returns {NodeJS.ProcessEnv}
 */
function runningGateway() {
  // What is named by hand must not get the token of another.
  if (process.env.HEADGATE_ADMIN_URL || process.env.HEADGATE_ADMIN_TOKEN) return {};
  const state = process.env.HEADGATE_STATE_DIR || path.join(root, '.headgate');
  try {
    const { url, token } = JSON.parse(readFileSync(path.join(state, 'admin.json'), 'utf8'));
    return { HEADGATE_ADMIN_URL: url, HEADGATE_ADMIN_TOKEN: token };
  } catch {
    return {}; // none runs, or not one of ours
  }
}
