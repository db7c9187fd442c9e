import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** How long any one command may take. */
const LONGEST_COMMAND_MS = 60_000;

/** The image under test, as main.mjs says. */
export function image(): string {
  const { HEADGATE_IMAGE } = process.env;
  if (!HEADGATE_IMAGE) throw new Error('run these tests with `npm run test:containers`, which builds the image');
  return HEADGATE_IMAGE;
}

/** By which main.mjs finds what a test has left. */
const LABEL = `headgate.test=${process.env.HEADGATE_TEST_RUN ?? process.pid}`;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the docker command line to its end. */
export function tryDocker(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const settings = { timeout: LONGEST_COMMAND_MS, maxBuffer: 64 * 1024 * 1024 };
    execFile('docker', args, settings, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : 127;
      resolve({ code, stdout, stderr: error !== null && stderr === '' ? error.message : stderr });
    });
  });
}

/** What it printed; rejects when it fails. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await tryDocker(...args);
  if (code !== 0) throw new Error(`docker ${args.slice(0, 3).join(' ')} ...: exit code ${code}: ${stderr.trim()}`);
  return stdout.trim();
}

export interface ContainerOptions {
  /** The role and its arguments; absent: what the image does by itself. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly network?: Network;
  /** Its name in the network. */
  readonly alias?: string;
  /** Container ports to publish, each on a free port of 127.0.0.1. */
  readonly ports?: readonly number[];
  /** Further options of `docker run`. */
  readonly options?: readonly string[];
  /** Default: the file system is read-only. */
  readonly writable?: boolean;
}

/** A container as strict as the chart's pods: no capability, no way to gain one, nothing to write to. */
export class Container {
  readonly id: string;
  readonly name: string;
  readonly #ports = new Map<number, number>();

  private constructor(id: string, name: string) {
    this.id = id;
    this.name = name;
  }

  static async run(name: string, options: ContainerOptions = {}): Promise<Container> {
    const { command = [], env = {}, network, alias, ports = [], writable = false } = options;
    const id = await docker(
      ...['run', '--detach', '--label', LABEL],
      ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', ...(writable ? [] : ['--read-only'])],
      ...Object.entries(env).flatMap(([variable, value]) => ['--env', `${variable}=${value}`]),
      ...(network === undefined ? [] : ['--network', network.name]),
      ...(alias === undefined ? [] : ['--network-alias', alias]),
      ...ports.flatMap((port) => ['--publish', `127.0.0.1::${port}`]),
      ...(options.options ?? []),
      image(),
      ...command,
    );
    const container = new Container(id, name);
    for (const port of ports) await container.#learnPort(port);
    return container;
  }

  async #learnPort(port: number): Promise<void> {
    const lines = await docker('port', this.id, String(port));
    const here = /^127\.0\.0\.1:(\d+)$/m.exec(lines)?.[1];
    if (here === undefined) throw new Error(`${this.name} publishes no port ${port}: ${await this.logs()}`);
    this.#ports.set(port, Number(here));
  }

  /** The port of 127.0.0.1 behind which the container's is. */
  port(port: number): number {
    const here = this.#ports.get(port);
    if (here === undefined) throw new Error(`${this.name} publishes no port ${port}`);
    return here;
  }

  origin(port: number): string {
    return `http://127.0.0.1:${this.port(port)}`;
  }

  /** What it printed, standard output and error. */
  async logs(): Promise<string> {
    const { stdout, stderr } = await tryDocker('logs', this.id);
    return `${stdout}${stderr}`;
  }

  async inspect(format: string): Promise<string> {
    return await docker('inspect', '--format', format, this.id);
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    await docker('kill', '--signal', name, this.id);
  }

  /** Resolves with the exit code when it has ended. */
  async ended(): Promise<number> {
    return Number(await docker('wait', this.id));
  }

  /** As `docker stop`: SIGTERM, and SIGKILL after that time; the exit code. */
  async stop(graceSeconds = 10): Promise<number> {
    await docker('stop', '--time', String(graceSeconds), this.id);
    return await this.ended();
  }

  /** Again after its end; ports that were published may be others. */
  async start(): Promise<void> {
    await docker('start', this.id);
    for (const port of this.#ports.keys()) await this.#learnPort(port);
  }

  async exec(...command: readonly string[]): Promise<Outcome> {
    return await tryDocker('exec', this.id, ...command);
  }

  async remove(): Promise<void> {
    await tryDocker('rm', '--force', '--volumes', this.id);
  }
}

/** A network of containers, in which each is found by its alias. */
export class Network {
  readonly name: string;
  /** This machine's address in it. */
  readonly gateway: string;

  private constructor(name: string, gateway: string) {
    this.name = name;
    this.gateway = gateway;
  }

  static async create(): Promise<Network> {
    const name = `headgate-test-${randomBytes(6).toString('hex')}`;
    await docker('network', 'create', '--label', LABEL, name);
    return new Network(
      name,
      await docker('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', name),
    );
  }

  async remove(): Promise<void> {
    await tryDocker('network', 'rm', this.name);
  }
}
