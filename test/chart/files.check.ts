/** Files of the chart that are not templates. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { dashboards, readDashboards } from './dashboards.ts';
import { CHART, ROOT } from './files.ts';
import { readme } from './readme.ts';

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

test('the dashboards are as they are defined (npm run chart:write)', () => {
  const [wanted, now] = [dashboards(), readDashboards()];
  assert.deepEqual([...now.keys()].sort(), [...wanted.keys()].sort());
  for (const [name, json] of wanted) assert.deepEqual(now.get(name), json, name);
});

interface Skaffold {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly build: {
    readonly tagPolicy: object;
    readonly local: object;
    readonly artifacts: readonly {
      image: string;
      context: string;
      docker: { dockerfile: string; buildArgs?: object };
    }[];
  };
  readonly manifests: {
    readonly helm: {
      readonly releases: readonly {
        name: string;
        chartPath: string;
        valuesFiles: string[];
        setValueTemplates: object;
      }[];
    };
  };
  readonly deploy: object;
  readonly profiles: readonly { name: string; patches: readonly { op: string; path: string; value: string }[] }[];
}

/** Skaffold itself cannot be had here; these are the fields of v4beta14 that are used, and what they name is held against the tree. */
test('skaffold.yaml builds the one image and installs the chart with it', () => {
  const skaffold = parse(readFileSync(path.join(ROOT, 'skaffold.yaml'), 'utf8')) as Skaffold;
  const fields = ['apiVersion', 'build', 'deploy', 'kind', 'manifests', 'metadata', 'portForward', 'profiles'];
  assert.deepEqual(Object.keys(skaffold).sort(), fields);
  assert.equal(skaffold.apiVersion, 'skaffold/v4beta14');
  assert.equal(skaffold.kind, 'Config');
  assert.deepEqual(skaffold.build.local, { push: false, useBuildkit: true, concurrency: 1 });

  const [artifact, ...more] = skaffold.build.artifacts;
  assert.ok(artifact !== undefined && more.length === 0);
  const dockerfile = readFileSync(path.join(ROOT, artifact.context, artifact.docker.dockerfile), 'utf8');
  const name = artifact.image.replaceAll(/[^A-Za-z0-9]/g, '_');

  const [release, ...others] = skaffold.manifests.helm.releases;
  assert.ok(release !== undefined && others.length === 0);
  assert.deepEqual(release.setValueTemplates, {
    'image.repository': `{{.IMAGE_REPO_${name}}}`,
    'image.tag': `{{.IMAGE_TAG_${name}}}`,
  });
  assert.equal(path.resolve(ROOT, release.chartPath), CHART);
  for (const file of release.valuesFiles) assert.ok(isMap(parse(readFileSync(path.join(ROOT, file), 'utf8'))), file);
  for (const { path: at } of skaffold.profiles.flatMap(({ patches }) => patches)) {
    const argument = /^\/build\/artifacts\/0\/docker\/buildArgs\/(\w+)$/.exec(at)?.[1];
    assert.match(dockerfile, new RegExp(`^ARG ${argument}=`, 'm'));
  }
});
