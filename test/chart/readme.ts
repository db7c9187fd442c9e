/** The tables in the chart's README: of values from the comments in values.yaml that begin with "--", and of alerts. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMap, isNode, isScalar, parse, parseDocument } from 'yaml';
import { CHART } from './files.ts';

interface Row {
  readonly name: string;
  readonly value: string;
  readonly text: string;
}

export interface Readme {
  readonly now: string;
  readonly wanted: string;
  /** Values without a comment. */
  readonly undocumented: readonly string[];
}

export function readme(): Readme {
  const now = readFileSync(path.join(CHART, 'README.md'), 'utf8');
  const document = parseDocument(readFileSync(path.join(CHART, 'values.yaml'), 'utf8'));
  const rows: Row[] = [];
  const undocumented: string[] = [];
  collect(document.contents, '', rows, undocumented);
  const values = rows.map(({ name, value, text }) => `| \`${name}\` | ${value} | ${cell(text)} |`);
  const wanted = withSection(
    withSection(now, 'values', ['| value | default | |', '| --- | --- | --- |', ...values]),
    'alerts',
    ['| alert | severity | means, and what to do |', '| --- | --- | --- |', ...alertRows()],
  );
  return { now, wanted, undocumented };
}

export function writeReadme(): void {
  writeFileSync(path.join(CHART, 'README.md'), readme().wanted);
}

function withSection(text: string, name: string, lines: readonly string[]): string {
  const begin = `<!-- ${name}: begin, written by npm run chart:write -->`;
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(`<!-- ${name}: end -->`);
  if (from < begin.length || to < from) throw new Error(`README.md has no place for ${name}`);
  return `${text.slice(0, from)}\n\n${lines.join('\n')}\n\n${text.slice(to)}`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

function alertRows(): string[] {
  const { alerts } = parse(readFileSync(path.join(CHART, 'rules', 'alerts.yaml'), 'utf8')) as {
    alerts: readonly { alert: string; for: string; severity: string; summary: string; description: string }[];
  };
  return alerts.map(({ alert, severity, summary, description }) => {
    // Prometheus fills in which pod, provider or number it is.
    const plain = description
      .replaceAll(
        /\{\{ \$labels\.(\w+) \}\}/g,
        (_, label: string) => `*${label.replace(/^gateway_|^gen_ai_request_/, '').replaceAll('_', ' ')}*`,
      )
      .replaceAll(/\{\{ \$value[^}]*\}\}/g, '*so many*');
    return `| \`${alert}\` | ${severity} | ${summary}. ${cell(plain)} |`;
  });
}

function collect(node: unknown, prefix: string, rows: Row[], undocumented: string[]): void {
  if (!isMap(node)) return;
  for (const [index, { key, value }] of node.items.entries()) {
    if (!isScalar(key)) continue;
    const name = `${prefix}${key.value}`;
    // A comment before the first key of a map is the map's.
    const comment = key.commentBefore ?? (index === 0 ? node.commentBefore : undefined) ?? '';
    const text = /(?:^|\n) ?-- (.*)$/s.exec(comment)?.[1]?.trim();
    if (text !== undefined) {
      const plain = isNode(value) ? value.toJSON() : value;
      rows.push({ name, value: `\`${cell(JSON.stringify(plain))}\``, text });
    } else if (isMap(value) && value.items.length > 0) collect(value, `${name}.`, rows, undocumented);
    else undocumented.push(name);
  }
}
