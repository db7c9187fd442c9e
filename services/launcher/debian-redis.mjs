import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findOnPath, lastLines, run } from './command.mjs';
import { Failure } from './failure.mjs';

/** @typedef {import('./checkout.mjs').Checkout} Checkout */
/** @typedef {import('./redis.mjs').RedisProgram} RedisProgram */

/**
 * The distribution's own packages: the name `redis-server` comes with the first, the program and the list of libraries
 * with the second.
 */
const SERVER = 'redis-server';
const PROGRAM = 'redis-tools';

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {boolean} whether this is Debian or one of its children
 */
export function canUnpack(env) {
  return ['apt-get', 'dpkg-deb'].every((tool) => findOnPath(tool, env.PATH) !== undefined);
}

/**
 * @param {Checkout} checkout
 * @returns {RedisProgram} where the program lies once it is unpacked
 */
export function unpackedProgram(checkout) {
  return {
    path: path.join(checkout.redis, 'usr', 'bin', SERVER),
    libraryPath: libraryFolders(checkout.redis).join(':'),
  };
}

/**
 * Fetches the distribution's Redis and the libraries it is linked to, and unpacks them without installing anything: apt
 * runs on state of its own, so neither root nor fresh package lists are needed, and it checks the archive's signatures
 * with the system's keys as ever.
 *
 * @param {Checkout} checkout
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<RedisProgram>}
 */
export async function unpackRedis(checkout, env) {
  const apt = `${checkout.redis}.apt`;
  const fresh = `${checkout.redis}.new`;
  const clear = () => {
    for (const folder of [apt, fresh]) rmSync(folder, { recursive: true, force: true });
  };
  clear();
  try {
    for (const folder of ['state/lists/partial', 'cache/archives/partial', 'packages']) {
      mkdirSync(path.join(apt, folder), { recursive: true });
    }
    mkdirSync(fresh, { recursive: true });
    writeFileSync(path.join(apt, 'installed'), '');
    const config = path.join(apt, 'apt.conf');
    writeFileSync(config, aptConfig(apt));

    /** @param {string[]} args */
    const aptGet = async (...args) => {
      const cwd = path.join(apt, 'packages');
      const outcome = await run('apt-get', ['-c', config, ...args], { cwd, env: { ...env, LC_ALL: 'C.UTF-8' } });
      if (outcome.code === 0) return outcome.stdout;
      throw new Failure(`apt-get ${args.join(' ')} failed:\n${lastLines(outcome.output, 12)}`);
    };
    await aptGet('-qq', 'update');
    const plan = await aptGet('--simulate', '--no-install-recommends', 'install', PROGRAM);
    await aptGet('-qq', 'download', SERVER, PROGRAM, ...librariesIn(plan));

    for (const archive of readdirSync(path.join(apt, 'packages'))) {
      const outcome = await run('dpkg-deb', ['-x', path.join(apt, 'packages', archive), fresh], { env });
      if (outcome.code !== 0) throw new Failure(`${archive} could not be unpacked:\n${lastLines(outcome.output, 12)}`);
    }
    await checkRuns(fresh);
    rmSync(checkout.redis, { recursive: true, force: true });
    renameSync(fresh, checkout.redis);
    return unpackedProgram(checkout);
  } finally {
    clear();
  }
}

/**
 * @param {string} root  an unpacked tree
 */
async function checkRuns(root) {
  const program = path.join(root, 'usr', 'bin', SERVER);
  const env = { ...process.env, LD_LIBRARY_PATH: libraryFolders(root).join(':') };
  const tried = await run(program, ['--version'], { env });
  if (tried.code !== 0) {
    throw new Failure(`The redis-server of the package does not run here:
${lastLines(tried.output, 6)}`);
  }
}

/**
 * Settings that keep apt inside one folder. It is told that nothing is installed, so that its plan names every library;
 * and not to run what the system's configuration hooks to an update.
 *
 * @param {string} folder
 * @returns {string}
 */
export function aptConfig(folder) {
  return [
    `Dir::State "${folder}/state";`,
    `Dir::State::status "${folder}/installed";`,
    `Dir::Cache "${folder}/cache";`,
    'APT::Sandbox::User "root";',
    'APT::Get::AllowUnauthenticated "false";',
    'Acquire::Languages "none";',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
    'Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";',
    'Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";',
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '#clear DPkg::Post-Invoke;',
    '',
  ].join('\n');
}

/**
 * The libraries among the packages that apt would install. The C library stays the system's, for it must fit the
 * loader.
 *
 * @param {string} plan  what `apt-get --simulate install` printed
 * @returns {string[]}
 */
export function librariesIn(plan) {
  return [...plan.matchAll(/^Inst (\S+)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => /^lib(?!c6|c-bin|pam|audit|semanage|sepol|selinux|db5|cap-ng)/.test(name));
}

/**
 * @param {string} root
 * @returns {string[]} the folders of an unpacked tree in which libraries lie, e.g. `usr/lib/x86_64-linux-gnu`
 */
function libraryFolders(root) {
  return ['usr/lib', 'lib'].flatMap((base) => {
    const folder = path.join(root, base);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith('-linux-gnu'))
      .map((name) => path.join(folder, name));
  });
}
