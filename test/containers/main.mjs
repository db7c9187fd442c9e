/**
 * `npm run test:containers`: builds the image and tests it in real containers. Skipped, with the reason, where no Docker
 * engine runs.
 *
 *   npm run test:containers [-- NAME...]     only NAME.check.ts
 *   HEADGATE_IMAGE=...                       tests that image instead of building one
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { thisCheckout } from '../../services/launcher/checkout.mjs';
import { run, withPathFirst } from '../../services/launcher/command.mjs';
import { Failure, runMain, say } from '../../services/launcher/failure.mjs';
import { runInForeground } from '../../services/launcher/foreground.mjs';
import { setUp } from '../../services/launcher/setup.mjs';
import { engineMissing } from './engine.mjs';
import { buildImage } from './image.mjs';

/** On every container and network of a run; its value is the process that the run belongs to. */
const LABEL = 'headgate.test';
/** It measures, under more load than the others make. */
const ALONE = 'rollout.check.ts';

await runMain(async () => {
  const missing = await engineMissing();
  if (missing !== null) {
    say(`THE TESTS OF IMAGE AND CONTAINERS ARE SKIPPED: ${missing}.`);
    return 0;
  }
  const checkout = thisCheckout();
  const { node } = await setUp({ checkout, env: process.env, say, scope: 'full' });
  const image = process.env.HEADGATE_IMAGE || (await build());
  const folder = path.join(checkout.root, 'test', 'containers');
  const env = {
    ...withPathFirst(path.dirname(node), process.env),
    NODE_COMPILE_CACHE: path.join(checkout.tools, 'compile-cache'),
    HEADGATE_IMAGE: image,
    HEADGATE_TEST_RUN: String(process.pid),
  };
  await removeLeftOver();
  try {
    let failed = 0;
    for (const files of rounds(folder, process.argv.slice(2))) {
      const concurrency = `--test-concurrency=${files.length === 1 ? 1 : 2}`;
      const args = ['-C', 'source', '--test', '--test-reporter=spec', '--test-timeout=150000', concurrency, ...files];
      failed = (await runInForeground(node, args, { cwd: checkout.root, env })) || failed;
    }
    return failed;
  } finally {
    await remove(String(process.pid));
  }
});

async function build() {
  const { id, bases, seconds } = await buildImage();
  say(`image ${id.slice(7, 19)} built in ${seconds.toFixed(1)} s on ${bases.runtime}`);
  // What the tag named before.
  await run('docker', ['image', 'prune', '--force', '--filter', 'label=org.opencontainers.image.title=Headgate']);
  return id;
}

/**
 * @param {string} folder
 * @param {string[]} names
 * @returns {string[][]} files that run at one time
 */
function rounds(folder, names) {
  const all = readdirSync(folder).filter((file) => file.endsWith('.check.ts'));
  const wanted = names.length === 0 ? all : names.map((name) => `${name}.check.ts`);
  const unknown = wanted.filter((file) => !all.includes(file));
  if (unknown.length > 0) throw new Failure(`There is no ${unknown.join(', ')}; there are: ${all.join(', ')}`);
  const alone = wanted.filter((file) => file === ALONE);
  const others = wanted.filter((file) => file !== ALONE);
  return [others, alone]
    .filter(({ length }) => length > 0)
    .map((files) => files.map((file) => path.join(folder, file)));
}

/** Of runs that were killed. */
async function removeLeftOver() {
  const { stdout } = await run('docker', [
    'ps',
    '--all',
    '--filter',
    `label=${LABEL}`,
    '--format',
    `{{.Label "${LABEL}"}}`,
  ]);
  const networks = await run('docker', [
    'network',
    'ls',
    '--filter',
    `label=${LABEL}`,
    '--format',
    `{{.Label "${LABEL}"}}`,
  ]);
  for (const owner of new Set(`${stdout}\n${networks.stdout}`.split('\n').filter(Boolean))) {
    if (!existsSync(`/proc/${owner}`)) await remove(owner);
  }
}

/** @param {string} owner */
async function remove(owner) {
  const label = `label=${LABEL}=${owner}`;
  const containers = (await run('docker', ['ps', '--all', '--quiet', '--filter', label])).stdout
    .split('\n')
    .filter(Boolean);
  if (containers.length > 0) await run('docker', ['rm', '--force', '--volumes', ...containers]);
  const networks = (await run('docker', ['network', 'ls', '--quiet', '--filter', label])).stdout
    .split('\n')
    .filter(Boolean);
  if (networks.length > 0) await run('docker', ['network', 'rm', ...networks]);
}
