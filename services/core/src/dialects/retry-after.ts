/**
 * How long a provider asks to wait, in milliseconds: `retry-after-ms`, else `retry-after` as seconds or as an HTTP date
 * (RFC 9110, 10.2.3). Undefined when it does not say, or says nonsense.
 */
export function retryAfterMs(header: (name: string) => string | undefined, now: number): number | undefined {
  const ms = positive(header('retry-after-ms'));
  if (ms !== undefined) return ms;
  const value = header('retry-after')?.trim();
  if (!value) return undefined;
  const seconds = positive(value);
  if (seconds !== undefined) return seconds * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function positive(value: string | undefined): number | undefined {
  if (value === undefined || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}
