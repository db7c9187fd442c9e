import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from '../support/stack.ts';

/** Polls until `look` returns something; the one place where a test waits for what tells nobody of itself. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  timeoutMs = 5_000,
): Promise<T> {
  let last: unknown;
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; ) {
    try {
      const found = await look();
      if (found !== null && found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    await delay(20);
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last });
}

/** Resident memory of a process, megabytes. */
export function residentMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

export const isAlive = (pid: number): boolean => {
  try {
    // A child that nobody has waited for is dead, too.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Prometheus text, version 0.0.4; throws at a line that is none. */
export function parseMetrics(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (!match?.[1]) throw new Error(`not a sample: ${line}`);
      const value = Number(match[3]?.replace('Inf', 'Infinity'));
      if (Number.isNaN(value)) throw new Error(`not a number: ${line}`);
      const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
      return { name: match[1], labels: Object.fromEntries(labels.map(([, name, said]) => [name, said])), value };
    });
}

export async function metrics({ origin }: Pick<Stack, 'origin'>): Promise<Sample[]> {
  const response = await fetch(`${origin}/metrics`, { headers: { connection: 'close' } });
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
  return parseMetrics(await response.text());
}

/** The sum of a metric's series with these labels. */
export function total(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  const fits = (sample: Sample) =>
    sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
  return samples.filter(fits).reduce((sum, { value }) => sum + value, 0);
}

/** Resolves when no request is being served any more: nothing has leaked. */
export async function idle(stack: Stack): Promise<void> {
  await eventually('no request in flight', async () => {
    const samples = await metrics(stack);
    return (
      total(samples, 'gateway_requests_in_flight') === 0 &&
      total(samples, 'gateway_streams_open') === 0 &&
      samples.some(({ name }) => name === 'gateway_requests_in_flight')
    );
  });
}

/** The lines of the access log, so far. */
export const accessLog = (stack: Stack): readonly Readonly<Record<string, unknown>>[] =>
  stack.logs('ingress').filter(({ msg }) => msg === 'request');
