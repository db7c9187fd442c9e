/** The Grafana dashboards: their JSON in charts/headgate/dashboards is written from what request-dashboards.ts and system-dashboards.ts say. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Dashboard, Panel } from './dashboard-parts.ts';
import { CHART, ROOT } from './files.ts';
import { REQUEST_DASHBOARDS } from './request-dashboards.ts';
import { SYSTEM_DASHBOARDS } from './system-dashboards.ts';

const DASHBOARDS = [...REQUEST_DASHBOARDS, ...SYSTEM_DASHBOARDS];
const FOLDER = path.join(CHART, 'dashboards');
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 24;

/** Name of the file -> its JSON. */
export function dashboards(): Map<string, object> {
  return new Map(DASHBOARDS.map((dashboard) => [`${dashboard.name}.json`, grafana(dashboard)]));
}

export function readDashboards(): Map<string, unknown> {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  return new Map(names.map((name) => [name, JSON.parse(readFileSync(path.join(FOLDER, name), 'utf8'))]));
}

export function writeDashboards(): void {
  mkdirSync(FOLDER, { recursive: true });
  const now = dashboards();
  for (const name of readdirSync(FOLDER)) if (!now.has(name)) rmSync(path.join(FOLDER, name));
  for (const [name, json] of now) writeFileSync(path.join(FOLDER, name), JSON.stringify(json));
  execFileSync(path.join(ROOT, 'node_modules', '.bin', 'biome'), ['format', '--write', FOLDER], { stdio: 'ignore' });
}

/** All that the dashboards ask, for the checks. */
export function dashboardQueries(): { where: string; expr: string }[] {
  return DASHBOARDS.flatMap(({ name, panels, variables = [] }) => [
    ...panels.flatMap(({ title, queries }) => queries.map(({ expr }) => ({ where: `${name}: ${title}`, expr }))),
    ...variables.map(({ label, metric, of }) => ({ where: `${name}: ${label}`, expr: `group by (${of}) (${metric})` })),
  ]);
}

function grafana({ name, title, variables = [], panels }: Dashboard): object {
  const selections = [
    { name: 'namespace', label: 'Namespace', metric: 'headgate_build_info', of: 'namespace', scope: '' },
    ...variables.map((variable) => ({ ...variable, scope: '{namespace=~"$namespace"}' })),
  ];
  return {
    uid: `headgate-${name}`,
    title,
    tags: ['headgate'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    links: [{ type: 'dashboards', title: 'Headgate', tags: ['headgate'], asDropdown: true, keepTime: true }],
    templating: {
      list: [
        { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
        ...selections.map(({ name: variable, label, metric, of, scope }) => ({
          ...{ name: variable, label, type: 'query', datasource: DATASOURCE, refresh: 2, sort: 1 },
          ...{ includeAll: true, multi: true, allValue: '.*', current: { text: 'All', value: '$__all' } },
          query: { query: `label_values(${metric}${scope}, ${of})`, refId: variable },
        })),
      ],
    },
    panels: placed(panels),
  };
}

function placed(panels: readonly Panel[]): object[] {
  let x = 0;
  let y = 0;
  let rowHeight = 0;
  return panels.map((panel, index) => {
    const width = panel.width ?? 12;
    const height = panel.kind === 'stat' ? 4 : 8;
    if (x + width > COLUMNS) {
      x = 0;
      y += rowHeight;
      rowHeight = 0;
    }
    const gridPos = { x, y, w: width, h: height };
    x += width;
    rowHeight = Math.max(rowHeight, height);
    return { id: index + 1, gridPos, ...content(panel) };
  });
}

function content({ title, description, unit, kind = 'timeseries', queries, text, stacked = false }: Panel): object {
  const head = { type: kind, title, ...(description === undefined ? {} : { description }) };
  if (kind === 'text') return { ...head, options: { mode: 'markdown', content: text ?? '' } };
  const targets = queries.map(({ expr, legend }, index) => ({
    ...{ refId: String.fromCharCode(65 + index), datasource: DATASOURCE, expr, legendFormat: legend || '__auto' },
    ...(kind === 'table' ? { format: 'table', instant: true } : {}),
  }));
  const stacking = stacked ? { custom: { stacking: { mode: 'normal' }, fillOpacity: 30 } } : {};
  return { ...head, datasource: DATASOURCE, fieldConfig: { defaults: { unit, ...stacking }, overrides: [] }, targets };
}
