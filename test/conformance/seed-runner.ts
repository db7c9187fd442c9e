import assert from 'node:assert/strict';
import type { Stack } from '../support/stack.ts';
import { CHECKS, type Shows } from './examples.ts';
import type { Run, Workshop } from './workshop.ts';

export interface Example {
  /** Of test/conformance/seed. */
  readonly file: string;
  /** Key of CHECKS. */
  readonly name: string;
  readonly shows: Shows;
}

/** Runs one example as it stands and checks what came of it. */
export async function runExample(
  stack: Stack,
  example: Example,
  run: (workshop: Workshop) => Promise<Run>,
  workshop: Workshop,
): Promise<void> {
  const before = await Promise.all(stack.simulators.map((simulator) => simulator.lastSeq()));
  const outcome = await run(workshop);
  assert.equal(outcome.code, 0, `it ended with ${outcome.code}:\n${outcome.stderr}\n${outcome.stdout}`);
  const received = await Promise.all(
    stack.simulators.map((simulator, i) => simulator.requests({ since: before[i] ?? 0, path: '/v1/chat/completions' })),
  );
  const check = CHECKS[example.name];
  assert.ok(check, `no check for ${example.name}`);
  await check({ run: outcome, shows: example.shows, received, stack });
}
