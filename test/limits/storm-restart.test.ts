import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type StackOptions, withStack } from '../support/stack.ts';
import { Clients } from './storm-clients.ts';
import { assertWellFormed, configuration, crowdOf, judge, type KeyPlan, keyOf, promptTokens } from './storm-plan.ts';
import { Witness } from './storm-witness.ts';

const PROCESSES = 3;
const CLIENTS_OF_EACH = 16;
const LONGEST_MS = 5_000;

const PLANS: readonly KeyPlan[] = [
  { name: 'requests', limits: { requestsPerMinute: 400 } },
  { name: 'tokens', limits: { tokensPerMinute: 5_000 } },
  { name: 'slots', limits: { concurrency: 6 }, takesMs: 100 },
  { name: 'money', usd: 1.6 },
];
const WARM: KeyPlan = { name: 'warm' };

describe('Redis killed and started again in a storm', { concurrency: 2 }, () => {
  for (const persist of [true, false]) {
    test(`${persist ? 'with' : 'without'} its data: no limit is passed`, async (t) => {
      const options: StackOptions = {
        processes: PROCESSES,
        redis: { persist },
        env: { HEADGATE_ACCESS_LOG: 'off' },
        config: ([simulator]) => configuration(simulator, [...PLANS, WARM]),
      };
      await withStack(options, async (stack) => {
        const simulator = stack.simulator();
        const first = new Clients(stack.port);
        first.start(crowdOf(WARM, 24, 1));
        await first.until(150);
        await first.stop();
        const prompts = await Promise.all(PLANS.map((plan) => promptTokens(simulator, plan)));
        const witness = await Witness.start(simulator);
        const clients = new Clients(stack.port);
        for (const plan of PLANS) clients.start(crowdOf(plan, CLIENTS_OF_EACH, 100));
        // Once in the middle, with buckets that are neither full nor empty.
        await served(clients, 'money', 100);
        await stack.redis.halt();
        const haltedAt = Date.now();
        await delay(700);
        await stack.redis.startAgain();
        await delay(5_000);
        const calmSince = Date.now();
        await delay(2_000);
        await clients.stop();
        await witness.stop();

        for (const [i, plan] of PLANS.entries()) {
          const verdict = judge(plan, clients, witness, { prompt: prompts[i] ?? 0, calmSince });
          t.diagnostic(JSON.stringify(verdict));
          for (const [limit, over] of Object.entries(verdict.overshoot)) {
            assert.ok(over <= 0, `${plan.name}: ${limit} passed by ${over}`);
          }
          // What was on its way when Redis died is lost; a slot is of no use while it moves from one process to another.
          const lost = plan.name === 'slots' ? PROCESSES : verdict.most / (2 * PROCESSES);
          assert.ok(
            verdict.excess <= 0.01 * verdict.asked + lost,
            `${plan.name}: ${verdict.excess} of ${verdict.asked} refused in vain`,
          );
          assert.ok(verdict.slowestMs < LONGEST_MS, `${plan.name}: a request took ${verdict.slowestMs} ms`);
          const calls = clients.of(keyOf(plan.name));
          for (const call of calls) assertWellFormed(call, plan);
          assert.ok(
            plan.name === 'money' || calls.some(({ status, sentAt }) => status === 200 && sentAt > haltedAt + 3_000),
            `${plan.name}: nobody is let in again`,
          );
        }
      });
    });
  }
});

/** Resolves when so many of a key's requests were let in. */
async function served(clients: Clients, name: string, count: number): Promise<void> {
  for (const began = Date.now(); Date.now() - began < 10_000; ) {
    if (clients.of(keyOf(name)).filter(({ status }) => status === 200).length >= count) return;
    await delay(20);
  }
  throw new Error(`${name}: fewer than ${count} were let in`);
}
