/**
 * What the chart renders, kept to be read in reviews: `default.yaml` in full; of the other values files the objects that
 * come and go, and of the others each field that differs.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { CASES, GOLDEN } from './files.ts';
import type { Helm } from './helm.ts';
import { type Manifest, render, renderNotes } from './render.ts';

const HEAD = '# Written by npm run chart:write. What differs from this is shown by npm run chart.\n';

/** Name of the file in golden/ -> its content. */
export async function goldens(helm: Helm): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const plain = new Map((await render(helm, { values: 'default' })).map((one) => [idOf(one), steady(one)]));
  files.set(
    'default.yaml',
    HEAD +
      [...plain]
        .map(([id, one]) => whole(id, one))
        .sort()
        .join(''),
  );
  files.set('default.notes.txt', `${await renderNotes(helm, { values: 'default' })}\n`);
  for (const name of CASES.filter((one) => one !== 'default')) {
    const rendered = new Map((await render(helm, { values: name })).map((one) => [idOf(one), steady(one)]));
    const ids = [...new Set([...plain.keys(), ...rendered.keys()])].sort();
    files.set(`${name}.yaml`, HEAD + ids.map((id) => difference(id, plain.get(id), rendered.get(id))).join(''));
  }
  return files;
}

export function writeGoldens(files: ReadonlyMap<string, string>): void {
  mkdirSync(GOLDEN, { recursive: true });
  for (const name of readdirSync(GOLDEN)) if (!files.has(name)) rmSync(path.join(GOLDEN, name));
  for (const [name, text] of files) writeFileSync(path.join(GOLDEN, name), text);
}

export function readGoldens(): Map<string, string> {
  return new Map(readdirSync(GOLDEN).map((name) => [name, readFileSync(path.join(GOLDEN, name), 'utf8')]));
}

/** Without what is random, and without the dashboards' text, which stands in the chart. */
export function steady(manifest: Manifest): Manifest {
  const { kind, metadata, data } = manifest;
  if (kind === 'Secret' && metadata.annotations?.['helm.sh/resource-policy'] === 'keep') {
    return { ...manifest, data: replaced(data, () => 'random') };
  }
  if (kind === 'ConfigMap' && /-dashboard-/.test(metadata.name)) {
    return { ...manifest, data: replaced(data, (name) => `the file ${name.replace('headgate-', 'dashboards/')}`) };
  }
  return manifest;
}

const replaced = (data: unknown, value: (name: string) => string) =>
  Object.fromEntries(Object.keys(data as object).map((name) => [name, value(name)]));

const idOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;

const whole = (id: string, manifest: Manifest) =>
  `--- # ${id}\n${stringify(manifest, { sortMapEntries: true, lineWidth: 0 })}`;

function difference(id: string, before: Manifest | undefined, after: Manifest | undefined): string {
  if (after === undefined) return `--- # ${id}: not rendered\n`;
  if (before === undefined) return whole(id, after);
  const old = new Map(fields(before));
  const now = new Map(fields(after));
  const lines = [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((field) => {
    if (old.get(field) === now.get(field)) return [];
    const was = old.has(field) ? [`# - ${field}: ${old.get(field)}`] : [];
    return [...was, ...(now.has(field) ? [`# + ${field}: ${now.get(field)}`] : [])];
  });
  return lines.length === 0 ? '' : `--- # ${id}\n${lines.join('\n')}\n`;
}

/** Path -> value, of everything in it. What has a name goes by it, not by its place. */
function fields(value: unknown, path = ''): [string, string][] {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    return [[path, JSON.stringify(value)]];
  }
  return Object.entries(value).flatMap(([key, one]) => {
    const name = Array.isArray(value) ? `[${(one as { name?: string } | null)?.name ?? key}]` : `.${key}`;
    return fields(one, `${path}${name}`);
  });
}
