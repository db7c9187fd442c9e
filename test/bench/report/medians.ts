import type { Measurement } from '../load/meter.ts';
import type { Rounds } from '../rounds.ts';

/** A round in which the target was kept from running for a larger share of the time says little. */
export const MAX_WAIT_PCT = 6;

/** Target -> `phase.value` -> the median over its clean rounds; failures are the worst of all rounds. */
export type Medians = Readonly<Record<string, Readonly<Record<string, number>>>>;

const FAILURES = ['bad', 'missing'];

export function medians(rounds: Rounds): Medians {
  return Object.fromEntries([...rounds].map(([target, phases]) => [target, ofTarget(phases)]));
}

function ofTarget(phases: ReadonlyMap<string, readonly Measurement[]>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [phase, all] of phases) {
    const clean = cleanOnes(all);
    for (const name of new Set(all.flatMap((measured) => Object.keys(measured)))) {
      const failure = FAILURES.includes(name);
      const values = (failure ? all : clean).map((m) => m[name]).filter((v) => v !== undefined);
      const value = failure ? Math.max(...values) : median(values);
      if (value !== undefined) found[`${phase}.${name}`] = value;
    }
  }
  return found;
}

/** The rounds without a disturbance, or all of them when none was without. */
export function cleanOnes(all: readonly Measurement[]): readonly Measurement[] {
  const clean = all.filter(isClean);
  return clean.length > 0 ? clean : all;
}

export const isClean = (measured: Measurement): boolean => (measured.wait_pct ?? 0) <= MAX_WAIT_PCT;

/** The middle value; of an even number the lower one of the two in the middle. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1];
}
