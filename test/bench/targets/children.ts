import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { processTree } from '../load/process-usage.ts';
import { accepts, waitUntil } from './ports.ts';

export interface StartOptions {
  /** Name of the child in messages, and of its log file. */
  readonly name: string;
  /** The core it is pinned to. */
  readonly core: number;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's environment; undefined takes a variable out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

const STOP_MS = 5000;
const LOG_TAIL = 1500;
const LOG_LIMIT_BYTES = 16 * 2 ** 20;

/** The processes that this run has started. Only these are ever ended. */
export class Children {
  readonly #logs: string;
  readonly #pin: boolean;
  readonly #running = new Set<Child>();

  /** Logs go into the folder, one file per child. */
  constructor(logs: string) {
    this.#logs = logs;
    this.#pin = hasTaskset();
    mkdirSync(logs, { recursive: true });
  }

  /** Whether processes can be pinned to cores; without it numbers are of little use. */
  get pins(): boolean {
    return this.#pin;
  }

  start(options: StartOptions): Child {
    const { name, core, command, args, env = {}, cwd } = options;
    const log = join(this.#logs, `${name}.log`);
    const out = openSync(log, 'a');
    ftruncateSync(out);
    const [file, argv] = this.#pin ? ['taskset', ['-c', String(core), command, ...args]] : [command, [...args]];
    const spawned = spawn(file, argv, {
      stdio: ['ignore', out, out],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    closeSync(out);
    const child = new Child(name, spawned, log, () => this.#running.delete(child));
    this.#running.add(child);
    return child;
  }

  /** Empties logs that have grown large, so that a run under full load does not fill the disk. */
  trimLogs(): void {
    for (const child of this.#running) child.trimLog();
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((child) => child.stop()));
  }

  /** For `process.on('exit')`, where nothing can be awaited. */
  killAll(): void {
    for (const child of this.#running) child.kill();
  }
}

export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #log: string;
  #ended: string | undefined;

  constructor(name: string, process: ChildProcess, log: string, onEnd: () => void) {
    this.name = name;
    this.#process = process;
    this.#log = log;
    process.once('error', (error) => {
      this.#ended ??= error.message;
      onEnd();
    });
    process.once('exit', (code, signal) => {
      this.#ended ??= `exited with ${signal ?? code}`;
      onEnd();
    });
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`${this.name} could not be started: ${this.gone() ?? 'no process id'}`);
    return pid;
  }

  /** Why the process is not there any more, with the end of its log; undefined while it runs. */
  gone(): string | undefined {
    if (this.#ended === undefined) return undefined;
    return `${this.#ended}; the end of ${this.#log}:\n${this.log().slice(-LOG_TAIL)}`;
  }

  log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  trimLog(): void {
    // The child writes in append mode, so it goes on at the new end.
    if (statSync(this.#log).size > LOG_LIMIT_BYTES) {
      const file = openSync(this.#log, 'r+');
      ftruncateSync(file);
      closeSync(file);
    }
  }

  /** Waits until it listens on the port. */
  async listens(port: number, limitMs: number): Promise<void> {
    await waitUntil(
      this.name,
      limitMs,
      () => accepts(port),
      () => this.gone(),
    );
  }

  /** Waits for the `{"port":N}` that our own servers print first, and returns N. */
  async printedPort(limitMs: number): Promise<number> {
    let port: number | undefined;
    const look = async (): Promise<boolean> => {
      const digits = /"port":(\d+)/.exec(this.log())?.[1];
      port = digits === undefined ? undefined : Number(digits);
      return port !== undefined;
    };
    await waitUntil(this.name, limitMs, look, () => this.gone());
    if (port === undefined) throw new Error(`${this.name} printed no port`);
    return port;
  }

  /** SIGTERM, then SIGKILL for it and what it has started, if it does not leave in time. */
  async stop(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exited = once(this.#process, 'exit');
    const timer = setTimeout(() => this.kill(), STOP_MS);
    this.#process.kill('SIGTERM');
    await exited;
    clearTimeout(timer);
  }

  kill(): void {
    if (this.#ended !== undefined) return;
    for (const pid of processTree(this.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has left by itself.
      }
    }
  }
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
