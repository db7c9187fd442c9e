import type { Gauge, LimitStatus } from '@headgate/core/limits';

/** `x-ratelimit-*` as OpenAI has them (WIRE 2.12), of the limits that hold; flat list of names and values. */
export function limitHeaders({ requests, tokens, budgetWarning }: LimitStatus): string[] {
  const headers: string[] = [];
  if (requests !== null) push(headers, 'requests', requests);
  if (tokens !== null) push(headers, 'tokens', tokens);
  if (budgetWarning !== '') headers.push('x-headgate-budget-warning', budgetWarning);
  return headers;
}

function push(headers: string[], what: string, { limit, remaining, resetMs }: Gauge): void {
  headers.push(`x-ratelimit-limit-${what}`, String(limit));
  headers.push(`x-ratelimit-remaining-${what}`, String(remaining));
  headers.push(`x-ratelimit-reset-${what}`, goDuration(resetMs));
}

/** As Go writes durations: `0s`, `20ms`, `1.5s`, `6m0s`, `1h0m0s`. */
export function goDuration(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  if (whole === 0) return '0s';
  if (whole < 1_000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = (whole % 60_000) / 1_000;
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
