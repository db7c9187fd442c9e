/**
 * promtool, which knows what a rule may be: from the distribution's Prometheus, unpacked and not installed. In the PATH it
 * wins.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findOnPath, lastLines, run } from '../../services/launcher/command.mjs';
import { aptConfig, canUnpack } from '../../services/launcher/debian-redis.mjs';

/**
 * @param {string} state  a folder that stays
 * @returns {Promise<{ program: string } | { missing: string }>} where it is, or why it cannot be had
 */
export async function providePromtool(state) {
  const known = findOnPath('promtool', process.env.PATH);
  if (known !== undefined) return { program: known };
  const program = path.join(state, 'promtool');
  if (existsSync(program)) return { program };
  if (!canUnpack(process.env)) return { missing: 'there is no promtool in the PATH, and no apt-get to fetch one' };
  const work = mkdtempSync(path.join(os.tmpdir(), 'headgate-promtool-'));
  try {
    for (const folder of ['state/lists/partial', 'cache/archives/partial', 'packages']) {
      mkdirSync(path.join(work, folder), { recursive: true });
    }
    writeFileSync(path.join(work, 'installed'), '');
    const config = path.join(work, 'apt.conf');
    writeFileSync(config, aptConfig(work));
    const cwd = path.join(work, 'packages');
    for (const [tool, ...args] of [
      ['apt-get', '-c', config, '-qq', 'update'],
      ['apt-get', '-c', config, '-qq', 'download', 'prometheus'],
    ]) {
      const outcome = await run(tool ?? '', args, { cwd, env: { ...process.env, LC_ALL: 'C.UTF-8' } });
      if (outcome.code !== 0) return { missing: `${args.slice(2).join(' ')} failed: ${lastLines(outcome.output, 3)}` };
    }
    const [archive = ''] = readdirSync(cwd);
    const unpacked = await run('dpkg-deb', ['-x', path.join(cwd, archive), work], { env: process.env });
    const found = path.join(work, 'usr', 'bin', 'promtool');
    const tried = unpacked.code === 0 ? await run(found, ['--version'], { env: process.env }) : unpacked;
    if (tried.code !== 0) return { missing: `promtool of ${archive} does not run: ${lastLines(tried.output, 3)}` };
    mkdirSync(state, { recursive: true });
    const fresh = `${program}.${process.pid}`;
    writeFileSync(fresh, readFileSync(found), { mode: 0o755 });
    renameSync(fresh, program);
    return { program };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
