import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { readJson } from './checkout.mjs';
import { lastLines, run } from './command.mjs';
import { Failure } from './failure.mjs';
import { runNpm } from './npm.mjs';

/** @typedef {import('./checkout.mjs').Checkout} Checkout */

/**
 * @typedef {object} Host
 * @property {string} version   of the running node, e.g. `20.20.2`
 * @property {string} platform
 * @property {string} arch
 * @property {boolean} glibc    the packages that carry Node.js are built for the GNU C library
 */

/** @returns {Host} */
export function thisHost() {
  const report = /** @type {any} */ (process.report?.getReport());
  return {
    version: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    glibc: report?.header?.glibcVersionRuntime !== undefined,
  };
}

/**
 * Which Node.js runs the services. Node 22 is the one that both builds of uWebSockets.js load in, so where the running
 * one is not 22 and the pinned one can be had, the pinned one wins.
 *
 * @param {Host} host
 * @returns {{ use: 'running' } | { use: 'pinned', package: string } | { use: 'none', why: string }}
 */
export function chooseNode(host) {
  const [major = 0, minor = 0] = host.version.split('.').map(Number);
  if (major === 22 && minor >= 22) return { use: 'running' };
  if (host.platform === 'linux' && host.glibc && (host.arch === 'x64' || host.arch === 'arm64')) {
    return { use: 'pinned', package: `node-linux-${host.arch}` };
  }
  if (major >= 24) return { use: 'running' };
  return {
    use: 'none',
    why:
      `Headgate needs Node.js 22.22 or newer (22 or 24 and up), and this is ${host.version}. ` +
      `There is no ready-made package of it for ${host.platform} on ${host.arch}: ` +
      'install a newer Node.js with your system’s own means, then try again.',
  };
}

/**
 * @param {Checkout} checkout
 * @param {string} name  a package that carries Node.js
 * @returns {string} the pinned version, from the one place that states it
 */
export function pinnedVersion(checkout, name) {
  const version = readJson(path.join(checkout.root, 'package.json'))?.optionalDependencies?.[name];
  if (typeof version !== 'string') throw new Failure(`package.json has no ${name} in its optionalDependencies.`);
  return version;
}

/**
 * The Node.js that runs npm and the services: fetched first where neither the machine nor node_modules has it.
 *
 * @param {{ checkout: Checkout, npm: string, env: NodeJS.ProcessEnv, say: (line: string) => void, host?: Host }} setting
 * @returns {Promise<string>} the path of the program
 */
export async function provideNode({ checkout, npm, env, say, host = thisHost() }) {
  const choice = chooseNode(host);
  if (choice.use === 'none') throw new Failure(choice.why);
  if (choice.use === 'running') return process.execPath;

  const version = pinnedVersion(checkout, choice.package);
  const fetched = path.join(checkout.node, 'bin', 'node');
  // The fetched one comes first: npm ci removes the other while it runs.
  for (const candidate of [fetched, path.join(checkout.root, 'node_modules', choice.package, 'bin', 'node')]) {
    if (await isVersion(candidate, version)) return candidate;
  }
  say(`this is Node.js ${host.version}; getting ${version} into .headgate/node`);
  await fetchNode({ checkout, npm, env, name: choice.package, version });
  if (await isVersion(fetched, version)) return fetched;
  throw new Failure(
    `Node.js ${version} was fetched but does not run here: ${(await run(fetched, ['--version'])).output.trim()}`,
  );
}

/**
 * @param {string} program
 * @param {string} version
 */
async function isVersion(program, version) {
  return existsSync(program) && (await run(program, ['--version'])).stdout.trim() === `v${version}`;
}

/**
 * @param {{ checkout: Checkout, npm: string, env: NodeJS.ProcessEnv, name: string, version: string }} wanted
 */
async function fetchNode({ checkout, npm, env, name, version }) {
  const work = `${checkout.node}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    // Packed in a folder outside the workspaces' reach, by its exact name and version.
    const args = ['pack', '--silent', '--pack-destination', work, `${name}@${version}`];
    const packed = await runNpm({ node: process.execPath, npm, args, cwd: work, env });
    const archive = readdirSync(work).find((file) => file.endsWith('.tgz'));
    if (packed.code !== 0 || archive === undefined) {
      throw new Failure(
        `npm could not fetch ${name}@${version}:\n${lastLines(packed.output, 12)}\n` +
          'Check the network and npm’s registry setting, or install Node.js 22.22 or newer.',
      );
    }
    verifyArchive(path.join(work, archive), lockedIntegrity(checkout, name), `${name}@${version}`);
    const unpacked = await run('tar', ['-xzf', archive, '--strip-components=1', 'package/bin', 'package/LICENSE'], {
      cwd: work,
    });
    if (unpacked.code !== 0) throw new Failure(`${archive} could not be unpacked:\n${lastLines(unpacked.output, 12)}`);
    rmSync(path.join(work, archive));
    rmSync(checkout.node, { recursive: true, force: true });
    renameSync(work, checkout.node);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * @param {Checkout} checkout
 * @param {string} name
 * @returns {string | undefined}
 */
function lockedIntegrity(checkout, name) {
  return readJson(path.join(checkout.root, 'package-lock.json'))?.packages?.[`node_modules/${name}`]?.integrity;
}

/**
 * Refuses an archive that is not the one the lock file names, as `npm ci` would.
 *
 * @param {string} archive
 * @param {string | undefined} integrity  a Subresource Integrity value, `sha512-<base64>`
 * @param {string} name
 */
export function verifyArchive(archive, integrity, name) {
  const match = /^(sha\d+)-(.+)$/.exec(integrity ?? '');
  if (match === null) throw new Failure(`package-lock.json has no checksum for ${name}.`);
  const [, algorithm = '', expected] = match;
  if (createHash(algorithm).update(readFileSync(archive)).digest('base64') !== expected) {
    throw new Failure(
      `${name} as fetched is not what package-lock.json names (its checksum differs). Nothing was run.`,
    );
  }
}
