/** Files of the chart that are not templates. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { CHART, ROOT } from './files.ts';
import { readme } from './values-table.ts';

type Json = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

test('README.md has every value, and as it is (npm run chart:write)', () => {
  const { now, wanted, undocumented } = readme();
  assert.deepEqual(undocumented, [], 'a value without a comment that begins with "--"');
  assert.equal(now, wanted);
});

test('values.yaml and values.schema.json know the same values', () => {
  const values: unknown = parse(readFileSync(path.join(CHART, 'values.yaml'), 'utf8'));
  const schema = JSON.parse(readFileSync(path.join(CHART, 'values.schema.json'), 'utf8')) as Json;
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  const refs = [...JSON.stringify(schema).matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref = '']) => ref);
  assert.ok(refs.every((ref) => ref.startsWith('#/$defs/') && ref.slice('#/$defs/'.length) in (schema.$defs as Json)));

  const resolved = (node: Json): Json => {
    const ref = node.$ref;
    return typeof ref === 'string' ? ((schema.$defs as Json)[ref.slice('#/$defs/'.length)] as Json) : node;
  };
  const seen: string[] = [];
  const walk = (value: unknown, given: Json, at: string) => {
    const node = resolved(given);
    const { properties } = node;
    if (!isMap(properties)) return;
    if (at !== 'global') assert.equal(node.additionalProperties, false, `${at}: takes anything`);
    if (!isMap(value)) return;
    const own = typeof given.$ref !== 'string';
    for (const name of new Set([...Object.keys(value), ...(own ? Object.keys(properties) : [])])) {
      const inner = `${at}${at === '' ? '' : '.'}${name}`;
      assert.ok(name in properties, `${inner} stands in values.yaml, not in the schema`);
      assert.ok(name in value, `${inner} stands in the schema, not in values.yaml`);
      seen.push(inner);
      walk(value[name], properties[name] as Json, inner);
    }
  };
  walk(values, schema, '');
  assert.ok(seen.length > 200, `${seen.length}`);
});

test('the chart carries the version of the product', () => {
  const chart = parse(readFileSync(path.join(CHART, 'Chart.yaml'), 'utf8')) as { appVersion: string };
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };
  assert.equal(chart.appVersion, version);
});
