/** The chart, rendered with every values file in ci/ by helm 3 and 4, and held against everything that can be known without a cluster. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { CASES, ROOT, valuesFile } from './files.ts';
import { goldens, readGoldens, steady } from './golden.ts';
import { findHelms, type Helm } from './helm.ts';
import { policyFaults } from './policy.ts';
import { referenceFaults } from './references.ts';
import { KUBE_VERSION, lint, type Manifest, render } from './render.ts';
import { container, type Labels, only, selects, workload, workloads } from './shapes.ts';
import { type Origin, strictFaults } from './strict.ts';

/** The oldest that Chart.yaml allows, both sides of the preStop sleep, the newest. */
const KUBE_VERSIONS = ['1.27.0', '1.29.15', '1.30.0', '1.36.3-gke.100'];

const { helms, missing } = findHelms();
const [first] = helms;

test('helm 3 and helm 4 are there', () => {
  assert.deepEqual(missing, [], 'the chart was NOT checked with these');
  assert.equal(helms.length, 2);
});

/** Values file and helm -> what it renders. */
const rendered = new Map<string, Promise<Manifest[]>>();

function of(name: string, helm: Helm = newest()): Promise<Manifest[]> {
  const key = `${name} ${helm.name}`;
  const known = rendered.get(key) ?? render(helm, { values: name });
  rendered.set(key, known);
  return known;
}

function newest(): Helm {
  assert.ok(first, `no helm: ${missing.join('; ')}`);
  return first;
}

test('helm lint --strict finds nothing', async () => {
  for (const helm of helms) for (const name of CASES) await lint(helm, name);
});

test('both helms render the same, and the same again', async () => {
  for (const name of CASES) {
    const [one, ...others] = await Promise.all([
      ...helms.map((helm) => of(name, helm)),
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
    for (const kubeVersion of [KUBE_VERSION, ...KUBE_VERSIONS]) {
      const manifests = kubeVersion === KUBE_VERSION ? of(name) : render(newest(), { values: name, kubeVersion });
      for (const manifest of await manifests) origins.push({ where: `${name}, ${kubeVersion}`, manifest });
    }
  }
  assert.ok(origins.length > 1_000);
  assert.deepEqual(await strictFaults(origins), []);
});

test('a field that does not exist, a wrong type and a wrong value are found', async () => {
  const [deployment] = (await of('default')).filter(({ kind }) => kind === 'Deployment');
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
      const manifests = await of(name);
      assert.deepEqual(policyFaults(manifests), []);
      assert.deepEqual(referenceFaults(manifests, readFileSync(valuesFile(name), 'utf8')), []);
      const ids = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      assert.equal(new Set(ids).size, ids.length, 'two objects have one name');
    });
  }
});

test('the rules find what breaks them', async () => {
  const manifests = await of('default');
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

test('defaults ask nothing of the cluster: no volume, no autoscaler, no CRD, no role', async () => {
  const kinds = new Set((await of('default')).map(({ kind, apiVersion }) => `${apiVersion} ${kind}`));
  assert.deepEqual(
    [...kinds].sort(),
    [
      ...['apps/v1 Deployment', 'apps/v1 StatefulSet', 'policy/v1 PodDisruptionBudget'],
      ...['v1 ConfigMap', 'v1 Pod', 'v1 Secret', 'v1 Service', 'v1 ServiceAccount'],
    ].sort(),
  );
  assert.deepEqual(workload(await of('default'), 'redis').claims, []);
  assert.deepEqual(workload(await of('redis-persistent'), 'redis').claims, ['data']);
});

test('the simulator stands in exactly where no provider is set up', async () => {
  for (const name of CASES) {
    const manifests = await of(name);
    const demo = manifests.some(({ metadata }) => metadata.name.endsWith('-simulator'));
    const told = container(manifests, 'control').env?.some((one) => one.name === 'HEADGATE_SIMULATOR_URL') === true;
    const providers = /^providerKeys:|^ {2}providers:|^existingConfigMap:/m.test(
      readFileSync(valuesFile(name), 'utf8'),
    );
    assert.equal(demo, !providers, name);
    assert.equal(told, demo, name);
  }
});

test('replicas are left to whoever scales', async () => {
  const replicas = async (name: string) =>
    ['ingress', 'embedder', 'control'].map((component) => {
      const found = workloadsOf.find(([one]) => one === `${name} ${component}`);
      return found?.[1];
    });
  const workloadsOf: [string, number | undefined][] = [];
  for (const name of CASES) {
    for (const one of workloads(await of(name))) {
      workloadsOf.push([`${name} ${one.template.metadata.labels['app.kubernetes.io/component']}`, one.replicas]);
    }
  }
  assert.deepEqual(await replicas('default'), [2, 1, 1]);
  assert.deepEqual(await replicas('hpa'), [undefined, undefined, 1]);
  assert.deepEqual(await replicas('keda'), [2, undefined, 1]);
  assert.deepEqual(await replicas('openshift'), [undefined, undefined, undefined]);
});

test('one setting makes the pause, the limit and the grace, and they fit', async () => {
  for (const name of CASES) {
    for (const kubeVersion of KUBE_VERSIONS) {
      const manifests = await render(newest(), { values: name, kubeVersion });
      const { env = [], lifecycle } = container(manifests, 'ingress');
      const seconds = (variable: string) => Number(env.find((one) => one.name === variable)?.value);
      const delay = seconds('HEADGATE_DRAIN_DELAY_SECONDS');
      const limit = seconds('HEADGATE_DRAIN_TIMEOUT_SECONDS');
      const sleep = lifecycle?.preStop?.sleep?.seconds ?? 0;
      const grace = workload(manifests, 'ingress').template.spec.terminationGracePeriodSeconds ?? 0;
      assert.ok(grace >= sleep + delay + limit + 5, `${name}: ${grace} s for ${sleep} + ${delay} + ${limit}`);
      const hasSleep = !/^1\.2/.test(kubeVersion);
      if (name !== 'extras') assert.equal(sleep, hasSleep ? delay : 0, `${name} on ${kubeVersion}`);
    }
  }
});

test('only what a process reads at its start restarts a pod', async () => {
  const template = async (component: string, ...set: string[]) =>
    workload(await render(newest(), { values: 'created-secrets', set }), component).template;
  const route = 'config.limits.users.requestsPerMinute=5';
  const key = 'providerKeys.values.OPENAI_API_KEY=another';
  for (const component of ['ingress', 'embedder', 'control', 'redis']) {
    assert.deepEqual(await template(component, route), await template(component), `${component} and a changed route`);
  }
  assert.notDeepEqual(await template('control', key), await template('control'));
  for (const component of ['ingress', 'embedder', 'redis']) {
    assert.deepEqual(await template(component, key), await template(component), `${component} and a changed key`);
  }
});

test('services read every variable that the chart sets', async () => {
  const sources = globSync('services/*/src/**/*.ts', { cwd: ROOT }).filter((file) => !/\.test(ing)?\./.test(file));
  const text = sources.map((file) => readFileSync(path.join(ROOT, file), 'utf8')).join('\n');
  const names = new Set<string>();
  for (const name of CASES) {
    for (const component of ['ingress', 'control']) {
      for (const one of container(await of(name), component).env ?? []) names.add(one.name);
    }
  }
  const ours = [...names].filter((name) => /^HEADGATE_|^REDIS_URL$/.test(name));
  assert.ok(ours.length >= 10);
  assert.deepEqual(
    ours.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)),
    [],
  );
});

test('provider keys go to control alone', async () => {
  for (const component of ['ingress', 'embedder']) {
    assert.equal(container(await of('created-secrets'), component).envFrom, undefined);
  }
  const names = container(await of('existing-secrets'), 'control').envFrom?.map(({ secretRef }) => secretRef?.name);
  assert.deepEqual(names, ['openai', 'anthropic']);
});

test('outside, there is /v1 and nothing else; streams may take their time', async () => {
  const route = only(await of('production'), 'HTTPRoute').spec as {
    rules: { matches: { path: object }[]; timeouts: object }[];
  };
  assert.deepEqual(
    route.rules.map(({ matches, timeouts }) => ({ matches, timeouts })),
    [{ matches: [{ path: { type: 'PathPrefix', value: '/v1' } }], timeouts: { request: '0s', backendRequest: '0s' } }],
  );
  const ingress = only(await of('ingress'), 'Ingress');
  const { rules } = ingress.spec as { rules: { http: { paths: { path: string }[] } }[] };
  assert.deepEqual(
    rules.flatMap(({ http }) => http.paths.map(({ path }) => path)),
    ['/v1'],
  );
  assert.equal(ingress.metadata.annotations?.['nginx.ingress.kubernetes.io/proxy-buffering'], 'off');
});

test('pods of the platform that gives ids have none', async () => {
  for (const { name, template } of workloads(await of('openshift'))) {
    const ids = Object.keys(template.spec.securityContext ?? {});
    assert.deepEqual(ids.sort(), ['runAsNonRoot', 'seccompProfile'], name);
  }
});

test('a network policy for every pod that serves, and the way to metadata services is closed', async () => {
  for (const name of ['network-policies', 'production', 'redis-cluster-tls']) {
    const manifests = await of(name);
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    for (const { name: pod, template } of workloads(manifests).filter(({ kind }) => kind !== 'Pod')) {
      const own = policies.filter(({ spec }) =>
        selects((spec as { podSelector: { matchLabels: Labels } }).podSelector.matchLabels, template.metadata.labels),
      );
      assert.equal(own.length, 1, `${name}: ${pod}`);
    }
    for (const { spec, metadata } of policies) {
      type Rule = { to?: { ipBlock?: { cidr: string; except?: string[] } }[] };
      for (const { to = [] } of (spec as { egress: Rule[] | null }).egress ?? []) {
        for (const { ipBlock } of to)
          if (ipBlock) assert.ok(ipBlock.except?.length, `${metadata.name}: ${ipBlock.cidr}`);
      }
    }
  }
});
