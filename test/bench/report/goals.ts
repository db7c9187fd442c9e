/** The goals that the project has set itself, as ratios to proxies that run beside it, and how this run meets them. */
import type { Medians } from './medians.ts';

export type Verdict = 'aim reached' | 'must met' | 'MISSED' | 'not measured';

export interface Judged {
  readonly metric: string;
  readonly must: string;
  readonly aim: string;
  readonly measured: number | undefined;
  readonly verdict: Verdict;
  readonly note: string;
}

interface Goal {
  readonly metric: string;
  readonly must: number;
  readonly aim: number;
  readonly atLeast?: boolean;
  readonly unit: string;
  readonly digits?: number;
  /** The value in the unit of `must`; undefined when something it needs was not measured. */
  value(medians: Medians): number | undefined;
  note?(medians: Medians): string;
}

const OURS = 'headgate';
/** From here on a core counts as full. */
const FULL_PCT = 93;

const GOALS: readonly Goal[] = [
  {
    metric: 'json: CPU per request to HAProxy',
    must: 3.5,
    aim: 2.6,
    unit: 'x',
    value: to('haproxy', 'json.cpu_us_req'),
  },
  {
    metric: 'json: requests/s to HAProxy, one core each',
    must: 0.28,
    aim: 0.4,
    atLeast: true,
    unit: 'x',
    ...throughputTo('haproxy', 'json', 'rps', 'cpu_us_req'),
  },
  {
    metric: 'json: requests/s to Portkey',
    must: 12,
    aim: 20,
    atLeast: true,
    unit: 'x',
    digits: 1,
    value: to('portkey', 'json.rps'),
  },
  { metric: 'one connection: p50 to HAProxy', must: 1.5, aim: 1.2, unit: 'x', value: to('haproxy', 'lat.p50_us') },
  { metric: 'p99 at 300 requests/s to HAProxy', must: 3, aim: 2, unit: 'x', value: to('haproxy', 'open.p99_us') },
  { metric: '20 KB body: CPU to HAProxy', must: 2.5, aim: 2, unit: 'x', value: to('haproxy', 'json20k.cpu_us_req') },
  { metric: '1 MB body: CPU to HAProxy', must: 1.5, aim: 0.8, unit: 'x', value: to('haproxy', 'json1m.cpu_us_req') },
  { metric: 'SSE: CPU per event to HAProxy', must: 2, aim: 1.6, unit: 'x', value: to('haproxy', 'sse.cpu_us_event') },
  {
    metric: 'SSE: chunk delay p50 over direct',
    must: 1,
    aim: 0.3,
    unit: ' ms',
    value: overDirectMs('sse.delay_p50_us'),
  },
  {
    metric: 'SSE: chunk delay p99 over direct',
    must: 10,
    aim: 3,
    unit: ' ms',
    value: overDirectMs('sse.delay_p99_us'),
  },
  {
    metric: 'burst: streams/s to HAProxy',
    must: 0.4,
    aim: 0.7,
    atLeast: true,
    unit: 'x',
    ...throughputTo('haproxy', 'burst', 'streams_s', 'cpu_us_stream'),
  },
  {
    metric: 'burst: streams/s to Portkey',
    must: 10,
    aim: 18,
    atLeast: true,
    unit: 'x',
    digits: 1,
    value: to('portkey', 'burst.streams_s'),
  },
  // KB per stream times 1000 streams is MB per 1000 streams, but for 1000 to 1024.
  {
    metric: 'memory per 1000 idle streams, 4000 open',
    must: 25,
    aim: 18,
    unit: ' MB',
    digits: 1,
    value: (medians) => scaled(medians[OURS]?.['idle.kb_per_stream'], 1000 / 1024),
  },
  {
    metric: '10 clients that stop reading 30 MB: RSS growth',
    must: 60,
    aim: 30,
    unit: ' MB',
    digits: 0,
    value: (medians) => medians[OURS]?.['slow.rss_growth_mb'],
  },
  {
    metric: 'Redis commands per request',
    must: 0.05,
    aim: 0.01,
    unit: '',
    digits: 4,
    value: (medians) => medians[OURS]?.['json.redis_commands_req'],
  },
];

/** Every goal with what was measured for it. */
export function judge(medians: Medians): Judged[] {
  return GOALS.map((goal) => {
    const sign = goal.atLeast === true ? '>=' : '<=';
    const value = goal.value(medians);
    const measured =
      value === undefined || !Number.isFinite(value) ? undefined : Number(value.toFixed(goal.digits ?? 2));
    return {
      metric: goal.metric,
      must: `${sign} ${goal.must}${goal.unit}`,
      aim: `${goal.aim}${goal.unit}`,
      measured,
      verdict: verdict(goal, measured),
      note: goal.note?.(medians) ?? '',
    };
  });
}

function verdict({ must, aim, atLeast = false }: Goal, measured: number | undefined): Verdict {
  if (measured === undefined) return 'not measured';
  const reaches = (goal: number): boolean => (atLeast ? measured >= goal : measured <= goal);
  if (reaches(aim)) return 'aim reached';
  return reaches(must) ? 'must met' : 'MISSED';
}

function to(base: string, name: string): Goal['value'] {
  return (medians) => ratio(medians[OURS]?.[name], medians[base]?.[name]);
}

/**
 * A rate, unless the load could not keep the base busy: then its own limit was not seen and the ratio would come out too
 * kind, so what the CPU time of one unit allows is compared instead.
 */
function throughputTo(base: string, phase: string, rate: string, cpu: string): Pick<Goal, 'value' | 'note'> {
  const heldBack = (medians: Medians): boolean => {
    const load = medians[base]?.[`${phase}.load_core_pct`] ?? 0;
    const own = medians[base]?.[`${phase}.cpu_pct`] ?? 100;
    return load >= FULL_PCT && own < FULL_PCT;
  };
  return {
    value: (medians) => {
      const measured = to(base, `${phase}.${rate}`)(medians);
      if (measured === undefined || !heldBack(medians)) return measured;
      const byCpu = ratio(medians[base]?.[`${phase}.${cpu}`], medians[OURS]?.[`${phase}.${cpu}`]);
      return byCpu === undefined ? measured : Math.min(measured, byCpu);
    },
    note: (medians) =>
      heldBack(medians) ? 'the core of the load was full first, so CPU time counts if it is worse' : '',
  };
}

function overDirectMs(name: string): Goal['value'] {
  return (medians) => {
    const ours = medians[OURS]?.[name];
    const direct = medians.direct?.[name];
    return ours === undefined || direct === undefined ? undefined : (ours - direct) / 1000;
  };
}

const ratio = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined || b === 0 ? undefined : a / b;

const scaled = (value: number | undefined, factor: number): number | undefined =>
  value === undefined ? undefined : value * factor;
