/** Dashboards and alerts ask for nothing but what a running Headgate tells. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { METRIC } from '@headgate/core/telemetry';
import { parse } from 'yaml';
import { dashboardQueries } from './dashboards.ts';
import { CHART } from './files.ts';
import { missingFrom, readSeries, type Series } from './queries.ts';
import { scrapeAfterTraffic } from './traffic.ts';

let series: readonly Series[];

before(async () => {
  const { ingress, embedder } = await scrapeAfterTraffic();
  series = [...readSeries(ingress), ...readSeries(embedder)];
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
