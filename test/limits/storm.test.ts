import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Stack, startStack } from '../support/stack.ts';
import { Clients } from './storm-clients.ts';
import { assertWellFormed, configuration, crowdOf, judge, type KeyPlan, keyOf, promptTokens } from './storm-plan.ts';
import { Witness } from './storm-witness.ts';

const PROCESSES = 8;
const CLIENTS_OF_EACH = 24;
/** Nobody waits longer, whatever happens to Redis and to the other processes; on a machine that does other things as well. */
const LONGEST_MS = 5_000;
/** Slots that a dead process held are given away after so long. */
const SLOTS_LOST_MS = 4_500;

const STORM: readonly KeyPlan[] = [
  { name: 'requests', limits: { requestsPerMinute: 150 } },
  { name: 'tokens', limits: { tokensPerMinute: 3_000 } },
  { name: 'slots', limits: { concurrency: 10 }, takesMs: 100 },
  { name: 'money', usd: 0.8 },
  { name: 'all', limits: { requestsPerMinute: 200, tokensPerMinute: 8_000, concurrency: 12 }, usd: 0.6, takesMs: 20 },
];
const STEADY: KeyPlan = {
  name: 'steady',
  limits: { requestsPerMinute: 100_000, tokensPerMinute: 10_000_000, concurrency: 400 },
  usd: 1_000,
};
const WARM: KeyPlan = { name: 'warm' };

let stack: Stack;

before(async () => {
  stack = await startStack({
    processes: PROCESSES,
    config: ([simulator]) => configuration(simulator, [...STORM, STEADY, WARM]),
    env: { HEADGATE_ACCESS_LOG: 'off' },
  });
  // A process that has never served takes long for its first requests.
  for (let round = 0; round < 3; round++) {
    const first = new Clients(stack.port);
    first.start(crowdOf(WARM, 40, 1));
    await first.until(100);
    await first.stop();
  }
});

after(() => stack?.stop());

test('processes killed, Redis frozen: no limit is ever passed, and hardly a request refused that had a place', async (t) => {
  const simulator = stack.simulator();
  const prompts = await Promise.all(STORM.map((plan) => promptTokens(simulator, plan)));
  const witness = await Witness.start(simulator);
  const clients = new Clients(stack.port);
  for (const plan of STORM) clients.start(crowdOf(plan, CLIENTS_OF_EACH, 150));
  const kills: number[] = [];
  const kill = (): void => {
    const [pid] = stack.workerPids();
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    kills.push(Date.now());
  };
  await delay(1_500);
  kill();
  await delay(500);
  kill();
  await delay(1_000);
  stack.redis.pause();
  try {
    await delay(500);
    kill();
    await delay(700);
  } finally {
    stack.redis.resume();
  }
  await delay(SLOTS_LOST_MS);
  const calmSince = Date.now();
  await delay(1_500);
  await clients.stop();
  await witness.stop();

  for (const [i, plan] of STORM.entries()) {
    const verdict = judge(plan, clients, witness, { prompt: prompts[i] ?? 0, calmSince });
    t.diagnostic(JSON.stringify(verdict));
    for (const [limit, over] of Object.entries(verdict.overshoot)) {
      assert.ok(over <= 0, `${plan.name}: ${limit} passed by ${over}`);
    }
    const lost = kills.length / (2 * PROCESSES);
    assert.ok(
      verdict.excess <= 0.01 * verdict.asked + lost * verdict.most,
      `${plan.name}: ${verdict.excess} of ${verdict.asked} refused in vain`,
    );
    assert.ok(verdict.slowestMs < LONGEST_MS, `${plan.name}: a request took ${verdict.slowestMs} ms`);
    for (const call of clients.of(keyOf(plan.name))) {
      // Connections of a killed process break; nothing else does.
      if (call.status === 0) {
        assert.ok(
          kills.some((at) => call.sentAt <= at + 250 && call.endedAt >= at),
          call.body,
        );
      } else assertWellFormed(call, plan);
    }
  }
});
