import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { createRequestClient, type RedisClient } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import type { Subject } from './contract.ts';
import { subject } from './replica.testing.ts';
import type { StormOrder } from './storm-replica.testing.ts';

const REPLICAS = 4;

let server: RedisServer;
let counterServer: RedisServer;
let counter: RedisClient;

before(async () => {
  [server, counterServer] = await Promise.all([startRedisServer(), startRedisServer()]);
  counter = createRequestClient(counterServer.url, 'storm-test');
  await new Promise<void>((ready) => counter.once('ready', () => ready()));
});
after(async () => {
  counter.disconnect();
  await Promise.all([server.stop(), counterServer.stop()]);
});

interface Storm {
  readonly admitted: number;
  readonly asked: number;
  readonly calls: number;
  /** From before the first request until all were over. */
  readonly tookMs: number;
}

interface StormProcess {
  readonly child: ChildProcess;
  readonly id: string;
  readonly closed: Promise<unknown>;
  admitted: number;
}

function startProcess(id: string): StormProcess {
  const child = fork(new URL('./storm-replica.testing.ts', import.meta.url), {
    execArgv: ['-C', 'source'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const process: StormProcess = { child, id, closed: once(child, 'close'), admitted: 0 };
  child.stdout?.on('data', (chunk: Buffer) => {
    process.admitted += chunk.length;
  });
  return process;
}

/** Replicas in processes of their own, all at one subject; `meddle` has its chance while they run. */
async function storm(
  of: Subject,
  runMs: number,
  meddle: (processes: readonly StormProcess[]) => Promise<void> = async () => undefined,
): Promise<Storm> {
  await counter.del('flight', 'most');
  const processes = Array.from({ length: REPLICAS }, (_, i) => startProcess(`${of.id}-${i}`));
  try {
    await Promise.all(
      processes.map(({ child, id }) => {
        const order: StormOrder = {
          url: server.url,
          counterUrl: counterServer.url,
          replicaId: id,
          subject: of,
          clients: 25,
          runMs,
        };
        child.send(order);
        return once(child, 'message');
      }),
    );
    const began = performance.now();
    let [asked, calls] = [0, 0];
    for (const { child } of processes) {
      child.on('message', (said: { asked: number; calls: number }) => {
        asked += said.asked;
        calls += said.calls;
      });
      child.send('go');
    }
    await meddle(processes);
    await Promise.all(processes.map(({ closed }) => closed));
    const admitted = processes.reduce((sum, process) => sum + process.admitted, 0);
    return { admitted, asked, calls, tookMs: performance.now() - began };
  } finally {
    for (const { child } of processes) child.kill('SIGKILL');
  }
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

async function kill(process: StormProcess | undefined): Promise<void> {
  assert.ok(process);
  process.child.kill('SIGKILL');
  await process.closed;
  // Its requests are over.
  await counter.hdel('flight', process.id);
}

describe('a storm of processes', () => {
  const PER_MINUTE = 3_000;
  const most = ({ tookMs }: Storm): number => PER_MINUTE + Math.floor((tookMs * PER_MINUTE) / 60_000);

  test('gets what a bucket has, no more, and hardly less', async () => {
    const result = await storm(subject('plain', { requestsPerMinute: PER_MINUTE }), 2_500);
    assert.ok(result.admitted <= most(result), `${result.admitted} admitted of ${most(result)}`);
    assert.ok(result.asked > 2 * PER_MINUTE, `${result.asked} asked`);
    // What came in while the processes stopped was for nobody.
    const excess = PER_MINUTE + (2_500 * PER_MINUTE) / 60_000 - result.admitted;
    assert.ok(excess < result.asked * 0.01, `${excess} refused too many of ${result.asked}`);
  });

  test('of which one is killed gets no more: what that one had is gone', async () => {
    const of = subject('killed', { requestsPerMinute: PER_MINUTE, tokensPerMinute: 10 * PER_MINUTE });
    const result = await storm(of, 2_000, async (processes) => {
      await pause(150);
      await kill(processes[1]);
    });
    assert.ok(result.admitted <= most(result), `${result.admitted} admitted of ${most(result)}`);
    assert.ok(result.admitted >= PER_MINUTE * 0.8, `${result.admitted} admitted of ${most(result)}`);
  });

  test('shares a hard budget to the last', async () => {
    const budget = { usd: '0.002', window: 'month', mode: 'hard' } as const;
    // A busy machine takes its time to come to the last.
    const { admitted } = await storm(subject('budget', {}, budget), 2_500);
    assert.equal(admitted, 2_000);
  });

  test('has no more requests at one time than slots, when one is killed, too', async () => {
    const limit = 12;
    // Whoever is killed may have all of them, and for four seconds nobody else then has any.
    const result = await storm(subject('slots', { concurrency: limit }), 6_000, async (processes) => {
      await pause(500);
      await kill(processes[0]);
    });
    const highest = Number(await counter.get('most'));
    assert.ok(highest <= limit, `${highest} at one time`);
    assert.ok(highest >= limit - 2, `${highest} at one time`);
    assert.ok(result.admitted > 200, `${result.admitted} admitted`);
  });

  test('through a Redis that freezes and one that loses its data', async () => {
    const result = await storm(subject('meddled', { requestsPerMinute: PER_MINUTE }), 5_000, async () => {
      await pause(100);
      server.pause();
      await pause(700);
      server.resume();
      await pause(700);
      await server.restart();
    });
    assert.ok(result.admitted <= most(result), `${result.admitted} admitted of ${most(result)}`);
    assert.ok(result.admitted >= PER_MINUTE * 0.4, `${result.admitted} admitted of ${most(result)}`);
  });
});
