import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '@headgate/core/testing/port';
import { Redis } from 'ioredis';
import { chatBody, requestHeaders } from '../load/request.ts';
import type { Child } from './children.ts';
import { configuration } from './headgate-config.ts';
import { waitUntil } from './ports.ts';
import { type Bench, type Instance, type Target, Unavailable, versionOf } from './target.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const START_MS = 20_000;
const MODEL = 'bench/mock';

type Environment = Readonly<Record<string, string | undefined>>;

/** This checkout's gateway with everything it needs: Redis, control, an OTLP collector, and one ingress process. */
export async function headgate(bench: Bench): Promise<Target> {
  for (const service of ['control', 'ingress']) {
    if (!existsSync(mainOf(service))) throw new Unavailable(`${mainOf(service)} is not there`);
  }
  const redisPort = await startRedis(bench);
  const redis = new Redis(redisPort, '127.0.0.1');
  const sink = bench.children.start({
    name: 'otlp-sink',
    core: bench.loadCore,
    command: process.execPath,
    args: [fileURLToPath(new URL('otlp-sink.ts', import.meta.url))],
  });
  const sinkPort = await sink.printedPort(START_MS);
  const key = `sk-bench-${randomBytes(24).toString('base64url')}`;
  const config = join(bench.scratch, 'headgate.yaml');
  writeFileSync(config, configuration(MODEL, redisPort, bench.mockPort, key), { mode: 0o600 });
  const env = {
    ...withoutOwnSettings(),
    HEADGATE_CONFIG: config,
    HEADGATE_SECRET: randomBytes(32).toString('hex'),
    HEADGATE_PROCESSES: '1',
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.1',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${sinkPort}`,
  };
  const control = startService(bench, 'control', 'control', bench.loadCore, env);
  return {
    name: 'headgate',
    version: versionOf('git', ['-C', ROOT, 'describe', '--always', '--dirty']) ?? 'unknown',
    start: () => startIngress(bench, env, key, redis, control),
    close: async () => {
      redis.disconnect();
      const counts: unknown = await (await fetch(`http://127.0.0.1:${sinkPort}/`)).json();
      return [`headgate exported telemetry while it was measured: ${JSON.stringify(counts)}`];
    },
  };
}

async function startIngress(
  bench: Bench,
  env: Environment,
  key: string,
  redis: Redis,
  control: Child,
): Promise<Instance> {
  const port = await freePort();
  const own = { ...env, HEADGATE_PORT: String(port) };
  const child = startService(bench, `ingress-${port}`, 'ingress', bench.gatewayCore, own);
  const url = `http://127.0.0.1:${port}`;
  const ready = async (): Promise<boolean> => {
    const answer = await fetch(`${url}/health/ready`).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.status === 200;
  };
  await waitUntil('ingress', START_MS, ready, () => child.gone() ?? control.gone());
  const endpoint = { port, model: MODEL, key, pid: child.pid, loadCore: bench.loadCore };
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: requestHeaders(endpoint),
    body: chatBody(endpoint, {}),
  });
  if (answer.status !== 200) {
    throw new Error(`the gateway answers ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
  }
  await answer.body?.cancel();
  return { endpoint, redisCommands: () => processedCommands(redis), stop: () => child.stop() };
}

function startService(bench: Bench, name: string, service: string, core: number, env: Environment): Child {
  const args = ['--conditions=source', mainOf(service)];
  return bench.children.start({ name, core, command: process.execPath, args, env, cwd: ROOT });
}

async function startRedis(bench: Bench): Promise<number> {
  // biome-ignore lint/complexity/useLiteralKeys: process.env has an index signature
  const command = process.env['HEADGATE_REDIS_SERVER'] ?? 'redis-server';
  if (versionOf(command, ['--version']) === undefined) {
    throw new Unavailable(`cannot run ${command}: apt-get install redis-server, or name one in HEADGATE_REDIS_SERVER`);
  }
  const port = await freePort();
  const folder = join(bench.scratch, 'redis');
  mkdirSync(folder);
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = bench.children.start({ name: 'redis', core: bench.loadCore, command, args });
  await child.listens(port, START_MS);
  return port;
}

async function processedCommands(redis: Redis): Promise<number> {
  const stats = await redis.info('stats');
  return Number(/total_commands_processed:(\d+)/.exec(stats)?.[1] ?? Number.NaN);
}

/** What the caller has set for a gateway of his own must not change the one that is measured. */
function withoutOwnSettings(): Environment {
  const own = Object.keys(process.env).filter((name) => /^(HEADGATE|OTEL|REDIS)_/.test(name));
  return Object.fromEntries(own.map((name) => [name, undefined]));
}

const mainOf = (service: string): string => join(ROOT, 'services', service, 'src/main.ts');
