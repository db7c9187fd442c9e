/**
 * `npm run image [-- TAG]`: builds the image (default tag localhost/headgate:dev).
 *
 * On the bases that HEADGATE_BUILD_IMAGE and HEADGATE_RUNTIME_IMAGE name, else on those of the Dockerfile, and where these
 * cannot be pulled on ones made here of Debian's packages (make-bases.sh).
 */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLines, run } from '../../services/launcher/command.mjs';
import { Failure, runMain, say } from '../../services/launcher/failure.mjs';
import { engineMissing, imageBuilder } from './engine.mjs';

const FOLDER = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(FOLDER, '../..');
const TAG = 'localhost/headgate:dev';
/** The tag has the release of what make-bases.sh makes. */
const MADE_HERE = {
  build: 'localhost/headgate-build-base:trixie-1',
  runtime: 'localhost/headgate-runtime-base:trixie-1',
};

/** @typedef {{ build: string, runtime: string }} Bases */

/**
 * @param {string} [tag]
 * @returns {Promise<{ id: string, bases: Bases, seconds: number }>}
 */
export async function buildImage(tag = TAG) {
  const bases = await provideBases();
  const { program, env } = await imageBuilder();
  const idFile = path.join(tmpdir(), `headgate-image-${process.pid}`);
  const revision = await run('git', ['rev-parse', 'HEAD'], { cwd: ROOT });
  const values = {
    BUILD_IMAGE: bases.build,
    RUNTIME_IMAGE: bases.runtime,
    VERSION: JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).version,
    ...(revision.code === 0 && { REVISION: revision.stdout.trim() }),
  };
  const settings = Object.entries(values).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const began = performance.now();
  const args = ['build', '--iidfile', idFile, '--tag', tag, ...settings, '.'];
  const outcome = await run(program, args, { cwd: ROOT, env: { ...process.env, ...env } });
  const seconds = (performance.now() - began) / 1000;
  try {
    if (outcome.code !== 0) throw new Failure(`The image could not be built:\n${lastLines(outcome.output, 40)}`);
    return { id: readFileSync(idFile, 'utf8').trim(), bases, seconds };
  } finally {
    rmSync(idFile, { force: true });
  }
}

/** @returns {Promise<Bases>} */
async function provideBases() {
  const defaults = dockerfileDefaults();
  const named = {
    build: process.env.HEADGATE_BUILD_IMAGE || defaults.build,
    runtime: process.env.HEADGATE_RUNTIME_IMAGE || defaults.runtime,
  };
  if (await haveAll(named)) return named;
  if (await haveAll(MADE_HERE)) return MADE_HERE;
  for (const image of Object.values(named)) {
    if (await have(image)) continue;
    const pulled = await run('docker', ['pull', '--quiet', image]);
    if (pulled.code === 0) continue;
    if (image !== defaults.build && image !== defaults.runtime) {
      throw new Failure(`${image} cannot be pulled:\n${lastLines(pulled.output, 5)}`);
    }
    say(`${image} cannot be pulled; making base images of Debian's packages`);
    await makeBases();
    return MADE_HERE;
  }
  return named;
}

async function makeBases() {
  const outcome = await run(path.join(FOLDER, 'make-bases.sh'), [MADE_HERE.build, MADE_HERE.runtime]);
  if (outcome.code === 0) return;
  throw new Failure(
    `Neither can base images be made here (root, npm and mmdebstrap are needed):\n${lastLines(outcome.output, 15)}`,
  );
}

/** @returns {Bases} */
function dockerfileDefaults() {
  const text = readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8');
  const read = (/** @type {string} */ name) => new RegExp(`^ARG ${name}=(\\S+)$`, 'm').exec(text)?.[1] ?? '';
  return { build: read('BUILD_IMAGE'), runtime: read('RUNTIME_IMAGE') };
}

/** @param {Bases} bases */
const haveAll = async ({ build, runtime }) => (await have(build)) && (await have(runtime));

/** @param {string} image */
const have = async (image) => (await run('docker', ['image', 'inspect', image])).code === 0;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    const missing = await engineMissing();
    if (missing !== null) throw new Failure(missing);
    const tag = process.argv[2] ?? TAG;
    const { id, bases, seconds } = await buildImage(tag);
    const { stdout } = await run('docker', ['image', 'inspect', '--format', '{{.Size}}', id]);
    say(
      `${tag} (${id.slice(7, 19)}): ${(Number(stdout) / 1e6).toFixed(1)} MB, ${seconds.toFixed(1)} s, on ${bases.runtime}`,
    );
    return 0;
  });
}
