import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import type { Admission } from './contract.ts';
import { ask, startReplica, subject } from './replica.testing.ts';
import { DAY_MS } from './units.ts';

let server: RedisServer;
let client: RedisClient;
let serial = 0;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'conservation-test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
after(async () => {
  client.disconnect();
  await server.stop();
});

const amount = fc.oneof(fc.nat(30), fc.nat(600));
const request = fc.record({
  replica: fc.nat(2),
  tokens: amount,
  money: amount,
  usedTokens: amount,
  usedMoney: amount,
  end: fc.constantFrom('settle', 'settle', 'settle', 'release', 'late'),
});

test('what requests used is gone, all else is there again, whoever had it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 60 }), async (requests) => {
      const tokensPerDay = 5_000;
      const id = `s${serial++}`;
      const began = performance.now();
      const replicas = await Promise.all([0, 1, 2].map((i) => startReplica(server.url, `${id}-${i}`)));
      const budget = { usd: '0.000004', window: 'total', mode: 'hard' } as const;
      const s = subject(id, { tokensPerDay, concurrency: 20 }, budget);
      const used = { tokens: 0, money: 0 };
      const late: (() => void)[] = [];
      await Promise.all(
        requests.map(async ({ replica, tokens, money, usedTokens, usedMoney, end }) => {
          const chosen = replicas[replica];
          const admission: Admission | null = chosen ? await ask(chosen, [s], { tokens, money }) : null;
          if (admission === null) return;
          const settle = (): void => {
            if (end !== 'release') {
              used.tokens += usedTokens;
              used.money += usedMoney;
              admission.settle({ tokens: usedTokens, money: usedMoney });
            }
            admission.release();
          };
          if (end === 'late') late.push(settle);
          else settle();
        }),
      );
      for (const settle of late) settle();
      await Promise.all(replicas.map((replica) => replica.stop()));
      const keys = redisKeys('test').limits;
      const stored = await client.hgetall(keys.buckets(`key:${id}`));
      const cameIn = Math.ceil(((performance.now() - began) * tokensPerDay) / DAY_MS);
      const level = Number(stored.tokensPerDay);
      const least = tokensPerDay - used.tokens;
      assert.ok(level >= Math.min(tokensPerDay, least) && level <= least + cameIn, `${level}, not ${least}`);
      assert.equal(Number(stored.budget), used.money);
      assert.deepEqual(await client.hgetall(keys.slots(`key:${id}`)), {});
    }),
    { numRuns: 40 },
  );
});
