/** What the chart's Secrets hold is made once: an upgrade finds it in the cluster, and keeps it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { CHART } from './files.ts';
import type { Helm } from './helm.ts';
import { type Manifest, NAMESPACE, parse, RELEASE } from './render.ts';
import { helms } from './renders.ts';
import { type Labels, only } from './shapes.ts';

type Secrets = ReadonlyMap<string, Labels>;

/** As helm marks what it has installed; it takes over nothing else. */
const OWNED = {
  namespace: NAMESPACE,
  labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': RELEASE, 'meta.helm.sh/release-namespace': NAMESPACE },
};

/** Kinds of the default render. */
const RESOURCES: ReadonlyMap<string, readonly string[]> = new Map([
  ['v1', ['ConfigMap', 'Pod', 'Secret', 'Service', 'ServiceAccount']],
  ['apps/v1', ['Deployment', 'StatefulSet']],
  ['policy/v1', ['PodDisruptionBudget']],
]);
const GROUPS = [...RESOURCES.keys()].filter((name) => name !== 'v1');

const resourceOf = (kind: string) => {
  const singularName = kind.toLowerCase();
  return { name: `${singularName}s`, singularName, namespaced: true, kind, verbs: ['get', 'list'] };
};

const groupOf = (groupVersion: string) => {
  const [name, version] = groupVersion.split('/');
  return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } };
};

/** What helm asks of the Kubernetes API to look up a Secret, and no more. */
async function withCluster<T>(secrets: Secrets, use: (kubeconfig: string) => Promise<T>): Promise<T> {
  const server = createServer((request, response) => {
    const place = (request.url ?? '').split('?')[0] ?? '';
    const answer = (value: object, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (place === '/version') return answer({ major: '1', minor: '34', gitVersion: 'v1.34.0' });
    if (place === '/api') return answer({ kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] });
    if (place === '/apis') return answer({ kind: 'APIGroupList', apiVersion: 'v1', groups: GROUPS.map(groupOf) });
    const resources = RESOURCES.get(place.replace(/^\/apis?\//, ''));
    if (resources !== undefined) {
      const groupVersion = place.replace(/^\/apis?\//, '');
      return answer({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: resources.map(resourceOf) });
    }
    const name = place.startsWith(`/api/v1/namespaces/${NAMESPACE}/secrets/`) ? path.posix.basename(place) : '';
    const data = secrets.get(name);
    if (data === undefined) return answer({ kind: 'Status', apiVersion: 'v1', reason: 'NotFound', code: 404 }, 404);
    return answer({ kind: 'Secret', apiVersion: 'v1', metadata: { name, ...OWNED }, data });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const folder = mkdtempSync(path.join(tmpdir(), 'headgate-kubeconfig-'));
  const file = path.join(folder, 'config');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c', users: [{ name: 'u', user: {} }] },
    clusters: [{ name: 'c', cluster: { server: address } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  };
  writeFileSync(file, JSON.stringify(config));
  try {
    return await use(file);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function renderIn(helm: Helm, secrets: Secrets): Promise<Manifest[]> {
  return withCluster(secrets, async (kubeconfig) => {
    const validation = helm.name === 'helm4' ? ['--disable-openapi-validation'] : [];
    const args = ['template', RELEASE, CHART, '--namespace', NAMESPACE, '--dry-run=server', ...validation];
    const env = { ...process.env, KUBECONFIG: kubeconfig };
    const { stdout } = await promisify(execFile)(helm.program, args, { env, maxBuffer: 64 * 1024 * 1024 });
    return parse(stdout);
  });
}

const secretsOf = (manifests: readonly Manifest[]): Secrets =>
  new Map(['hg-headgate', 'hg-headgate-redis'].map((name) => [name, only(manifests, 'Secret', name).data as Labels]));

for (const helm of helms) {
  test(`${helm.name}: made at the installation, kept by the upgrade`, async () => {
    const installed = secretsOf(await renderIn(helm, new Map()));
    const elsewhere = secretsOf(await renderIn(helm, new Map()));
    for (const [name, data] of installed) {
      for (const [key, text] of Object.entries(data)) {
        assert.match(Buffer.from(text, 'base64').toString(), /^[A-Za-z0-9]{40,64}$/, `${name} ${key}`);
        assert.notEqual(elsewhere.get(name)?.[key], text, 'two installations share a secret');
      }
    }
    assert.deepEqual(secretsOf(await renderIn(helm, installed)), installed);
  });

  test(`${helm.name}: a key that an older version did not make is added, the others stay`, async () => {
    const old = new Map([['hg-headgate', { secret: Buffer.from('as it was').toString('base64') }]]);
    const now = secretsOf(await renderIn(helm, old)).get('hg-headgate');
    assert.equal(now?.secret, old.get('hg-headgate')?.secret);
    assert.ok(now?.['admin-token'] && now['api-key']);
  });
}
