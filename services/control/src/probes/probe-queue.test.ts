import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createRequestClient } from '@headgate/core/redis';
import { createLogger } from '@headgate/core/telemetry';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { ProbeQueue } from './probe-queue.ts';

/** As Bedrock names a model: BullMQ would take so many colons for an older kind of schedule. */
const ENDPOINT = 'bedrock:arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.maker.{m}-v1:0';

interface Deployment {
  readonly url: string;
  stop(): Promise<void>;
}

async function startCluster(): Promise<Deployment> {
  const server = await startRedisServer({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
  const node = createRequestClient(server.url, 'test');
  await new Promise((resolve) => node.once('ready', resolve));
  await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  while (!String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  node.disconnect();
  return { url: server.url.replace('redis://', 'redis+cluster://'), stop: () => server.stop() };
}

async function startSentinel(): Promise<Deployment> {
  const master = await startRedisServer();
  const directory = mkdtempSync(join(tmpdir(), 'headgate-sentinel-'));
  for (let attempt = 1; ; attempt += 1) {
    // Sentinel takes no port 0; the kernel's next free one is as good as any.
    const free = await startRedisServer();
    await free.stop();
    const sentinel = await launchSentinel(directory, free.port, master);
    if (sentinel === null && attempt < 3) continue;
    if (sentinel === null) throw new Error('no sentinel could be started');
    return {
      url: `redis+sentinel://127.0.0.1:${free.port}/headgate`,
      stop: async () => {
        sentinel.kill('SIGKILL');
        await once(sentinel, 'exit');
        await master.stop();
        rmSync(directory, { recursive: true });
      },
    };
  }
}

/** Null when the port was taken meanwhile. */
async function launchSentinel(directory: string, port: number, master: RedisServer) {
  const file = join(directory, 'sentinel.conf');
  const watched = `sentinel monitor headgate 127.0.0.1 ${master.port} 1`;
  writeFileSync(file, `port ${port}\nbind 127.0.0.1\ndir ${directory}\n${watched}\n`);
  const libraries = process.env.HEADGATE_REDIS_LIBRARY_PATH;
  const sentinel = spawn(process.env.HEADGATE_REDIS_SERVER ?? 'redis-server', [file, '--sentinel'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: libraries === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraries },
  });
  const watching = await new Promise<boolean>((resolve) => {
    createInterface({ input: sentinel.stdout }).on('line', (line) => {
      if (line.includes('+monitor master headgate')) resolve(true);
    });
    sentinel.once('exit', () => resolve(false));
  });
  return watching ? sentinel : null;
}

async function runs(start: () => Promise<Deployment>): Promise<void> {
  const deployment = await start();
  const lines: string[] = [];
  const log = createLogger({ service: 'test', destination: { write: (line: string) => lines.push(line) } });
  let isUp = () => {};
  const up = new Promise<void>((resolve) => {
    isUp = resolve;
  });
  const jobs: string[] = [];
  let ran = () => {};
  const several = new Promise<void>((resolve) => {
    ran = () => jobs.length >= 3 && resolve();
  });
  const queue = new ProbeQueue({
    redisUrl: deployment.url,
    prefix: 't',
    log,
    run: async (endpointKey) => {
      jobs.push(endpointKey);
      ran();
    },
    onUp: () => isUp(),
  });
  try {
    queue.start();
    await up;
    await queue.schedule(new Map([[ENDPOINT, { everyMs: 50, firstInMs: 0 }]]));
    await several;
    assert.deepEqual([...new Set(jobs)], [ENDPOINT]);
    await queue.schedule(new Map());
  } finally {
    await queue.stop();
    await deployment.stop();
  }
  assert.deepEqual(lines, []);
}

test('one Redis server runs the schedule', () =>
  runs(async () => {
    const server = await startRedisServer();
    return { url: server.url, stop: () => server.stop() };
  }));
test('a Redis Cluster runs the schedule: each of its scripts stays on one node', () => runs(startCluster));
test('Redis behind Sentinel runs the schedule', () => runs(startSentinel));
