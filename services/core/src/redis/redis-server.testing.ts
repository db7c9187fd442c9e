import { ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.testing.ts';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Of the redis-server process now; changes with `restart`. */
  readonly pid: number;
  /** Ends it for good and removes its data. */
  stop(): Promise<void>;
  /** Freezes it (SIGSTOP): connections stay open, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Ends it at once (SIGKILL); `startAgain` brings it back on the same port, empty unless it persists. */
  halt(): Promise<void>;
  startAgain(): Promise<void>;
  /** `halt` and `startAgain`. */
  restart(): Promise<void>;
}

export interface RedisServerOptions {
  /** Keep the data over a restart; default false. */
  readonly persist?: boolean;
  /** Further redis-server arguments. */
  readonly args?: readonly string[];
}

/**
 * A real redis-server on a free port of 127.0.0.1, for tests. The binary is `HEADGATE_REDIS_SERVER`, else redis-server
 * on the PATH; `HEADGATE_REDIS_LIBRARY_PATH` is where an unpacked one finds its libraries. It dies with the process that
 * started it, also after kill -9: its guard waits on our end of a pipe.
 */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'headgate-redis-'));
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return new GuardedRedis(port, directory, options, await launch(port, directory, options));
    } catch (error) {
      if (attempt < 3 && String(error).includes('Address already in use')) continue;
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }
}

interface Launched {
  readonly guard: ChildProcess;
  readonly pid: number;
}

class GuardedRedis implements RedisServer {
  readonly port: number;
  readonly #directory: string;
  readonly #options: RedisServerOptions;
  #launched: Launched | null;

  constructor(port: number, directory: string, options: RedisServerOptions, launched: Launched) {
    this.port = port;
    this.#directory = directory;
    this.#options = options;
    this.#launched = launched;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (this.#launched === null) throw new Error('this redis-server is not running');
    return this.#launched.pid;
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async halt(): Promise<void> {
    if (this.#launched === null) return;
    const { guard } = this.#launched;
    guard.ref();
    this.#launched = null;
    // Unreferenced, its end alone would not keep us waiting: the process could be over first.
    guard.ref();
    const ended = new Promise<void>((resolve) => guard.once('close', () => resolve()));
    guard.stdin?.end();
    await ended;
  }

  async startAgain(): Promise<void> {
    this.#launched ??= await launch(this.port, this.#directory, this.#options);
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.startAgain();
  }

  async stop(): Promise<void> {
    await this.halt();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Starts the server, says its pid, waits for our end of the pipe to close, then ends the server. */
const GUARD = `"$0" "$@" </dev/null & server=$!
echo "pid $server"
cat >/dev/null
kill -KILL $server 2>/dev/null
wait $server
exit 0`;

async function launch(port: number, directory: string, options: RedisServerOptions): Promise<Launched> {
  const binary = process.env.HEADGATE_REDIS_SERVER ?? 'redis-server';
  const libraries = process.env.HEADGATE_REDIS_LIBRARY_PATH;
  const persistence =
    options.persist === true ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...persistence];
  const guard = spawn('/bin/sh', ['-c', GUARD, binary, ...args, ...(options.args ?? [])], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: libraries === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraries },
  });
  const output: string[] = [];
  guard.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const pid = await new Promise<number>((resolve, reject) => {
    let serverPid = 0;
    const lines = createInterface({ input: guard.stdout });
    lines.on('line', (line) => {
      output.push(line);
      if (line.startsWith('pid ')) serverPid = Number(line.slice(4));
      else if (line.includes('Ready to accept connections')) resolve(serverPid);
      else if (line.includes('Address already in use')) guard.stdin.end();
    });
    guard.once('error', reject);
    guard.once('close', () => reject(new Error(`redis-server did not start:\n${output.join('\n')}`)));
    guard.stderr.once('data', () => guard.stdin.end());
  });
  // A test that forgot to stop it must still come to its end.
  for (const handle of [guard, ...guard.stdio]) {
    if (handle instanceof ChildProcess || handle instanceof Socket) handle.unref();
  }
  return { guard, pid };
}
