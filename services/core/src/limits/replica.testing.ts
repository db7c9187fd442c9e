import { once } from 'node:events';
import { createRequestClient, redisKeys } from '../redis/index.ts';
import type { Admission, AdmitOptions, Subject } from './contract.ts';
import { isRefusal, RedisLimiter } from './index.ts';

export const NO_LIMITS: Subject['limits'] = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  requestsPerDay: null,
  tokensPerDay: null,
  concurrency: null,
};

export const subject = (id: string, limits: Partial<Subject['limits']>, budget: Subject['budget'] = null): Subject => ({
  kind: 'key',
  id,
  name: id,
  limits: { ...NO_LIMITS, ...limits },
  budget,
});

export const AT_ONCE: AdmitOptions = { onRedisLoss: 'allow', deadlineAt: Number.POSITIVE_INFINITY, queue: null };

export interface Replica {
  readonly limiter: RedisLimiter;
  readonly said: string[];
  stop(): Promise<void>;
  /** Ends without giving anything back. */
  die(): void;
}

/** One limiter with a connection of its own. */
export async function startReplica(url: string, replicaId: string, mostSubjects?: number): Promise<Replica> {
  const client = createRequestClient(url, `limits-${replicaId}`);
  if (client.status !== 'ready') await once(client, 'ready');
  const said: string[] = [];
  const log = {
    info: (message: string) => void said.push(message),
    warn: (message: string) => void said.push(message),
  };
  const limiter = new RedisLimiter({
    client,
    keys: redisKeys('test'),
    replicaId,
    log,
    ...(mostSubjects && { mostSubjects }),
  });
  await limiter.start();
  return {
    limiter,
    said,
    async stop() {
      await limiter.stop();
      client.disconnect();
    },
    die() {
      client.disconnect();
      void limiter.stop();
    },
  };
}

/** One request: what it was let in with, or null. */
export async function ask(
  { limiter }: Replica,
  subjects: readonly Subject[],
  demand = { tokens: 0, money: 0 },
  options = AT_ONCE,
): Promise<Admission | null> {
  const outcome = await limiter.admit(subjects, demand, options);
  return isRefusal(outcome) ? null : outcome;
}
