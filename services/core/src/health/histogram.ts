/**
 * Log-spaced counts of positive values: a bucket is 10 % wide, so a quantile is right to about 5 %, whatever the unit.
 * Buckets may be negative; they are small whole numbers.
 */
const GROWTH = 1.1;
const LOG_GROWTH = Math.log(GROWTH);
/** Half a microsecond, and eleven days in milliseconds. */
const LOWEST = -160;
const HIGHEST = 220;

export type Histogram = Map<number, number>;

export function bucketOf(value: number): number {
  if (!(value > 0)) return LOWEST;
  return Math.min(HIGHEST, Math.max(LOWEST, Math.floor(Math.log(value) / LOG_GROWTH)));
}

/** The value in the middle of a bucket. */
export function middleOf(bucket: number): number {
  return GROWTH ** (bucket + 0.5);
}

export function count(histogram: Histogram, bucket: number, times = 1): void {
  histogram.set(bucket, (histogram.get(bucket) ?? 0) + times);
}

/** Null when it is empty. `q` from 0 to 1. */
export function quantile(histogram: ReadonlyMap<number, number>, q: number): number | null {
  let weight = 0;
  for (const times of histogram.values()) weight += times;
  let sum = 0;
  for (const bucket of [...histogram.keys()].sort((a, b) => a - b)) {
    sum += histogram.get(bucket) ?? 0;
    if (sum >= weight * q) return middleOf(bucket);
  }
  return null;
}
