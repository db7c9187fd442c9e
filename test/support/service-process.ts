import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';

/** Lines of output that are kept, for messages and for `lines`. */
const KEPT_LINES = 5_000;
const SHOWN_LINES = 25;

export interface ServiceOptions {
  readonly name: string;
  /** The TypeScript source that is run as it is. */
  readonly main: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/**
 * One service as a child process. It ends with us, also after kill -9: the services stop when the channel to the process
 * that started them closes. Its output is kept for messages of failure.
 */
export class ServiceProcess {
  readonly name: string;
  readonly #options: ServiceOptions;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #lines: string[] = [];
  #exit: string | null = null;

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get running(): boolean {
    return this.#child !== null && this.#exit === null;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (!this.running || pid === undefined) throw new Error(`${this.name} is not running`);
    return pid;
  }

  /** How it ended, for people; null while it runs. */
  get exit(): string | null {
    return this.#exit;
  }

  /** What it printed, standard output and error as they came; over restarts, too. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** The JSON lines of its log. */
  get logs(): readonly Readonly<Record<string, unknown>>[] {
    return this.#lines.map(parseLine).filter((fields) => fields !== null);
  }

  tail(): string {
    const last = this.#lines.slice(-SHOWN_LINES).map((line) => `    ${line}`);
    return [`  ${this.name} (${this.#exit ?? 'runs'}):`, ...last].join('\n');
  }

  start(env: Readonly<Record<string, string>> = {}, args: readonly string[] = this.#options.args ?? []): void {
    if (this.running) throw new Error(`${this.name} runs already`);
    this.#exit = null;
    const child = spawn(process.execPath, ['-C', 'source', this.#options.main, ...args], {
      cwd: this.#options.cwd,
      env: { ...this.#options.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#keep(line));
    }
    this.#ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#exit ??= how;
        this.#changes.emit('change');
        resolve();
      };
      child.once('error', (error) => end(`could not be started: ${error.message}`));
      child.once('exit', (code, signal) => end(signal === null ? `exit code ${code}` : `ended by ${signal}`));
    });
  }

  /** Resolves when it has ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) return;
    this.#child?.kill(signal);
    await this.#ended;
  }

  /** Asks it to end; by force after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (!this.running) return;
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** The first value that `look` makes of what the service has printed so far; waits for more lines until there is one. */
  async until<T>(
    look: (lines: readonly string[]) => T | null | undefined,
    timeoutMs: number,
    what: string,
  ): Promise<T> {
    const timeout = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = look(this.#lines);
      if (found !== null && found !== undefined) return found;
      if (!this.running) throw new Error(`${this.name} ended before ${what}\n${this.tail()}`);
      try {
        await once(this.#changes, 'change', { signal: timeout });
      } catch {
        throw new Error(`${this.name}: no ${what} within ${timeoutMs} ms\n${this.tail()}`);
      }
    }
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines = this.#lines.slice(-KEPT_LINES / 2);
    this.#changes.emit('change');
  }
}

/** A log line's fields; null when it is none. */
export function parseLine(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
