import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak, summary } from './soak.ts';

const SECONDS = 10;

test('providers fail at random: each client gets its exact answer or a clean error', async (context) => {
  const seed = Number(process.env.FC_SEED ?? Date.now() % 1_000_000);
  context.diagnostic(`seed ${seed}`);
  const counts = await soak({ seed, ms: SECONDS * 1_000, clients: 24 });
  context.diagnostic(summary(counts));
  assert.deepEqual(counts.faults, [], `seed ${seed}`);
  for (const kind of ['at_once', 'failed_over', 'resumed', 'clean_error']) {
    assert.ok((counts.verdicts[kind] ?? 0) > 0, `none is ${kind}: ${summary(counts)}`);
  }
});
