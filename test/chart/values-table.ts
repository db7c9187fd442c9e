/** The table of values in the chart's README: from the comments in values.yaml that begin with "--". */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMap, isNode, isScalar, parseDocument } from 'yaml';
import { CHART } from './files.ts';

const BEGIN = '<!-- values: begin, written by npm run chart:write -->';
const END = '<!-- values: end -->';

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
  const table = rows.map(({ name, value, text }) => `| \`${name}\` | ${value} | ${text.replaceAll('|', '\\|')} |`);
  const from = now.indexOf(BEGIN) + BEGIN.length;
  const to = now.indexOf(END);
  const wanted = `${now.slice(0, from)}\n\n| value | default | |\n| --- | --- | --- |\n${table.join('\n')}\n\n${now.slice(to)}`;
  return { now, wanted, undocumented };
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
      rows.push({ name, value: `\`${JSON.stringify(plain)}\``, text });
    } else if (isMap(value) && value.items.length > 0) collect(value, `${name}.`, rows, undocumented);
    else undocumented.push(name);
  }
}

export function writeReadme(): void {
  writeFileSync(path.join(CHART, 'README.md'), readme().wanted);
}
