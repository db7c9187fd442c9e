/**
 * The pods of a render as processes of this machine: the same arguments, variables, files and probes. What a cluster would
 * give is translated: names of Services and ports to free ones of 127.0.0.1, mounts to folders, the image's entry point
 * to the services' sources.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '@headgate/core/testing/port';
import { ServiceProcess } from '../support/service-process.ts';
import { ROOT } from './files.ts';
import type { Manifest } from './render.ts';
import { type Container, container, type Labels, only, type Probe, workload } from './shapes.ts';

const SERVICES = ['simulator', 'control', 'ingress', 'embedder'] as const;
const READY_MS = 30_000;

export type Component = (typeof SERVICES)[number] | 'redis';

export class RenderedPods {
  readonly #manifests: readonly Manifest[];
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'headgate-pods-'));
  /** `component:containerPort` -> port here. */
  readonly #ports = new Map<string, number>();
  readonly #services = new Map<Component, ServiceProcess>();
  #redis: ChildProcess | null = null;
  #configVersion = 0;

  constructor(manifests: readonly Manifest[]) {
    this.#manifests = manifests;
  }

  /** Resolves when every probe of every pod is answered as a kubelet wants it. */
  async start(): Promise<void> {
    for (const component of [...SERVICES, 'redis'] as const) {
      for (const { containerPort } of container(this.#manifests, component).ports ?? []) {
        this.#ports.set(`${component}:${containerPort}`, await freePort());
      }
    }
    const config = only(this.#manifests, 'ConfigMap').data as Labels;
    this.writeConfig(config['headgate.yaml'] ?? '');
    for (const component of SERVICES) this.#startService(component);
    // Nothing says in which order pods come up: without Redis, they live, and wait for it.
    for (const component of SERVICES) {
      const { startupProbe, livenessProbe } = container(this.#manifests, component);
      await this.#answered(component, startupProbe ?? {});
      await this.#answered(component, livenessProbe ?? {});
    }
    this.#startRedis();
    for (const component of ['redis', ...SERVICES] as const) {
      const { startupProbe, readinessProbe, livenessProbe } = container(this.#manifests, component);
      for (const probe of [startupProbe, readinessProbe, livenessProbe]) await this.#answered(component, probe ?? {});
    }
  }

  /** As the kubelet brings a changed ConfigMap: a new folder, and a link that is swapped. */
  writeConfig(text: string): void {
    const mount = this.#mount('/etc/headgate');
    this.#configVersion += 1;
    const version = `..${this.#configVersion}`;
    mkdirSync(path.join(mount, version), { recursive: true });
    writeFileSync(path.join(mount, version, 'headgate.yaml'), text);
    symlinkSync(version, path.join(mount, '..data_tmp'));
    renameSync(path.join(mount, '..data_tmp'), path.join(mount, '..data'));
    if (this.#configVersion === 1) symlinkSync('..data/headgate.yaml', path.join(mount, 'headgate.yaml'));
  }

  /** `http://127.0.0.1:<port>` of a container's port. */
  origin(component: Component, containerPort: number): string {
    return `http://127.0.0.1:${this.port(component, containerPort)}`;
  }

  port(component: Component, containerPort: number): number {
    const port = this.#ports.get(`${component}:${containerPort}`);
    if (port === undefined) throw new Error(`the ${component} has no port ${containerPort}`);
    return port;
  }

  service(component: Component): ServiceProcess {
    const service = this.#services.get(component);
    if (service === undefined) throw new Error(`no ${component} runs`);
    return service;
  }

  /** The variables of a container, as the kubelet would set them, translated. */
  variables(component: Component, of: Container = container(this.#manifests, component)): Record<string, string> {
    const variables: Record<string, string> = {};
    for (const { name, value, valueFrom } of of.env ?? []) {
      const { secretKeyRef } = valueFrom ?? {};
      const text = secretKeyRef === undefined ? value : this.#secret(secretKeyRef.name, secretKeyRef.key ?? '');
      const expanded = (text ?? '').replaceAll(/\$\((\w+)\)/g, (_, other: string) => variables[other] ?? '');
      variables[name] = this.#here(component, expanded);
    }
    return variables;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.stop(2_000)));
    if (this.#redis?.exitCode === null) {
      const ended = once(this.#redis, 'exit');
      this.#redis.stdin?.end();
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #startService(component: (typeof SERVICES)[number]): void {
    const { args = [] } = container(this.#manifests, component);
    assert.equal(args[0], component, 'the image takes the service as its first argument');
    const service = new ServiceProcess({
      name: component,
      main: path.join(ROOT, 'services', component, 'src', 'main.ts'),
      args: args.slice(1).map((word) => this.#here(component, word)),
      env: { PATH: process.env.PATH ?? '', ...this.variables(component) },
      cwd: this.#mount('/app'),
    });
    this.#services.set(component, service);
    service.start();
  }

  #startRedis(): void {
    const { command = [] } = container(this.#manifests, 'redis');
    const [shell = '', flag = '', script = ''] = command;
    const here = script
      .replaceAll('/tmp/', `${this.#mount('/tmp')}/`)
      .replaceAll('--dir /data', `--bind 127.0.0.1 --port ${this.port('redis', 6379)} --dir ${this.#mount('/data')}`);
    assert.notEqual(here, script);
    // It ends when our end of the pipe does, also after kill -9.
    const guard = '"$@" & server=$!; read -r _; kill "$server"; wait "$server"';
    this.#redis = spawn('sh', ['-c', guard, 'guard', shell, flag, here], {
      env: this.#redisVariables(),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  }

  #redisVariables(): Record<string, string> {
    const program = process.env.HEADGATE_REDIS_SERVER;
    const folders = [...(program ? [path.dirname(program)] : []), process.env.PATH ?? ''];
    return {
      ...this.variables('redis'),
      PATH: folders.join(':'),
      LD_LIBRARY_PATH: process.env.HEADGATE_REDIS_LIBRARY_PATH ?? '',
    };
  }

  async #answered(component: Component, probe: Probe): Promise<void> {
    for (const end = Date.now() + READY_MS; ; await delay(50)) {
      if (await this.#answers(component, probe)) return;
      const tails = [...this.#services.values()].map((service) => service.tail()).join('\n');
      assert.ok(Date.now() < end, `${component}: nobody answers ${JSON.stringify(probe)}\n${tails}`);
    }
  }

  async #answers(component: Component, { httpGet, tcpSocket, exec }: Probe): Promise<boolean> {
    if (exec) {
      const [shell = '', flag = '', script = ''] = exec.command;
      const here = script.replace(' ping)', ` -p ${this.port('redis', 6379)} ping)`);
      const asked = promisify(execFile)(shell, [flag, here], { env: this.#redisVariables() });
      return asked.then(
        () => true,
        () => false,
      );
    }
    const { ports = [] } = container(this.#manifests, component);
    const named = ports.find(({ name }) => name === (httpGet ?? tcpSocket)?.port);
    assert.ok(named, `${component} has no port of the name ${JSON.stringify(httpGet ?? tcpSocket)}`);
    const url = `${this.origin(component, named.containerPort)}${httpGet?.path ?? '/'}`;
    const answer = await fetch(url, { headers: { connection: 'close' } }).catch(() => null);
    return answer !== null && (httpGet === undefined || answer.status === 200);
  }

  #secret(name: string, key: string): string {
    const data = only(this.#manifests, 'Secret', name).data as Labels;
    assert.ok(data[key], `the Secret ${name} has no ${key}`);
    return Buffer.from(data[key], 'base64').toString();
  }

  /** What a cluster calls it -> what it is here. */
  #here(component: Component, text: string): string {
    const own = /^\d+$/.test(text) ? this.#ports.get(`${component}:${text}`) : undefined;
    if (own !== undefined) return String(own);
    if (text === '0.0.0.0') return '127.0.0.1';
    return text
      .replace(
        /[\w-]+-(redis|simulator):(\d+)/,
        (_, other: Component, port) => `127.0.0.1:${this.port(other, Number(port))}`,
      )
      .replace(/^\/etc\/headgate\//, `${this.#mount('/etc/headgate')}/`);
  }

  #mount(place: string): string {
    const folder = path.join(this.#folder, place);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  get testPod(): Container {
    const [first] = workload(this.#manifests, 'test').template.spec.containers;
    assert.ok(first);
    return first;
  }
}
