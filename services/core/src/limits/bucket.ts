/**
 * The arithmetic of a token bucket, in whole numbers: `capacity` units come in during `windowMs`, evenly, and never more than
 * `capacity` are there. acquire.lua has the same, and a test holds the two together.
 */
export interface Bucket {
  /** Below zero when requests used more than was there. */
  readonly units: number;
  /** What has come in of the next unit, in parts of which `windowMs` make one. */
  readonly part: number;
  /** Milliseconds, of any clock. */
  readonly at: number;
}

/** What is there at `now`; a clock that goes back brings nothing and takes nothing. Exact below 2^53 units. */
export function refilled(bucket: Bucket, capacity: number, windowMs: number, now: number): Bucket {
  if (now <= bucket.at) return bucket;
  const elapsed = now - bucket.at;
  // No product here is beyond 2^53: a window is a day at most.
  const windows = Math.floor(elapsed / windowMs);
  const rest = elapsed - windows * windowMs;
  const whole = Math.floor(capacity / windowMs);
  const parts = rest * (capacity - whole * windowMs) + bucket.part;
  const more = Math.floor(parts / windowMs);
  const units = bucket.units + windows * capacity + rest * whole + more;
  return units >= capacity ? { units: capacity, part: 0, at: now } : { units, part: parts - more * windowMs, at: now };
}

/** Milliseconds until `want` units are there if nobody takes any; 0: now, Infinity: never. */
export function msUntil(bucket: Bucket, want: number, capacity: number, windowMs: number): number {
  if (want <= bucket.units) return 0;
  if (want > capacity) return Number.POSITIVE_INFINITY;
  return Math.ceil(((want - bucket.units) * windowMs - bucket.part) / capacity);
}
