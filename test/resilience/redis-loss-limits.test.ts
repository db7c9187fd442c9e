import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Stack, withStack } from '../support/stack.ts';
import { type ChatBody, chat, question } from './chat-client.ts';
import { configuration } from './configuration.ts';

const WORKERS = 2;
/** What nobody uses has gone back by then. */
const IDLE_MS = 4_000;
const BETWEEN_MS = 200;
const ASKED_WHILE_UNSURE = 15;

/** DESIGN 4's own example, and the least there can be. */
const LIMITS = {
  example: { requestsPerMinute: 600, tokensPerMinute: 200_000, concurrency: 50 },
  single: { requestsPerMinute: 600, concurrency: 1 },
};
/** What was a key's own before Redis went away. */
const PASTS = ['idle', 'unused'] as const;
const keyOf = (limits: string, past: string, loss: string): string => `hg_${limits}_${past}_${loss}_0123456789`;

const LOSSES = {
  // Slots that were leased have expired by then, and requests on them have had time to end.
  frozen: { lose: async (stack: Stack): Promise<void> => stack.redis.pause(), awayMs: 9_500 },
  killed: { lose: (stack: Stack): Promise<void> => stack.redis.halt(), awayMs: 2_500 },
};

const body: ChatBody = { model: 'test/one', messages: question('[[sim tokens=5 ttft=1 tps=1000]] quick') };

function configurationOf(stack: Stack['simulators'], onRedisLoss: 'allow' | 'deny'): Record<string, unknown> {
  const keys = Object.keys(LOSSES).flatMap((loss) =>
    Object.entries(LIMITS).flatMap(([name, limits]) =>
      PASTS.map((past) => ({ name: `${name}-${past}-${loss}`, key: keyOf(name, past, loss), limits })),
    ),
  );
  return { ...configuration(stack[0], { keys }), limits: { onRedisLoss } };
}

/** Each on a connection of its own, so that all processes have some. */
async function ask(stack: Stack, key: string): Promise<{ status: number; said: string }> {
  const { status, errors } = await chat({ port: stack.port, key }, body);
  const [error] = errors;
  return { status, said: status === 200 ? '200' : `${status} ${error?.code} ${String(error?.param ?? '')}` };
}

/** What each key's requests came to, in the order of time. */
async function sayings(stack: Stack, keys: readonly string[], ms: number): Promise<Map<string, string[]>> {
  const said = new Map(keys.map((key) => [key, [] as string[]]));
  for (const end = Date.now() + ms; Date.now() < end; ) {
    await Promise.all(keys.map(async (key) => said.get(key)?.push((await ask(stack, key)).said)));
    await delay(BETWEEN_MS);
  }
  return said;
}

describe('keys that nobody uses when Redis goes away', { concurrency: 2 }, () => {
  test('allow: each of their requests is let in from the first on, as if nothing were', async (t) => {
    const config = (simulators: Stack['simulators']) => configurationOf(simulators, 'allow');
    await withStack({ processes: WORKERS, config }, async (stack) => {
      for (const [loss, { lose, awayMs }] of Object.entries(LOSSES)) {
        const keys = Object.keys(LIMITS).flatMap((name) => PASTS.map((past) => keyOf(name, past, loss)));
        for (const key of keys.filter((one) => one.includes('_idle_'))) {
          assert.equal((await ask(stack, key)).said, '200', key);
        }
        await delay(IDLE_MS);
        await lose(stack);
        try {
          const said = await sayings(stack, keys, awayMs);
          for (const [key, all] of said) {
            const refused = all.filter((one) => one !== '200');
            t.diagnostic(`${key}: ${refused.length} of ${all.length} refused; ${[...new Set(refused)].join(', ')}`);
          }
          for (const [key, all] of said) {
            // Before it has been silent for 250 ms a process lets in one request of each, for Redis may only be slow.
            const unsure = loss === 'frozen' ? WORKERS : 0;
            const refused = all.filter((one) => one !== '200');
            assert.ok(refused.length <= unsure, `${key}: ${all.join(', ')}`);
            const later = all.slice(ASKED_WHILE_UNSURE).filter((one) => one !== '200');
            assert.deepEqual(later, [], key);
          }
        } finally {
          if (loss === 'frozen') stack.redis.resume();
        }
      }
    });
  });

  test('deny: none of them is, and the answer says why', async () => {
    const config = (simulators: Stack['simulators']) => configurationOf(simulators, 'deny');
    await withStack({ processes: WORKERS, config }, async (stack) => {
      const loss = 'killed';
      const keys = Object.keys(LIMITS).flatMap((name) => PASTS.map((past) => keyOf(name, past, loss)));
      for (const key of keys.filter((one) => one.includes('_idle_'))) {
        assert.equal((await ask(stack, key)).said, '200', key);
      }
      await delay(IDLE_MS);
      await LOSSES[loss].lose(stack);
      for (const [key, all] of await sayings(stack, keys, 1_000)) {
        assert.deepEqual([...new Set(all)], ['429 limits_unavailable '], key);
      }
    });
  });
});
