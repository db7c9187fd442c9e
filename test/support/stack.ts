import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '@headgate/core/testing/port';
import { type RedisServer, type RedisServerOptions, startRedisServer } from '@headgate/core/testing/redis';
import { parseLine, ServiceProcess } from './service-process.ts';
import { SimulatorProcess } from './simulator-process.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 3_000;
const PORT_TRIES = 3;
/** Settings of whoever runs the tests, which would change what the services do. */
const PERSONAL = /^(HEADGATE_.*|OTEL_.*|NODE_.*|REDIS_URL|.*_API_KEY|.*_BASE_URL)$/;

/** headgate.yaml, as text or as the object it stands for. */
export type ConfigFile = string | Readonly<Record<string, unknown>>;

export interface StackOptions {
  /** A function gets the simulators, to name their base URLs. Absent: no file, and the first simulator stands in. */
  readonly config?: ConfigFile | ((simulators: readonly SimulatorProcess[]) => ConfigFile);
  /** For control, ingress and embedders. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ingress processes; default 1. */
  readonly processes?: number;
  /** How many simulators; default 1. */
  readonly simulators?: number;
  /** How many embedders; default none. */
  readonly embedders?: number;
  readonly redis?: RedisServerOptions;
}

/** Embedders count from 0; `embedder` is the first. */
export type ServiceName = 'control' | 'ingress' | 'embedder' | `embedder ${number}`;

/** A whole Headgate, the processes as they really are, each on its own free port of 127.0.0.1. */
export interface Stack {
  /** `http://127.0.0.1:<port>/v1`: what an SDK calls its base URL. */
  readonly baseUrl: string;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly port: number;
  /** The key of HEADGATE_API_KEY: may use every model. */
  readonly key: string;
  readonly redis: RedisServer;
  readonly simulators: readonly SimulatorProcess[];
  /** By position; default the first. */
  simulator(index?: number): SimulatorProcess;
  /** Where headgate.yaml stands, or would. */
  readonly configFile: string;
  /** Writes headgate.yaml anew and waits until every ingress process serves it. */
  reconfigure(config: ConfigFile): Promise<void>;
  service(name: ServiceName): ServiceProcess;
  /** Of the first ingress process, which leads the serving ones. */
  readonly ingressPid: number;
  /** Of the ingress processes that serve now, as its log tells. */
  workerPids(): readonly number[];
  /** Parsed log lines, over restarts, too. */
  logs(service: ServiceName): readonly Readonly<Record<string, unknown>>[];
  /** Ends it at once (default SIGKILL) and waits for the end. */
  kill(service: ServiceName, signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after `kill`; waits until the ingress is ready, or the embedder takes up work. */
  start(service: ServiceName): Promise<void>;
  /** `GET /health/ready` of whichever process answers. */
  health(): Promise<Health>;
  /** Resolves when all ingress processes are ready; rejects with the tails of the logs. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

export interface Health {
  readonly status: string;
  readonly version?: number;
  readonly digest?: string;
  readonly redis: string;
  readonly pid?: number;
}

/** Starts redis-server, simulators, control and ingress, and resolves when requests will be answered. `stop` it at the end. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const directory = mkdtempSync(join(tmpdir(), 'headgate-stack-'));
  const stack = new RunningStack(directory, options);
  try {
    await stack.startAll();
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** Runs `use` with a stack that ends with it. */
export async function withStack(options: StackOptions, use: (stack: Stack) => Promise<void>): Promise<void> {
  const stack = await startStack(options);
  try {
    await use(stack);
  } finally {
    await stack.stop();
  }
}

interface Services {
  readonly control: ServiceProcess;
  readonly ingress: ServiceProcess;
  readonly embedders: readonly ServiceProcess[];
}

class RunningStack implements Stack {
  readonly key = `hg_test_${randomBytes(12).toString('hex')}`;
  readonly configFile: string;
  readonly simulators: readonly SimulatorProcess[];
  readonly #directory: string;
  readonly #options: StackOptions;
  readonly #secret = randomBytes(32).toString('hex');
  readonly #processes: number;
  #redis: RedisServer | null = null;
  #services: Services | null = null;
  #port = 0;

  constructor(directory: string, options: StackOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#processes = options.processes ?? 1;
    this.configFile = join(directory, 'headgate.yaml');
    this.simulators = Array.from(
      { length: options.simulators ?? 1 },
      (_, i) =>
        new SimulatorProcess({ name: `simulator ${i}`, main: mainOf('simulator'), env: inherited(), cwd: directory }),
    );
  }

  async startAll(): Promise<void> {
    const [redis] = await Promise.all([
      startRedisServer(this.#options.redis).then((server) => {
        this.#redis = server;
        return server;
      }),
      ...this.simulators.map((simulator) => simulator.start()),
    ]);
    const { config } = this.#options;
    if (config !== undefined) this.#writeConfig(typeof config === 'function' ? config(this.simulators) : config);
    for (let tries = 1; ; tries++) {
      this.#port = await freePort();
      this.#services = this.#createServices(redis, tries === 1 ? null : this.#services);
      try {
        const embedders = this.#services.embedders.filter(({ running }) => !running);
        await Promise.all([this.start('ingress'), ...embedders.map((embedder) => startEmbedder(embedder))]);
        return;
      } catch (error) {
        // Somebody else may have taken the port between our look and its listen.
        if (tries === PORT_TRIES || !String(error).includes(`Port ${this.#port} is taken`)) throw error;
      }
    }
  }

  #createServices(redis: RedisServer, before: Services | null): Services {
    const simulator = this.simulators[0];
    const env = {
      ...inherited(),
      REDIS_URL: redis.url,
      HEADGATE_SECRET: this.#secret,
      HEADGATE_API_KEY: this.key,
      HEADGATE_HOST: '127.0.0.1',
      HEADGATE_PORT: String(this.#port),
      HEADGATE_PROCESSES: String(this.#processes),
      // A test that ends with open streams need not wait for them.
      HEADGATE_DRAIN_TIMEOUT_SECONDS: '1',
      ...(simulator === undefined ? {} : { HEADGATE_SIMULATOR_URL: simulator.baseUrl }),
      ...this.#options.env,
    };
    const create = (name: ServiceName, service: string = name) =>
      new ServiceProcess({ name, main: mainOf(service), env, cwd: this.#directory });
    const control = before?.control ?? create('control');
    if (!control.running) control.start();
    const embedders =
      before?.embedders ??
      Array.from({ length: this.#options.embedders ?? 0 }, (_, i) => create(`embedder ${i}`, 'embedder'));
    return { control, ingress: create('ingress'), embedders };
  }

  get port(): number {
    return this.#port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get baseUrl(): string {
    return `${this.origin}/v1`;
  }

  get redis(): RedisServer {
    if (this.#redis === null) throw new Error('the stack has no Redis yet');
    return this.#redis;
  }

  simulator(index = 0): SimulatorProcess {
    const simulator = this.simulators[index];
    if (simulator === undefined) throw new Error(`the stack has no simulator ${index}`);
    return simulator;
  }

  service(name: ServiceName): ServiceProcess {
    if (this.#services === null) throw new Error(`the stack has no ${name} yet`);
    if (name === 'control' || name === 'ingress') return this.#services[name];
    const embedder = this.#services.embedders[Number(name.split(' ')[1] ?? 0)];
    if (embedder === undefined) throw new Error(`the stack has no ${name}`);
    return embedder;
  }

  get ingressPid(): number {
    return this.service('ingress').pid;
  }

  logs(service: ServiceName): readonly Readonly<Record<string, unknown>>[] {
    return this.service(service).logs;
  }

  workerPids(): readonly number[] {
    return servingWorkers(this.service('ingress').lines, this.service('ingress').running ? this.ingressPid : 0);
  }

  async kill(service: ServiceName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.service(service).kill(signal);
  }

  async start(name: ServiceName): Promise<void> {
    const service = this.service(name);
    if (name.startsWith('embedder')) return startEmbedder(service);
    service.start();
    if (name !== 'ingress') return;
    await this.ready();
    const { pid } = service;
    const listening = (lines: readonly string[]) => servingWorkers(lines, pid).length >= this.#processes || null;
    await service.until(listening, READY_TIMEOUT_MS, 'word of its workers');
  }

  async health(): Promise<Health> {
    const response = await fetch(`${this.origin}/health/ready`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(2_000),
    });
    return (await response.json()) as Health;
  }

  async ready(): Promise<void> {
    await this.#everyProcess('readiness', ({ status }) => status === 'ready');
  }

  async reconfigure(config: ConfigFile): Promise<void> {
    const { digest } = await this.health();
    this.#writeConfig(config);
    await this.#everyProcess('new configuration', (health) => health.status === 'ready' && health.digest !== digest);
  }

  /** Asks on new connections, which the kernel spreads, until as many different processes have said it as there are. */
  async #everyProcess(what: string, isSo: (health: Health) => boolean): Promise<void> {
    const ingress = this.service('ingress');
    const said = new Set<number>();
    for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline; ) {
      for (const { running, exit, name } of [ingress, this.service('control')]) {
        // What a test has killed, it has killed.
        if (!running && exit?.startsWith('exit code'))
          throw new Error(`${name} ended before ${what}\n${this.#tails()}`);
      }
      const health = await this.health().catch(() => null);
      if (health !== null && isSo(health)) {
        said.add(health.pid ?? 0);
        if (said.size >= this.#processes) return;
      } else await delay(20);
    }
    throw new Error(`no ${what} within ${READY_TIMEOUT_MS} ms\n${this.#tails()}`);
  }

  #writeConfig(config: ConfigFile): void {
    // JSON is YAML, too.
    writeFileSync(this.configFile, typeof config === 'string' ? config : JSON.stringify(config, null, 2));
  }

  #tails(): string {
    const { control, ingress, embedders = [] } = this.#services ?? {};
    const services = [control, ingress, ...embedders, ...this.simulators.map((simulator) => simulator.process)];
    return services.map((service) => service?.tail() ?? '').join('\n');
  }

  async stop(): Promise<void> {
    const { control, ingress, embedders = [] } = this.#services ?? {};
    const services = [ingress, ...embedders, control, ...this.simulators.map((simulator) => simulator.process)];
    await Promise.all(services.map((service) => service?.stop(STOP_GRACE_MS)));
    await this.#redis?.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function startEmbedder(embedder: ServiceProcess): Promise<void> {
  const from = embedder.lines.length;
  embedder.start();
  const started = (lines: readonly string[]) =>
    lines.slice(from).some((line) => parseLine(line)?.msg === 'embedder started') || null;
  await embedder.until(started, READY_TIMEOUT_MS, 'word that it works');
}

/** The ingress tells when a worker listens and when one has died; of earlier runs nothing is left. */
function servingWorkers(lines: readonly string[], primaryPid: number): readonly number[] {
  const workers = new Map<unknown, number>();
  for (const line of lines) {
    const { pid, msg, worker, workerPid } = parseLine(line) ?? {};
    if (pid !== primaryPid) continue;
    if (msg === 'worker listens' && typeof workerPid === 'number') workers.set(worker, workerPid);
    else if (msg === 'worker died, starting another') workers.delete(worker);
  }
  return [...workers.values()];
}

function mainOf(service: string): string {
  return join(ROOT, 'services', service, 'src/main.ts');
}

function inherited(): Record<string, string> {
  const plain = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !PERSONAL.test(entry[0]),
  );
  // Several stacks start in one run of the tests: each process is up in half of the time when its code was compiled before.
  return { ...Object.fromEntries(plain), NODE_COMPILE_CACHE: join(ROOT, '.headgate/compile-cache') };
}
