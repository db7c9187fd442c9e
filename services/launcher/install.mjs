import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readJson } from './checkout.mjs';
import { lastLines, run } from './command.mjs';
import { Failure } from './failure.mjs';
import { runNpm } from './npm.mjs';

/** @typedef {import('./checkout.mjs').Checkout} Checkout */
/** @typedef {'production' | 'full'} Scope  what the services need to run; that, and what building and testing need */
/**
 * One entry of a lock file's `packages`.
 *
 * @typedef {{ version?: string, integrity?: string, link?: boolean, dev?: boolean, optional?: boolean,
 *   devOptional?: boolean, peer?: boolean, os?: string | string[], cpu?: string | string[],
 *   libc?: string | string[] }} LockEntry
 */

/**
 * Installs the dependencies of package-lock.json where they are not there already.
 *
 * @param {{ checkout: Checkout, node: string, npm: string, scope: Scope, env: NodeJS.ProcessEnv,
 *   say: (line: string) => void }} setting
 */
export async function install({ checkout, node, npm, scope, env, say }) {
  const lockFile = path.join(checkout.root, 'package-lock.json');
  const installedFile = path.join(checkout.root, 'node_modules', '.package-lock.json');
  const stampFile = path.join(checkout.tools, 'installed.json');
  const nodeVersion = (await run(node, ['--version'])).stdout.trim();

  const now = () => ({ lock: hashOf(lockFile), installed: hashOf(installedFile), node: nodeVersion });
  const has = (/** @type {Scope} */ wanted) =>
    stampCovers(readJson(stampFile), now(), wanted) ||
    // npm keeps a list of what it put into node_modules; a developer's own install counts when it has what is needed.
    covers(readJson(lockFile)?.packages, readJson(installedFile)?.packages, wanted);
  if (has(scope)) return;

  // npm ci empties node_modules. A gateway may be running from it, so what only lacks the rest is added to.
  const command = scope === 'full' && has('production') ? ['install', '--no-save'] : ['ci'];
  const args = [...command, '--no-audit', '--no-fund', '--prefer-offline', '--include=optional'];
  args.push(scope === 'full' ? '--include=dev' : '--omit=dev');
  say(`npm ${command[0]}: ${scope === 'full' ? 'all' : 'the services’'} dependencies`);
  const began = Date.now();
  const outcome = await runNpm({ node: outsideNodeModules(checkout, node), npm, args, cwd: checkout.root, env });
  if (outcome.code !== 0) {
    throw new Failure(`npm ${command[0]} failed (exit code ${outcome.code}):\n${lastLines(outcome.output, 25)}`);
  }
  say(`npm ${command[0]}: done in ${((Date.now() - began) / 1000).toFixed(0)} s`);
  mkdirSync(checkout.tools, { recursive: true });
  writeFileSync(stampFile, `${JSON.stringify({ ...now(), scope })}\n`);
}

/**
 * @param {Checkout} checkout
 * @param {string} node
 * @returns {string} the same node where `npm ci`, which empties node_modules, does not remove it under its own feet
 */
function outsideNodeModules(checkout, node) {
  if (!node.startsWith(path.join(checkout.root, 'node_modules') + path.sep)) return node;
  const copy = path.join(checkout.node, 'bin', 'node');
  mkdirSync(path.dirname(copy), { recursive: true });
  copyFileSync(node, copy);
  return copy;
}

/**
 * @typedef {{ lock: string | undefined, installed: string | undefined, node: string }} InstallState
 *   checksums of package-lock.json and of npm's list in node_modules, and the node that npm ran on
 */

/**
 * Whether `npm ci` already did its work for this state. It may leave out optional packages that this machine cannot
 * have, so after it has run its result is taken as it is.
 *
 * @param {(InstallState & { scope: Scope }) | undefined} stamp
 * @param {InstallState} now
 * @param {Scope} scope
 */
export function stampCovers(stamp, now, scope) {
  return (
    stamp !== undefined &&
    now.installed !== undefined &&
    stamp.lock === now.lock &&
    stamp.installed === now.installed &&
    stamp.node === now.node &&
    (stamp.scope === 'full' || stamp.scope === scope)
  );
}

/**
 * Whether node_modules holds, in the locked versions, each package of the lock file that this machine should have.
 *
 * @param {Record<string, LockEntry> | undefined} locked
 * @param {Record<string, LockEntry> | undefined} installed
 * @param {Scope} scope
 * @param {{ platform: string, arch: string }} [host]
 */
export function covers(locked, installed, scope, host = process) {
  if (locked === undefined || installed === undefined) return false;
  return Object.entries(locked).every(([where, wanted]) => {
    if (!where.includes('node_modules/')) return true; // the workspaces themselves
    if (scope === 'production' && wanted.dev) return true;
    const found = installed[where];
    if (found === undefined) {
      const dispensable = wanted.optional || wanted.devOptional || wanted.peer;
      return (
        Boolean(dispensable) &&
        !(isFor(wanted.os, host.platform) && isFor(wanted.cpu, host.arch) && isFor(wanted.libc, 'glibc'))
      );
    }
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

/**
 * @param {string | string[] | undefined} names
 * @param {string} name
 */
function isFor(names, name) {
  return names === undefined || [names].flat().includes(name);
}

/**
 * @param {string} file
 * @returns {string | undefined}
 */
function hashOf(file) {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch {
    return undefined;
  }
}
