import type { Rounds } from '../rounds.ts';
import type { Judged } from './goals.ts';
import { isClean, MAX_WAIT_PCT, type Medians } from './medians.ts';

const BASE = 'haproxy';
/** What the tables leave out; the JSON has it. */
const DETAIL = /\.(requests|streams|rate|clients|whole|events_s|p90_us|delay_p90_us)$/;
/** These are about the run and not about the target: a ratio of them says nothing. */
const NO_RATIO =
  /\.(bad|missing|whole|clients|streams|rate|requests|wait_pct|cpu_pct|load_core_pct|rss_\w+|redis_\w+)$/;

export const NOT_MEASURED = [
  'Not in reach here and so not compared: LiteLLM (Python) and Bifrost (Go) are not on npm.',
  'Not measured: TLS to clients and providers, HTTP/2, several gateway processes, real providers, a network, translated',
  'dialects, rolling restarts (the system tests do those). Absolute values are of this machine only; use the ratios.',
];

/** Every measured value, one row each, one column per target. */
export function valueTable(medians: Medians): string {
  const targets = Object.keys(medians);
  const rows = shownNames(medians).map((name) => [name, ...targets.map((target) => medians[target]?.[name])]);
  return grid([['medians', ...targets], ...rows]);
}

/** Target -> value -> ratio to HAProxy; empty when HAProxy was not measured. */
export function ratiosToBase(medians: Medians): Record<string, Record<string, number>> {
  const base = medians[BASE] ?? {};
  const others = Object.entries(medians).filter(([target]) => target !== BASE);
  return Object.fromEntries(others.map(([target, values]) => [target, ratios(values, base)]));
}

function ratios(values: Readonly<Record<string, number>>, base: Readonly<Record<string, number>>) {
  const found: Record<string, number> = {};
  for (const [name, value] of Object.entries(values)) {
    const other = base[name];
    if (other !== undefined && other !== 0 && !NO_RATIO.test(name)) found[name] = Number((value / other).toFixed(3));
  }
  return found;
}

export function ratioTable(ratiosByTarget: Record<string, Record<string, number>>): string {
  const targets = Object.keys(ratiosByTarget);
  const names = shownNames(ratiosByTarget);
  if (names.length === 0) return '';
  const rows = names.map((name) => [name, ...targets.map((target) => ratiosByTarget[target]?.[name])]);
  return grid([[`ratios to ${BASE}`, ...targets], ...rows]);
}

export function goalTable(judged: readonly Judged[]): string {
  const rows = judged.map(({ metric, must, aim, measured, verdict, note }) => [
    metric,
    must,
    aim,
    measured,
    note === '' ? verdict : `${verdict} (${note})`,
  ]);
  return grid([['goals for headgate', 'must', 'aim', 'measured', 'verdict'], ...rows], 'left-last');
}

/** How many measurements were free of other load, and every failure. */
export function remarks(rounds: Rounds, medians: Medians): string[] {
  const clean = [...rounds].map(([target, phases]) => {
    const all = [...phases.values()].flat();
    return `${target} ${all.filter(isClean).length}/${all.length}`;
  });
  const failures = Object.entries(medians).flatMap(([target, values]) =>
    Object.entries(values)
      .filter(([name, value]) => /\.(bad|missing)$/.test(name) && value > 0)
      .map(([name, value]) => `${target}: ${name} = ${value} in its worst round`),
  );
  return [`Measurements with less than ${MAX_WAIT_PCT} % of waiting for the core: ${clean.join(', ')}`, ...failures];
}

/** The names of all targets' values, those of one phase together; `direct` has fewer of them than the others. */
function shownNames(values: Medians): string[] {
  const names = new Set(Object.values(values).flatMap((of) => Object.keys(of)));
  const byPhase = Map.groupBy(
    [...names].filter((name) => !DETAIL.test(name)),
    (name) => name.split('.')[0],
  );
  return [...byPhase.values()].flat();
}

type Cell = string | number | undefined;

function grid(rows: readonly (readonly Cell[])[], last: 'right' | 'left-last' = 'right'): string {
  const cells = rows.map((row) => row.map((cell) => String(cell ?? '-')));
  const columns = cells[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, c) => Math.max(...cells.map((row) => row[c]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, c) => {
        const left = c === 0 || (last === 'left-last' && c === columns - 1);
        return left ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0);
      })
      .join('  ')
      .trimEnd();
  return `${cells.map(line).join('\n')}\n`;
}
