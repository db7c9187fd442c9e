/** Dashboards and alerts ask for nothing but what a running Headgate tells. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { METRIC } from '@headgate/core/telemetry';
import { parse } from 'yaml';
import { dashboardQueries } from './dashboards.ts';
import { CHART } from './files.ts';
import { findHelms } from './helm.ts';
import { missingFrom, readSeries, type Series } from './queries.ts';
import { render } from './render.ts';
import { only } from './shapes.ts';
import { scrapeAfterTraffic } from './traffic.ts';

let series: readonly Series[];
let queueKeys: readonly string[];

before(async () => {
  const { ingress, embedder, control, queueKeys: found } = await scrapeAfterTraffic();
  queueKeys = found;
  series = [...readSeries(ingress), ...readSeries(embedder), ...readSeries(control)];
});

test('every metric that there is has a series after that traffic', () => {
  // In the text, units and _total follow the name.
  const names = series.map(({ name }) => name);
  const absent = Object.values(METRIC)
    .map(({ name }) => name.replaceAll('.', '_'))
    .filter((start) => !names.some((name) => name.startsWith(start)));
  assert.deepEqual(absent, []);
});

test('dashboards ask for what is there', () => {
  const faults = dashboardQueries().flatMap(({ where, expr }) =>
    missingFrom(series, expr).map((fault) => `${where}: ${fault}`),
  );
  assert.deepEqual(faults, []);
});

test('alerts ask for what is there', () => {
  const { alerts } = parse(readFileSync(path.join(CHART, 'rules', 'alerts.yaml'), 'utf8')) as {
    alerts: { alert: string; expr: string }[];
  };
  assert.ok(alerts.length > 10);
  const faults = alerts.flatMap(({ alert, expr }) =>
    missingFrom(series, expr.replaceAll('MATCHERS', 'namespace="ai"')).map((fault) => `${alert}: ${fault}`),
  );
  assert.deepEqual(faults, []);
});

const { helms, missing } = findHelms();
const [helm] = helms;
const skip = helm === undefined && `SKIPPED, the chart cannot be rendered: ${missing.join('; ')}`;

test('the autoscaler goes by a metric that is there', { skip }, async () => {
  const names = (await render(helm ?? assert.fail(), { values: 'hpa' })).flatMap(({ kind, spec }) => {
    if (kind !== 'HorizontalPodAutoscaler') return [];
    const { metrics } = spec as { metrics: { pods?: { metric: { name: string } } }[] };
    return metrics.flatMap(({ pods }) => pods?.metric.name ?? []);
  });
  assert.equal(names.length, 1);
  for (const name of names) assert.deepEqual(missingFrom(series, name), []);
});

test('KEDA looks at the queues that embedders work off', { skip }, async () => {
  const set = ['embedder.keda.enabled=true', 'embedder.keda.providers={google}'];
  const { triggers } = only(await render(helm ?? assert.fail(), { set }), 'ScaledObject').spec as {
    triggers: { metadata: { listName: string } }[];
  };
  const asked = triggers.map(({ metadata }) => metadata.listName).sort();
  // The queue of another provider is not named; that of probes is control's.
  const queues = queueKeys
    .flatMap((key) => (key.endsWith(':meta') ? [key.slice(0, -':meta'.length)] : []))
    .filter((queue) => !/:embed-(?!google)|probe/.test(queue));
  assert.deepEqual(asked, queues.flatMap((queue) => [`${queue}:prioritized`, `${queue}:wait`]).sort());
});

test('a metric, a label and a value that are not there are found', () => {
  for (const wrong of [
    'sum(rate(gateway_request_total[5m]))',
    'sum by (model) (gateway_streams_open)',
    'rate(gateway_upstream_attempts_total{gateway_outcome="unauthorised"}[5m])',
    'gateway_tokens_total{model="a"}',
    '1 - 2',
  ]) {
    assert.notDeepEqual(missingFrom(series, wrong), [], wrong);
  }
});
