import { availableParallelism } from 'node:os';
import { resolveSnapshot } from '@headgate/core/catalog';
import { loadConfig } from '@headgate/core/config';
import { ModelType, type RoutingSnapshot } from '@headgate/proto/snapshot';

/**
 * Prints what a configuration comes to, as one line of JSON, for the launcher: no secret in it, nothing connected to.
 * A configuration that cannot be used is told on standard error, with exit code 78.
 */

const EXIT_CONFIG = 78;

function describe() {
  const { env } = process;
  const { config, file, redisNamed } = loadConfig({ env, cwd: process.cwd() });
  const snapshot = resolveSnapshot(config, {
    // The simulator is started after this was read: where it will listen does not matter yet.
    env: { HEADGATE_SIMULATOR_URL: 'http://127.0.0.1', ...env },
    seal: () => new Uint8Array(),
  });
  return {
    host: config.server.host,
    port: config.server.port,
    processes: config.server.processes === 'auto' ? availableParallelism() : config.server.processes,
    redisUrl: redisNamed ? config.redis.url : null,
    prefix: config.redis.prefix,
    configFile: file,
    simulated: snapshot.simulated,
    providers: snapshot.providers.map(({ name }) => name),
    exampleModel: exampleModel(snapshot),
  };
}

/** A chat model for the banner: one that speaks OpenAI, else any. */
function exampleModel({ models, providers }: RoutingSnapshot): string {
  const chat = models.filter(({ type }) => type !== ModelType.EMBEDDING);
  const openai = new Set(providers.filter(({ dialect }) => dialect === 'openai').map(({ name }) => name));
  const best = chat.find(({ endpoints }) => openai.has(endpoints[0]?.provider ?? ''));
  return (best ?? chat[0] ?? models[0])?.id ?? '';
}

try {
  process.stdout.write(`${JSON.stringify(describe())}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = EXIT_CONFIG;
}
