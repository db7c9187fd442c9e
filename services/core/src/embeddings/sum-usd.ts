import { fromDecimal, toDecimal } from '../ledger/index.ts';

/** Of decimal US dollars; null when one is unknown, '0' for none. */
export function sumUsd(costs: readonly (string | null)[]): string | null {
  let sum = 0n;
  for (const cost of costs) {
    if (cost === null) return null;
    sum += fromDecimal(cost);
  }
  return toDecimal(sum);
}
