import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createRequestClient } from '../redis/index.ts';
import type { Subject } from './contract.ts';
import { isRefusal } from './refusal.ts';
import { AT_ONCE, startReplica } from './replica.testing.ts';

/** What a forked replica of the storm is told. */
export interface StormOrder {
  readonly url: string;
  /** Where the requests in flight are counted, beyond the reach of whatever happens to the other Redis. */
  readonly counterUrl: string;
  readonly replicaId: string;
  readonly subject: Subject;
  readonly clients: number;
  readonly runMs: number;
}

/** Counts one more in flight, and remembers the most there were. */
const ENTER = `redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
  local now = 0
  for _, n in ipairs(redis.call('HVALS', KEYS[1])) do now = now + n end
  if now > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], now) end`;

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** A replica in a process of its own: what is let in is written out at once, so that it counts even if it is killed then. */
async function run({ url, counterUrl, replicaId, subject, clients, runMs }: StormOrder): Promise<void> {
  const { limiter, stop } = await startReplica(url, replicaId);
  const counter = createRequestClient(counterUrl, 'counter');
  if (counter.status !== 'ready') await once(counter, 'ready');
  process.send?.('ready');
  await once(process, 'message');
  await limiter.start();
  const until = performance.now() + runMs;
  const flight = subject.limits.concurrency !== null;
  let asked = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      asked++;
      const outcome = await limiter.admit([subject], { tokens: 10, money: 1_000 }, AT_ONCE);
      if (isRefusal(outcome)) {
        await pause(3);
        continue;
      }
      writeSync(1, '.');
      if (flight) {
        await counter.eval(ENTER, 2, 'flight', 'most', replicaId);
        await pause(1);
        await counter.hincrby('flight', replicaId, -1);
      }
      outcome.settle({ tokens: 10, money: 1_000 });
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  await stop();
  process.send?.({ asked, calls: limiter.counters.calls });
  counter.disconnect();
  process.disconnect?.();
}

process.once('message', (order: StormOrder) => void run(order));
