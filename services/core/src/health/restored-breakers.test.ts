import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { POLICY } from './board.testing.ts';
import { type BreakerState, looksDifferent, transition, WELL } from './breaker.ts';
import { RedisClock } from './redis-clock.ts';
import { SharedBreakers } from './shared-breakers.ts';

const KEY = 'p:m';
const NOW = 1_800_000_000_000;

let server: RedisServer;
let client: RedisClient;
let runs = 0;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
});
after(async () => {
  client.disconnect();
  await server.stop();
});

const moment = fc.constantFrom(0, NOW - 60_000, NOW - 1, NOW + 1, NOW + 4_000, NOW + 90_000);

/** States of one endpoint as replicas may have them; whether it is open is decided by the epoch. */
const known: fc.Arbitrary<BreakerState> = fc
  .record({
    turn: fc.integer({ min: 0, max: 4 }),
    openUntil: moment,
    coolUntil: moment,
    cooldownMs: fc.constantFrom(5_000, 10_000),
    consecutiveFailures: fc.integer({ min: 0, max: 9 }),
    failuresMicro: fc.integer({ min: 0, max: 9_000_000 }),
    rateLimits: fc.integer({ min: 0, max: 5 }),
    permit: fc.constantFrom(0, NOW - 3, NOW - 2),
    permitUntil: moment,
  })
  .map(({ turn, openUntil, cooldownMs, permitUntil, ...rest }) => {
    const open = turn % 2 === 1;
    return {
      ...WELL,
      ...rest,
      rateLimits: rest.coolUntil === 0 ? 0 : rest.rateLimits,
      countedAt: NOW - 10,
      epoch: turn === 0 ? 0 : NOW - 100 + turn,
      ...(open ? { open, openedAt: NOW - 100 + turn, cooldownMs, permitUntil } : {}),
      ...(open ? { openUntil: Math.max(openUntil, rest.coolUntil) } : {}),
    };
  });

const restore = (state: BreakerState, told: BreakerState): BreakerState =>
  transition(state, { kind: 'restore', known: told }, POLICY, NOW);

/** What requests and probes are steered by. */
const essence = ({ open, epoch, openUntil, coolUntil, rateLimits }: BreakerState) => ({
  open,
  epoch,
  openUntil,
  coolUntil,
  rateLimits,
});

test('what replicas tell again is the same in Redis and here, in any order, and once is enough', async () => {
  const seen = { openKept: 0, closedSince: 0, longer: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(known, { minLength: 1, maxLength: 4 }), async (told) => {
      const shared = new SharedBreakers(client, redisKeys(`run-${++runs}`).health, new RedisClock());
      const tell = (state: BreakerState) =>
        shared.apply([{ key: KEY, event: { kind: 'restore', known: state } }], POLICY, NOW);
      const stored = async () => (await shared.poll(-1, false)).breakers?.[0]?.state ?? WELL;
      let state = WELL;
      for (const one of told) {
        const next = restore(state, one);
        const { change } = await tell(one);
        assert.deepEqual(await stored(), next);
        assert.equal(change !== null, looksDifferent(state, next), 'told if and only if it looks different');
        state = next;
      }
      for (const one of told) assert.equal((await tell(one)).change, null, 'nobody hears of it twice');
      assert.deepEqual(await stored(), state);

      const newest = Math.max(...told.map(({ epoch }) => epoch));
      assert.equal(state.epoch, newest);
      assert.equal(state.open, newest % 2 === 1 && newest !== 0, 'the newest turn counts');
      assert.equal(state.coolUntil, Math.max(...told.map(({ coolUntil }) => coolUntil)));
      for (const one of told) if (state.open && one.open) assert.ok(state.openUntil >= one.openUntil);
      assert.deepEqual(essence(told.toReversed().reduce(restore, WELL)), essence(state));

      if (state.open) seen.openKept++;
      if (!state.open && told.some(({ open }) => open)) seen.closedSince++;
      if (state.open && told.some(({ epoch, openUntil }) => epoch === newest && openUntil < state.openUntil))
        seen.longer++;
    }),
    { numRuns: 300, seed: 20_261, includeErrorInReport: true },
  );
  for (const [what, times] of Object.entries(seen))
    assert.ok(times > 20, `too few to prove anything: ${what} ${times}`);
});
