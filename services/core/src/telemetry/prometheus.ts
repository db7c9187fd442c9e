/** Several processes' metrics as one, and the Prometheus text exposition format 0.0.4. */
import type { FamilySnapshot, GaugeScope, MetricsSnapshot, SeriesSnapshot } from './metrics.ts';

/** For the `content-type` of the answer to a scrape. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const UNIT_SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', '%': '_percent' };

/**
 * Adds counters and histograms up series by series; a gauge is added up, keeps one series a process, or shows one for
 * all, as it was registered. A histogram whose boundaries differ from the first one's (two versions during an update) is left out.
 */
export function mergeSnapshots(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  const merged = new Map<string, { readonly family: FamilySnapshot; readonly series: Map<string, SeriesSnapshot> }>();
  for (const snapshot of snapshots) {
    for (const family of snapshot.families) {
      let entry = merged.get(family.name);
      if (entry === undefined) {
        entry = { family, series: new Map() };
        merged.set(family.name, entry);
      }
      if (!sameShape(entry.family, family)) continue;
      for (const one of family.series) {
        const series = family.across === 'each' ? withProcess(one, snapshot.process) : one;
        const key = JSON.stringify(Object.entries(series.labels).sort());
        const known = entry.series.get(key);
        entry.series.set(key, known === undefined ? series : combine(known, series, family.across));
      }
    }
  }
  const families = [...merged.values()].map(({ family, series }) => ({ ...family, series: [...series.values()] }));
  return { process: snapshots.map((snapshot) => snapshot.process).join(','), families };
}

/**
 * What must be kept of a process that has ended, so that the sums over all processes never fall: its counters and
 * histograms without its gauges.
 */
export function withoutGauges(snapshot: MetricsSnapshot): MetricsSnapshot {
  return { process: snapshot.process, families: snapshot.families.filter((family) => family.kind !== 'gauge') };
}

/** One scrape for all processes of a service. */
export function renderMerged(snapshots: readonly MetricsSnapshot[]): string {
  let text = '';
  for (const family of mergeSnapshots(snapshots).families) text += renderFamily(family);
  return text;
}

/** `gen_ai.client.operation.duration` in `s` is `gen_ai_client_operation_duration_seconds`; counters end in `_total`. */
export function prometheusName(name: string, unit: string, kind: string): string {
  let result = name.replaceAll(/[^a-zA-Z0-9_:]/g, '_');
  const suffix = UNIT_SUFFIX[unit];
  if (suffix !== undefined && !result.endsWith(suffix)) result += suffix;
  if (kind === 'counter' && !result.endsWith('_total')) result += '_total';
  return result;
}

function renderFamily(family: FamilySnapshot): string {
  if (family.series.length === 0) return '';
  const name = prometheusName(family.name, family.unit, family.kind);
  let text = `# HELP ${name} ${escapeHelp(family.help)}\n# TYPE ${name} ${family.kind}\n`;
  for (const series of family.series) {
    const labels = renderLabels(series.labels);
    text +=
      family.kind === 'histogram'
        ? renderHistogram(name, labels, family.boundaries ?? [], series)
        : `${name}${labels === '' ? '' : `{${labels}}`} ${series.value}\n`;
  }
  return text;
}

function renderHistogram(name: string, labels: string, boundaries: readonly number[], series: SeriesSnapshot): string {
  const lead = labels === '' ? '' : `${labels},`;
  const tail = labels === '' ? '' : `{${labels}}`;
  let text = '';
  let count = 0;
  for (const [index, amount] of (series.buckets ?? []).entries()) {
    count += amount;
    text += `${name}_bucket{${lead}le="${boundaries[index] ?? '+Inf'}"} ${count}\n`;
  }
  return `${text}${name}_sum${tail} ${series.value}\n${name}_count${tail} ${count}\n`;
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name.replaceAll(/[^a-zA-Z0-9_]/g, '_')}="${escapeLabel(value)}"`)
    .join(',');
}

function escapeLabel(value: string): string {
  return value.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapeHelp(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function sameShape(a: FamilySnapshot, b: FamilySnapshot): boolean {
  return a.kind === b.kind && (a.boundaries ?? []).join() === (b.boundaries ?? []).join();
}

function withProcess(series: SeriesSnapshot, process: string): SeriesSnapshot {
  return { ...series, labels: { ...series.labels, process } };
}

function combine(a: SeriesSnapshot, b: SeriesSnapshot, across: GaugeScope | undefined): SeriesSnapshot {
  if (across === 'highest') return a.value >= b.value ? a : b;
  if (across === 'lowest') return a.value <= b.value ? a : b;
  const sum = { labels: a.labels, value: a.value + b.value };
  if (a.buckets === undefined) return sum;
  return { ...sum, buckets: a.buckets.map((amount, index) => amount + (b.buckets?.[index] ?? 0)) };
}
