/** Longer than a day says no more than "not today". */
const MOST_MS = 24 * 60 * 60 * 1000;

/**
 * How long a provider asks to wait, in milliseconds: `retry-after-ms`, else `retry-after` as seconds or as an HTTP date
 * (RFC 9110, 10.2.3). At most a day. Undefined when it does not say, or says nonsense.
 */
export function retryAfterMs(header: (name: string) => string | undefined, now: number): number | undefined {
  const ms = positive(header('retry-after-ms'));
  if (ms !== undefined) return Math.min(ms, MOST_MS);
  const value = header('retry-after')?.trim();
  if (!value) return undefined;
  const seconds = positive(value);
  if (seconds !== undefined) return Math.min(seconds * 1000, MOST_MS);
  // All forms of an HTTP date begin with the day of the week; `Date.parse` alone takes "-1" for a year.
  const date = /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - now), MOST_MS);
}

function positive(value: string | undefined): number | undefined {
  if (value === undefined || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}
