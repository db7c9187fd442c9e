/**
 * The one switch between real time and test time: every time of the situations is written as it would be in production, and
 * passes through `scaled`, the gateway's own limits included. `HEADGATE_TEST_SCALE=1` is full length.
 */
export const SCALE = Number(process.env.HEADGATE_TEST_SCALE ?? '0.08');
if (!(SCALE > 0 && SCALE <= 1)) throw new RangeError('HEADGATE_TEST_SCALE is a number above 0 and up to 1');

/** Real milliseconds to milliseconds of this run. */
export const scaled = (ms: number): number => Math.max(1, Math.round(ms * SCALE));

/** What a provider says that wants to be left alone for so long; in milliseconds where seconds are too coarse. */
export const retryAfter = (ms: number): Readonly<Record<string, number>> =>
  SCALE === 1 ? { 'retry-after': Math.ceil(ms / 1_000) } : { 'retry-after-ms': scaled(ms) };
