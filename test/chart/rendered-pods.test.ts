/** What `helm install` without any value brings, run here as it was rendered: probes, the curl of the notes, the test pod. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { ROOT } from './files.ts';
import { findHelms } from './helm.ts';
import { render, renderNotes } from './render.ts';
import { RenderedPods } from './rendered-pods.ts';
import { container } from './shapes.ts';

const { helms, missing } = findHelms();
const [helm] = helms;
const skip = helm === undefined && `SKIPPED, the chart cannot be rendered: ${missing.join('; ')}`;
/** Seconds that a test can wait. */
const SET = ['ingress.drain.delaySeconds=1', 'ingress.drain.timeoutSeconds=5'];

describe('the chart, run without a cluster', { skip }, () => {
  let pods: RenderedPods;
  let notes: string;
  let key: string;

  before(async () => {
    assert.ok(helm);
    const manifests = await render(helm, { set: SET });
    notes = await renderNotes(helm, { set: SET });
    pods = new RenderedPods(manifests);
    await pods.start();
    key = pods.variables('control').HEADGATE_API_KEY ?? '';
  });
  after(() => pods?.stop());

  const ingress = (place: string, init: RequestInit = {}) =>
    fetch(`${pods.origin('ingress', 8080)}${place}`, {
      ...init,
      headers: { connection: 'close', authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    });
  const health = async () => (await (await ingress('/health/ready')).json()) as Record<string, unknown>;
  const until = async (what: string, is: () => Promise<boolean>) => {
    for (const end = Date.now() + 15_000; !(await is()); await delay(20)) assert.ok(Date.now() < end, what);
  };

  test('the commands of the notes work', async () => {
    const curls = [...notes.replaceAll('\\\n', ' ').matchAll(/^ *curl http:\/\/127\.0\.0\.1:8080(\S+)(.*)$/gm)];
    assert.equal(curls.length, 2);
    const texts: string[] = [];
    for (const [, place = '', options = ''] of curls) {
      const [, body] = /-d '([^']*)'/.exec(options) ?? [];
      assert.match(options, /-H "Authorization: Bearer \$KEY"/);
      const answer = await ingress(place, body === undefined ? {} : { method: 'POST', body });
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      texts.push(text);
    }
    const completion = JSON.parse(texts[1] ?? '') as { choices: { message: { content: string } }[] };
    assert.ok(completion.choices[0]?.message.content);
  });

  test('the test pod is content', async () => {
    const { command = [], args = [] } = pods.testPod;
    assert.equal(command[0], '/nodejs/bin/node');
    const env = pods.variables('ingress', pods.testPod);
    env.GATEWAY = (env.GATEWAY ?? '').replace(/^http:\/\/[\w-]+:8080$/, pods.origin('ingress', 8080));
    const { stdout } = await promisify(execFile)(process.execPath, [...command.slice(1), ...args], { env });
    assert.match(stdout, /ready 200[\s\S]*without a key 401[\s\S]*models 200[\s\S]*an answer 200/);
    await assert.rejects(
      promisify(execFile)(process.execPath, [...command.slice(1), ...args], { env: { ...env, API_KEY: 'wrong' } }),
      /expected 200/,
    );
  });

  test('an API key is made in the pod of control, as the notes say', async () => {
    const [, words = ''] = /-- headgate (.*)$/m.exec(notes) ?? [];
    const env = pods.variables('control');
    assert.equal(env.HEADGATE_ADMIN_HOST, '127.0.0.1');
    env.HEADGATE_ADMIN_URL = pods.origin('control', 8081);
    const cli = path.join(ROOT, 'services', 'control', 'src', 'cli', 'main.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['-C', 'source', cli, ...words.split(' ')], { env });
    const made = stdout.trim();
    await until('the new key is known', async () => {
      const answer = await fetch(`${pods.origin('ingress', 8080)}/v1/models`, {
        headers: { connection: 'close', authorization: `Bearer ${made}` },
      });
      return answer.status === 200;
    });
  });

  test('the embedder lives and tells of itself where the ServiceMonitor looks', async () => {
    const text = await (await fetch(`${pods.origin('embedder', 8082)}/metrics`)).text();
    assert.match(text, /^headgate_embedders_live 1$/m);
    assert.match(await (await ingress('/metrics')).text(), /^gateway_streams_open 0$/m);
  });

  test('a changed ConfigMap is served without a restart, a broken one is not', async () => {
    const pids = () => (['control', 'ingress', 'embedder'] as const).map((name) => pods.service(name).pid);
    const before = { pids: pids(), digest: (await health()).digest };
    pods.writeConfig(stringify({ limits: { users: { requestsPerMinute: 7 } } }));
    await until('the change is served', async () => (await health()).digest !== before.digest);

    const { digest } = await health();
    pods.writeConfig('limits: {users: {requestsPerMinuet: 7}}\n');
    const refused = (lines: readonly string[]) => lines.some((line) => line.includes('configuration refused')) || null;
    await pods.service('control').until(refused, 10_000, 'word that it is refused');
    assert.equal((await health()).digest, digest);
    assert.deepEqual(pids(), before.pids);
  });

  test('SIGTERM: not ready, still accepting for the delay, ended well within the grace', async () => {
    const service = pods.service('ingress');
    const stopping = service.kill('SIGTERM');
    await until('readiness goes', async () => (await ingress('/health/ready')).status === 503);
    assert.equal((await ingress('/v1/models')).status, 200, 'whoever has not noticed yet is served');
    const began = performance.now();
    await stopping;
    assert.equal(service.exit, 'exit code 0');
    const { lifecycle } = container(await render(helm ?? assert.fail(), { set: SET }), 'ingress');
    assert.deepEqual(lifecycle?.preStop, { sleep: { seconds: 1 } });
    assert.ok(performance.now() - began < 27_000 - 1_000, 'grace is 27 s, the preStop sleep one of them');
  });
});
