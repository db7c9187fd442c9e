/** The chart, rendered with every values file in ci/ by helm 3 and 4, and held against everything that can be known without a cluster. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { CASES, valuesFile } from './files.ts';
import { goldens, readGoldens, steady } from './golden.ts';
import { policyFaults } from './policy.ts';
import { referenceFaults } from './references.ts';
import { KUBE_VERSION, lint, type Manifest, render } from './render.ts';
import { helms, missing, newest, OLDEST_AND_NEWEST, rendersOf } from './renders.ts';
import { type Origin, strictFaults } from './strict.ts';

test('helm 3 and helm 4 are there', () => {
  assert.deepEqual(missing, [], 'the chart was NOT checked with these');
  assert.equal(helms.length, 2);
});

test('helm lint --strict finds nothing', async () => {
  newest();
  for (const helm of helms) for (const name of CASES) await lint(helm, name);
});

test('both helms render the same, and the same again', async () => {
  for (const name of CASES) {
    const [one, ...others] = await Promise.all([
      ...helms.map((helm) => rendersOf(name, helm)),
      render(newest(), { values: name }),
    ]);
    const sorted = (manifests: readonly Manifest[] = []) =>
      manifests
        .map(steady)
        .sort((a, b) => `${a.kind} ${a.metadata.name}`.localeCompare(`${b.kind} ${b.metadata.name}`));
    for (const other of others) assert.deepEqual(sorted(other), sorted(one), name);
  }
});

test('every manifest is what the Kubernetes API takes, to the last field', async () => {
  const origins: Origin[] = [];
  for (const name of CASES) {
    for (const kubeVersion of [KUBE_VERSION, ...OLDEST_AND_NEWEST]) {
      const manifests =
        kubeVersion === KUBE_VERSION ? rendersOf(name) : render(newest(), { values: name, kubeVersion });
      for (const manifest of await manifests) origins.push({ where: `${name}, ${kubeVersion}`, manifest });
    }
  }
  assert.ok(origins.length > 500);
  assert.deepEqual(await strictFaults(origins), []);
});

test('a field that does not exist, a wrong type and a wrong value are found', async () => {
  const [deployment] = (await rendersOf('default')).filter(({ kind }) => kind === 'Deployment');
  assert.ok(deployment);
  const spec = deployment.spec as object;
  for (const wrong of [{ replicaz: 1 }, { replicas: 'two' }, { strategy: { type: 'Rolling' } }]) {
    const faults = await strictFaults([{ where: 'here', manifest: { ...deployment, spec: { ...spec, ...wrong } } }]);
    assert.notDeepEqual(faults, [], JSON.stringify(wrong));
  }
});

describe('every values file', () => {
  for (const name of CASES) {
    test(`${name}: pods keep the rules, and what objects name is there`, async () => {
      const manifests = await rendersOf(name);
      assert.deepEqual(policyFaults(manifests), []);
      assert.deepEqual(referenceFaults(manifests, readFileSync(valuesFile(name), 'utf8')), []);
      const ids = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      assert.equal(new Set(ids).size, ids.length, 'two objects have one name');
    });
  }
});

test('the rules find what breaks them', async () => {
  const manifests = await rendersOf('default');
  const broken = (change: (text: string) => string) => {
    const changed: Manifest[] = JSON.parse(change(JSON.stringify(manifests)));
    return [...policyFaults(changed), ...referenceFaults(changed, '')];
  };
  assert.deepEqual(
    broken((text) => text),
    [],
  );
  for (const [what, becomes] of [
    ['"runAsNonRoot":true', '"runAsNonRoot":false'],
    ['"readOnlyRootFilesystem":true', '"readOnlyRootFilesystem":false'],
    ['"drop":["ALL"]', '"drop":[]'],
    ['"RuntimeDefault"', '"Unconfined"'],
    ['headgate/headgate:0.1.0', 'headgate/headgate:latest'],
    ['"key":"redis-password"', '"key":"password"'],
    ['"readinessProbe"', '"noProbe"'],
    ['"targetPort":"http"', '"targetPort":"web"'],
    ['"name":"hg-headgate-config"}', '"name":"elsewhere"}'],
    ['"limits":{"memory":"1Gi"}', '"limits":{}'],
    ['"mountPath":"/etc/headgate"', '"mountPath":"/etc/headgate","subPath":"headgate.yaml"'],
  ] as const) {
    assert.notDeepEqual(
      broken((text) => text.replaceAll(what, becomes)),
      [],
      what,
    );
  }
});

test('the golden renders are up to date (npm run chart:write)', async () => {
  const [now, kept] = [await goldens(newest()), readGoldens()];
  assert.deepEqual([...kept.keys()].sort(), [...now.keys()].sort());
  for (const [name, text] of now) assert.equal(kept.get(name), text, name);
});
