import { run } from '../../services/launcher/command.mjs';

/**
 * @returns {Promise<string | null>} why no Docker engine can be used here; null: one can
 */
export async function engineMissing() {
  const outcome = await run('docker', ['version', '--format', '{{.Server.Version}}']);
  if (outcome.code === 0) return null;
  if (outcome.code === 127) return 'there is no docker command';
  return `no Docker engine answers (${outcome.output.trim().split('\n').at(-1)})`;
}

/**
 * The command that builds images, BuildKit's where there is one: docker with buildx, or a client from before 23 with its own.
 *
 * @returns {Promise<{ program: string, env: NodeJS.ProcessEnv }>}
 */
export async function imageBuilder() {
  const buildx = await run('docker', ['buildx', 'version']);
  if (buildx.code === 0) return { program: 'docker', env: {} };
  for (const program of ['docker', '/usr/bin/docker']) {
    const { code, stdout } = await run(program, ['--version']);
    const major = Number(/version (\d+)\./.exec(stdout)?.[1]);
    if (code === 0 && major < 23) return { program, env: { DOCKER_BUILDKIT: '1' } };
  }
  return { program: 'docker', env: { DOCKER_BUILDKIT: '0' } };
}
