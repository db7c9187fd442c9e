import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Clocks, dueAt } from './clocks.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

const at = fc.nat(100_000);
const ms = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 50_000 }));
const clocks: fc.Arbitrary<Clocks> = fc.record({
  deadlineAt: at,
  keepAliveMs: ms,
  lastWriteAt: at,
  startedAt: at,
  lastDataAt: at,
  firstTokenMs: ms,
  stallMs: ms,
  streaming: fc.boolean(),
  flowing: fc.boolean(),
  complete: fc.boolean(),
  paused: fc.boolean(),
  firstTokenBinds: fc.boolean(),
});

describe('dueAt', () => {
  it('is the first of the limits that bind, and never later than the deadline', () => {
    fc.assert(
      fc.property(clocks, (state) => {
        const { streaming, flowing, complete, paused, firstTokenBinds } = state;
        const done = streaming && complete;
        const endMs = state.stallMs === 0 ? 1_000 : Math.min(state.stallMs, 1_000);
        const limits = [
          { limit: 'deadline', at: state.deadlineAt, binds: true },
          { limit: 'end_of_stream', at: state.lastDataAt + endMs, binds: done },
          {
            limit: 'stall',
            at: state.lastDataAt + state.stallMs,
            binds: flowing && !done && !paused && state.stallMs > 0,
          },
          {
            limit: 'first_token',
            at: state.startedAt + state.firstTokenMs,
            binds: streaming && !flowing && !done && firstTokenBinds && state.firstTokenMs > 0,
          },
          { limit: 'keep_alive', at: state.lastWriteAt + state.keepAliveMs, binds: state.keepAliveMs > 0 },
        ].filter(({ binds }) => binds);
        const due = dueAt(state);
        assert.equal(due.at, Math.min(...limits.map((one) => one.at)));
        assert.ok(limits.some((one) => one.limit === due.limit && one.at === due.at));
        assert.ok(due.at <= state.deadlineAt);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});
