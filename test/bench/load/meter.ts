import { coreBusyMs, usage } from './process-usage.ts';

/** What a phase found, by name; the unit is the end of the name (`p99_us`, `rss_mb`, `wait_pct`). */
export type Measurement = Record<string, number>;

export interface Metered {
  readonly seconds: number;
  /** CPU time of the target; undefined when it has no process of its own (`direct`). */
  readonly cpuUs: number | undefined;
  readonly values: Measurement;
}

/** Starts to measure the target's process tree and the core of the load; call the result to read both. */
export function startMeter(pid: number | undefined, loadCore: number): () => Metered {
  const started = performance.now();
  const loadBefore = coreBusyMs(loadCore);
  const before = pid === undefined ? undefined : usage(pid);
  return () => {
    const ms = performance.now() - started;
    const values: Measurement = { load_core_pct: percent(coreBusyMs(loadCore) - loadBefore, ms) };
    if (pid === undefined || before === undefined) return { seconds: ms / 1000, cpuUs: undefined, values };
    const after = usage(pid);
    const cpuUs = after.cpuUs - before.cpuUs;
    values.cpu_pct = percent(cpuUs / 1000, ms);
    values.rss_mb = Math.round(after.rssMb);
    values.wait_pct = percent(after.waitMs - before.waitMs, ms);
    return { seconds: ms / 1000, cpuUs, values };
  };
}

/** CPU per unit of work as a named value; nothing when the target has no process or did no work. */
export function cpuPer(name: string, cpuUs: number | undefined, units: number): Measurement {
  return cpuUs === undefined || units === 0 ? {} : { [name]: round(cpuUs / units, 1) };
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

const percent = (part: number, whole: number): number => round((100 * part) / whole, 1);
