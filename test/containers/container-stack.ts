import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../resilience/observe.ts';
import { SimulatorControl } from '../support/simulator-control.ts';
import type { ConfigFile } from '../support/stack.ts';
import { Container, type ContainerOptions, Network } from './docker.ts';
import { isReady } from './readiness.ts';

export const HTTP = 8080;
const HEALTH = 8082;
const SIMULATOR = 9000;
const READY_MS = 30_000;
const CONFIG = '/etc/headgate';

export interface ContainerStackOptions {
  /** Gets the simulators, to name their base URLs. */
  readonly config: (simulators: readonly SimulatorControl[]) => ConfigFile;
  /** One that is there already; it ends with the stack. */
  readonly network?: Network;
  /** How many of each; default one ingress, one simulator, no embedder. */
  readonly ingresses?: number;
  readonly simulators?: number;
  readonly embedders?: number;
  /** For ingresses and embedders. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A simulator in a container: other containers reach it by its alias, we by its published port. */
export class ContainedSimulator extends SimulatorControl {
  readonly container: Container;
  readonly baseUrl: string;

  constructor(container: Container, alias: string) {
    super();
    this.container = container;
    this.baseUrl = `http://${alias}:${SIMULATOR}/v1`;
  }

  get url(): string {
    return this.container.origin(SIMULATOR);
  }
}

interface Parts {
  readonly network: Network;
  readonly redis: Container;
  readonly control: Container;
  readonly simulators: readonly ContainedSimulator[];
  readonly ingresses: Container[];
  readonly embedders: Container[];
  readonly key: string;
}

/** A whole Headgate of the image's containers on a network of their own, as a cluster would run it. */
export class ContainerStack {
  readonly #rack: Rack;
  readonly #parts: Parts;

  static async start(options: ContainerStackOptions): Promise<ContainerStack> {
    const { simulators = 1, ingresses = 1, embedders = 0 } = options;
    const key = `hg_test_${randomBytes(12).toString('hex')}`;
    const rack = new Rack(options.network ?? (await Network.create()), { ...options.env, HEADGATE_API_KEY: key });
    try {
      const aliases = times(simulators, (i) => `simulator-${i}`);
      const [redis, ...simulating] = await Promise.all([
        rack.redis(),
        ...aliases.map((alias) => rack.simulator(alias)),
      ]);
      rack.configure(options.config(simulating));
      // Side by side: an ingress waits for control's first word.
      const [control, working, serving] = await Promise.all([
        rack.control(),
        Promise.all(times(embedders, (i) => rack.embedder(i))),
        Promise.all(times(ingresses, (i) => rack.ingress(i))),
      ]);
      const parts = { network: rack.network, redis, control, simulators: simulating, key };
      return new ContainerStack(rack, { ...parts, ingresses: serving, embedders: working });
    } catch (error) {
      const tails = await rack.tails();
      await rack.clear();
      throw new Error(`the containers did not start:\n${tails}`, { cause: error });
    }
  }

  private constructor(rack: Rack, parts: Parts) {
    this.#rack = rack;
    this.#parts = parts;
  }

  get network(): Network {
    return this.#parts.network;
  }

  get redis(): Container {
    return this.#parts.redis;
  }

  get control(): Container {
    return this.#parts.control;
  }

  get simulators(): readonly ContainedSimulator[] {
    return this.#parts.simulators;
  }

  get ingresses(): readonly Container[] {
    return this.#parts.ingresses;
  }

  get embedders(): readonly Container[] {
    return this.#parts.embedders;
  }

  /** Of HEADGATE_API_KEY: may use everything. */
  get key(): string {
    return this.#parts.key;
  }

  simulator(index = 0): ContainedSimulator {
    return at(this.simulators, index);
  }

  ingress(index = 0): Container {
    return at(this.ingresses, index);
  }

  /** Of the first ingress. */
  get port(): number {
    return this.ingress().port(HTTP);
  }

  get origin(): string {
    return this.ingress().origin(HTTP);
  }

  get baseUrl(): string {
    return `${this.origin}/v1`;
  }

  /** One more, ready; with further variables and options of `docker run`. */
  async addIngress(env: Readonly<Record<string, string>> = {}, options: readonly string[] = []): Promise<Container> {
    const ingress = await this.#rack.ingress(this.ingresses.length, env, options);
    this.#parts.ingresses.push(ingress);
    return ingress;
  }

  async addEmbedder(): Promise<Container> {
    const embedder = await this.#rack.embedder(this.embedders.length);
    this.#parts.embedders.push(embedder);
    return embedder;
  }

  async stop(): Promise<void> {
    await this.#rack.clear();
  }
}

/** Starts containers on one network, with one headgate.yaml and one secret, and removes them all at the end. */
class Rack {
  readonly network: Network;
  readonly #env: Readonly<Record<string, string>>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'headgate-containers-'));
  readonly #containers: Container[] = [];

  constructor(network: Network, env: Readonly<Record<string, string>>) {
    this.network = network;
    this.#env = {
      HEADGATE_SECRET: randomBytes(32).toString('hex'),
      HEADGATE_CONFIG: `${CONFIG}/headgate.yaml`,
      REDIS_URL: 'redis://redis:6379',
      HEADGATE_PROCESSES: '1',
      // A test that ends with open streams need not wait for them.
      HEADGATE_DRAIN_TIMEOUT_SECONDS: '1',
      ...env,
    };
    // It is read by another user than the one who writes it.
    chmodSync(this.#folder, 0o755);
  }

  configure(config: ConfigFile): void {
    // JSON is YAML, too.
    writeFileSync(join(this.#folder, 'headgate.yaml'), typeof config === 'string' ? config : JSON.stringify(config));
  }

  /** The Valkey of our own image, as a server of its own. */
  redis(): Promise<Container> {
    return this.#run('redis', {
      env: { LD_LIBRARY_PATH: '/opt/valkey/lib' },
      command: ['--bind', '0.0.0.0', '--protected-mode', 'no', '--save', '', '--appendonly', 'no'],
      options: ['--entrypoint', '/opt/valkey/valkey-server'],
    });
  }

  async simulator(alias: string): Promise<ContainedSimulator> {
    const command = ['simulator', '--host', '0.0.0.0', '--port', String(SIMULATOR)];
    const simulator = new ContainedSimulator(await this.#run(alias, { command, ports: [SIMULATOR] }), alias);
    await eventually(`${alias} answers`, () => isReady(simulator.container.port(SIMULATOR), '/__sim/stats'), READY_MS);
    return simulator;
  }

  async control(): Promise<Container> {
    return await this.#service('control', ['control'], { HEADGATE_CONTROL_PORT: String(HEALTH) }, HEALTH);
  }

  async embedder(index: number): Promise<Container> {
    const env = { HEADGATE_EMBEDDER_HEALTH_PORT: String(HEALTH) };
    return await this.#service(`embedder-${index}`, ['embedder'], env, HEALTH);
  }

  async ingress(
    index: number,
    env: Readonly<Record<string, string>> = {},
    options: readonly string[] = [],
  ): Promise<Container> {
    return await this.#service(`ingress-${index}`, ['ingress'], env, HTTP, options);
  }

  /** Resolves when it is ready. */
  async #service(
    alias: string,
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    port: number,
    more: readonly string[] = [],
  ): Promise<Container> {
    const options = ['--volume', `${this.#folder}:${CONFIG}:ro`, ...more];
    const container = await this.#run(alias, { command, env: { ...this.#env, ...env }, ports: [port], options });
    await eventually(`${alias} is ready`, () => isReady(container.port(port)), READY_MS);
    return container;
  }

  async #run(alias: string, options: ContainerOptions): Promise<Container> {
    const container = await Container.run(alias, { ...options, alias, network: this.network });
    this.#containers.push(container);
    return container;
  }

  async tails(): Promise<string> {
    const tails = this.#containers.map(async (one) => `${one.name}:\n${(await one.logs()).slice(-1_500)}`);
    return (await Promise.all(tails)).join('\n');
  }

  async clear(): Promise<void> {
    await Promise.all(this.#containers.map((container) => container.remove()));
    await this.network.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`the stack has no number ${index} of these`);
  return found;
}
