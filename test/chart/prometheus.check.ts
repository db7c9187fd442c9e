/** Prometheus's own tool reads the alerts and the dashboards' queries, and says when alerts fire. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { ALERT_CASES, type AlertCase } from './alert-cases.ts';
import { dashboardQueries } from './dashboards.ts';
import { findHelms } from './helm.ts';
import { render } from './render.ts';
import { alertsOf, type Rules, rulesOf } from './rules.ts';

const promtool = process.env.HEADGATE_PROMTOOL ?? '';

async function rules(): Promise<Rules> {
  const [helm] = findHelms().helms;
  assert.ok(helm);
  return rulesOf(await render(helm, { values: 'production' }));
}

/** Runs promtool on files of these names and contents; throws what it says. */
async function run(context: TestContext, command: readonly string[], files: Readonly<Record<string, unknown>>) {
  if (promtool === '') return context.skip(process.env.HEADGATE_PROMTOOL_MISSING || 'npm run chart brings promtool');
  const folder = mkdtempSync(path.join(tmpdir(), 'headgate-rules-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), stringify(content));
    const { stdout, stderr } = await promisify(execFile)(promtool, [...command], { cwd: folder });
    return `${stdout}${stderr}`;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${stdout}${stderr}` || String(error));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('promtool takes the alerts', async (context) => {
  await run(context, ['check', 'rules', 'rules.yaml'], { 'rules.yaml': await rules() });
});

test('promtool takes every query of the dashboards', async (context) => {
  const queries = dashboardQueries().map(({ expr }, index) => ({
    record: `dashboard:${index}`,
    expr: expr.replaceAll(/\$__(rate_interval|range)/g, '5m'),
  }));
  await run(context, ['check', 'rules', 'rules.yaml'], {
    'rules.yaml': { groups: [{ name: 'queries', rules: queries }] },
  });
});

test('promtool refuses what is wrong', async (context) => {
  const wrong = { groups: [{ name: 'wrong', rules: [{ record: 'a:b', expr: 'sum by (x (rate(y))' }] }] };
  if (promtool === '') return context.skip(process.env.HEADGATE_PROMTOOL_MISSING);
  await assert.rejects(run(context, ['check', 'rules', 'rules.yaml'], { 'rules.yaml': wrong }), /parse error/);
});

test('every alert fires when it should, and not when it should not', async (context) => {
  const { groups } = await rules();
  const alerts = groups.flatMap((group) => group.rules).map(({ alert }) => alert);
  assert.deepEqual([...new Set(ALERT_CASES.map(({ alert }) => alert))].sort(), [...alerts].sort());
  for (const alert of alerts) {
    const both = new Set(ALERT_CASES.filter((one) => one.alert === alert).map(({ fires }) => fires === null));
    assert.equal(both.size, 2, `${alert}: one that fires, and one that does not`);
  }
  await run(context, ['test', 'rules', 'tests.yaml'], testFiles(groups, ALERT_CASES));
});

test('the other way round, promtool says so of each', async (context) => {
  const { groups } = await rules();
  if (promtool === '') return context.skip(process.env.HEADGATE_PROMTOOL_MISSING);
  const turned = ALERT_CASES.map((one) => ({ ...one, fires: one.fires === null ? {} : null }));
  await assert.rejects(
    run(context, ['test', 'rules', 'tests.yaml'], testFiles(groups, turned)),
    ({ message }: Error) => {
      assert.equal([...message.matchAll(/alertname: /g)].length, ALERT_CASES.length);
      return true;
    },
  );
});

/** What `promtool test rules` reads. Annotations are left out: it would compare their text. */
function testFiles(groups: Rules['groups'], cases: readonly AlertCase[]): Record<string, unknown> {
  const plain = groups.map((group) => ({ ...group, rules: group.rules.map(({ annotations: _, ...rule }) => rule) }));
  const labels = new Map(groups.flatMap((group) => group.rules).map((rule) => [rule.alert, rule.labels]));
  const tests = cases.map(({ alert, series, fires }) => ({
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({
      series: name.includes('{') ? name.replace('{', '{namespace="ai",') : `${name}{namespace="ai"}`,
      values,
    })),
    alert_rule_test: [
      {
        alertname: alert,
        eval_time: '30m',
        exp_alerts: fires === null ? [] : [{ exp_labels: { ...labels.get(alert), ...fires.labels } }],
      },
    ],
  }));
  return { 'rules.yaml': { groups: plain }, 'tests.yaml': { rule_files: ['rules.yaml'], tests } };
}

test('every alert has a text and a page', async () => {
  for (const { alert, annotations, labels } of alertsOf([
    { apiVersion: '', kind: 'PrometheusRule', metadata: { name: '' }, spec: await rules() },
  ])) {
    assert.ok(annotations.summary && annotations.description && annotations.runbook_url, alert);
    assert.match(labels.severity ?? '', /^(critical|warning)$/, alert);
    assert.equal(labels.team, 'platform', alert);
  }
});
