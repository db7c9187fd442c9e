/** What the chart's values mean. */
import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '@headgate/core/config';
import { CASES, ROOT, valuesFile } from './files.ts';
import { type Manifest, render } from './render.ts';
import { AROUND_SLEEP, newest, rendersOf } from './renders.ts';
import { alertsOf } from './rules.ts';
import { container, type Labels, only, selects, workload, workloads } from './shapes.ts';

test('defaults ask nothing of the cluster: no volume, no autoscaler, no CRD, no role', async () => {
  const kinds = new Set((await rendersOf('default')).map(({ kind, apiVersion }) => `${apiVersion} ${kind}`));
  assert.deepEqual(
    [...kinds].sort(),
    [
      ...['apps/v1 Deployment', 'apps/v1 StatefulSet', 'policy/v1 PodDisruptionBudget'],
      ...['v1 ConfigMap', 'v1 Pod', 'v1 Secret', 'v1 Service', 'v1 ServiceAccount'],
    ].sort(),
  );
  assert.deepEqual(workload(await rendersOf('default'), 'redis').claims, []);
  assert.deepEqual(workload(await rendersOf('redis-persistent'), 'redis').claims, ['data']);
});

test('the simulator stands in exactly where no provider is set up', async () => {
  for (const name of CASES) {
    const manifests = await rendersOf(name);
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
    for (const one of workloads(await rendersOf(name))) {
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
    for (const kubeVersion of AROUND_SLEEP) {
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
      for (const one of container(await rendersOf(name), component).env ?? []) names.add(one.name);
    }
  }
  const ours = [...names].filter((name) => /^HEADGATE_|^REDIS_URL$/.test(name));
  assert.ok(ours.length >= 10);
  assert.deepEqual(
    ours.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)),
    [],
  );
});

test('control takes the headgate.yaml that is rendered', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'headgate-config-'));
  const file = path.join(folder, 'headgate.yaml');
  const keys = { OPENAI_API_KEY: 'a', ANTHROPIC_API_KEY: 'b' };
  try {
    for (const name of CASES.filter((one) => one !== 'existing-configmap')) {
      const { data } = only(await rendersOf(name), 'ConfigMap', configMapName(await rendersOf(name)));
      writeFileSync(file, (data as Labels)['headgate.yaml'] ?? '');
      const { config } = loadConfig({ env: { ...keys, HEADGATE_CONFIG: file }, cwd: folder });
      if (name !== 'production') continue;
      assert.equal(config.server.maxBodyBytes, 33_554_432);
      assert.equal(config.models?.[0]?.pricing?.input, 0.00000015);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function configMapName(manifests: readonly Manifest[]): string {
  const volumes = workload(manifests, 'control').template.spec.volumes ?? [];
  return volumes.find(({ name }) => name === 'config')?.configMap?.name ?? '';
}

test('provider keys go to control alone', async () => {
  for (const component of ['ingress', 'embedder']) {
    assert.equal(container(await rendersOf('created-secrets'), component).envFrom, undefined);
  }
  const names = container(await rendersOf('existing-secrets'), 'control').envFrom?.map(
    ({ secretRef }) => secretRef?.name,
  );
  assert.deepEqual(names, ['openai', 'anthropic']);
});

test('outside, there is /v1 and nothing else; streams may take their time', async () => {
  const route = only(await rendersOf('production'), 'HTTPRoute').spec as {
    rules: { matches: { path: object }[]; timeouts: object }[];
  };
  assert.deepEqual(
    route.rules.map(({ matches, timeouts }) => ({ matches, timeouts })),
    [{ matches: [{ path: { type: 'PathPrefix', value: '/v1' } }], timeouts: { request: '0s', backendRequest: '0s' } }],
  );
  const ingress = only(await rendersOf('ingress'), 'Ingress');
  const { rules } = ingress.spec as { rules: { http: { paths: { path: string }[] } }[] };
  assert.deepEqual(
    rules.flatMap(({ http }) => http.paths.map(({ path }) => path)),
    ['/v1'],
  );
  assert.equal(ingress.metadata.annotations?.['nginx.ingress.kubernetes.io/proxy-buffering'], 'off');
});

test('where no embedder is wanted, no alert misses one', async () => {
  const names = async (set: readonly string[]) =>
    alertsOf(await render(newest(), { values: 'monitoring', set })).map(({ alert }) => alert);
  const [all, without] = [await names([]), await names(['embedder.enabled=false'])];
  assert.ok(all.includes('HeadgateNoEmbedder') && !without.includes('HeadgateNoEmbedder'));
  assert.equal(all.length - without.length, 3);
});

test('pods of the platform that gives ids have none', async () => {
  for (const { name, template } of workloads(await rendersOf('openshift'))) {
    const ids = Object.keys(template.spec.securityContext ?? {});
    assert.deepEqual(
      ids.filter((field) => /^(runAs(User|Group)|fsGroup|supplementalGroups)$/.test(field)),
      [],
      name,
    );
  }
});

test('a network policy for every pod that serves, and the way to metadata services is closed', async () => {
  for (const name of ['network-policies', 'production', 'redis-cluster-tls']) {
    const manifests = await rendersOf(name);
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

test('a variable that is given again stands there once, with the last value', async () => {
  const again = (name: string, value: string, at: string) => [`${at}.name=${name}`, `${at}.value=${value}`];
  const manifests = await render(newest(), {
    values: 'default',
    set: [
      ...again('HEADGATE_LOG_LEVEL', 'debug', 'extraEnv[0]'),
      ...again('NODE_OPTIONS', '--for-all', 'extraEnv[1]'),
      ...again('NODE_OPTIONS', '--for-ingress', 'ingress.extraEnv[0]'),
    ],
  });
  for (const [component, options] of [
    ['ingress', '--for-ingress'],
    ['control', '--for-all'],
    ['embedder', '--for-all'],
  ] as const) {
    const { env = [] } = container(manifests, component);
    assert.equal(new Set(env.map(({ name }) => name)).size, env.length, component);
    const value = (name: string) => env.find((one) => one.name === name)?.value;
    assert.deepEqual([value('HEADGATE_LOG_LEVEL'), value('NODE_OPTIONS')], ['debug', options], component);
  }
});

test('pods that are all to go before new ones come have no rolling update', async () => {
  const set = ['ingress', 'control', 'embedder'].map((component) => `${component}.strategy.type=Recreate`);
  const manifests = await render(newest(), { values: 'default', set });
  for (const { kind, metadata, spec } of manifests) {
    if (kind !== 'Deployment' || metadata.name.endsWith('-simulator')) continue;
    assert.deepEqual((spec as { strategy: object }).strategy, { type: 'Recreate' }, metadata.name);
  }
});

test('long names that begin alike do not meet', async () => {
  const namesOf = async (fullname: string) =>
    (await render(newest(), { values: 'default', set: [`fullnameOverride=${fullname}`] })).map(
      ({ kind, metadata }) => `${kind} ${metadata.name}`,
    );
  const [one, two] = await Promise.all(
    ['one', 'two'].map((end) => namesOf(`headgate-customer-facing-production-eu-west-${end}`)),
  );
  assert.ok(one && two);
  assert.deepEqual(
    one.filter((name) => two.includes(name)),
    [],
  );
});

test('what costs money is asked by no test of a release', async () => {
  const modelOf = async (set: readonly string[]) =>
    container(await render(newest(), { values: 'default', set }), 'test').env?.find(({ name }) => name === 'MODEL');
  assert.ok(await modelOf([]));
  for (const set of [
    ['providerKeys.existingSecrets={a}', 'demo.enabled=true'],
    ['extraEnvFrom[0].secretRef.name=a'],
    ['config.models[0].id=a/b', 'config.models[0].endpoints[0].provider=openai'],
  ]) {
    assert.equal(await modelOf(set), undefined, String(set));
  }
});
