import cluster, { type Worker } from 'node:cluster';
import { availableParallelism } from 'node:os';
import type { Bootstrap } from '@headgate/core/config';
import type { Logger } from '@headgate/core/telemetry';
import { isMessage, type ToPrimary, type ToWorker } from './messages.ts';
import { MetricsGatherer } from './metrics-gatherer.ts';
import { claimPort, type PortClaim } from './port-guard.ts';

/** A worker that lived shorter than this died of something that its successor will meet as well. */
const SHORT_LIFE_MS = 5_000;
const LONGEST_PAUSE_MS = 5_000;
/** This many workers in a row that never came to listen: nothing will help. */
const GIVE_UP_AFTER = 5;

/**
 * How V8 keeps a worker's memory. What lives as long as a request must die young: while many are in flight, the first small
 * young generation sees most of their objects survive, so V8 moves their making into the old one for good ("pretenuring"), and
 * there the dead ones keep all that they point to alive until the next full collection. A fifth of all that was allocated was
 * copied for that, and a third of a small request's CPU went into it.
 */
const HEAP = ['--no-allocation-site-pretenuring', '--min-semi-space-size=16', '--max-semi-space-size=32'];
/** V8's helper threads would take from a worker the very core it waits for: more CPU a request, and longer tails. */
const ONE_CORE_EACH = ['--single-threaded-gc'];
/** Each of V8's threads would have an arena of its own and keep what compiling once took in it: 30 MB and more. */
const ENVIRONMENT = {
  MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '2',
  // Beyond this uWebSockets.js answers 431 by itself, and not in our words; tokens may be larger than its own default.
  UWS_HTTP_MAX_HEADERS_SIZE: process.env.UWS_HTTP_MAX_HEADERS_SIZE ?? String(32 * 1024),
};

/** The first process: claims the port, keeps the workers alive, and leads them to a clean end. */
export class Primary {
  readonly #bootstrap: Bootstrap;
  readonly #log: Logger;
  readonly #metrics = new MetricsGatherer();
  readonly #started = new Map<number, number>();
  readonly #listening = new Set<number>();
  #claim: PortClaim | null = null;
  #stopping = false;
  #failuresInRow = 0;

  constructor(bootstrap: Bootstrap, log: Logger) {
    this.#bootstrap = bootstrap;
    this.#log = log;
  }

  /** Throws an Error with a message for people when the port cannot be had. */
  async start(): Promise<void> {
    const { host, port, processes } = this.#bootstrap.server;
    this.#claim = await claimPort(host, port);
    cluster.on('message', (worker, message: unknown) => this.#onMessage(worker, message));
    cluster.on('exit', (worker, code, signal) => this.#onExit(worker, code, signal));
    const cores = availableParallelism();
    const count = processes === 'auto' ? cores : processes;
    cluster.setupPrimary({ execArgv: [...process.execArgv, ...HEAP, ...(count >= cores ? ONE_CORE_EACH : [])] });
    for (let i = 0; i < count; i++) this.#fork();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.stop(signal));
    // The launcher has gone, without a word.
    if (process.channel) process.on('disconnect', () => this.stop('disconnect'));
  }

  stop(reason: string): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#log.info('draining', { reason });
    for (const worker of this.#workers()) {
      send(worker, { type: 'drain' });
      // It may not take messages yet, and without Redis it never comes to listen.
      if (!this.#listening.has(worker.id)) worker.process.kill('SIGTERM');
    }
    if (this.#workers().length === 0) void this.#end(0);
  }

  #workers(): Worker[] {
    return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  }

  #fork(): void {
    const worker = cluster.fork(ENVIRONMENT);
    this.#started.set(worker.id, performance.now());
  }

  #onMessage(worker: Worker, message: unknown): void {
    if (!isMessage<ToPrimary>(message)) return;
    if (message.type === 'measured') this.#metrics.measured(worker, message.id, message.snapshot);
    else if (message.type === 'scrape') void this.#scrape(worker, message.id);
    else if (message.type === 'listening') this.#onListening(worker);
  }

  #onListening(worker: Worker): void {
    this.#listening.add(worker.id);
    this.#failuresInRow = 0;
    this.#log.info('worker listens', { worker: worker.id, workerPid: worker.process.pid });
    if (this.#stopping) send(worker, { type: 'drain' });
  }

  async #scrape(worker: Worker, id: number): Promise<void> {
    const text = await this.#metrics.gather(this.#workers());
    send(worker, { type: 'scrape', id, text });
  }

  #onExit(worker: Worker, code: number | null, signal: string | null): void {
    this.#metrics.workerGone(worker);
    const lived = performance.now() - (this.#started.get(worker.id) ?? 0);
    const listened = this.#listening.delete(worker.id);
    this.#started.delete(worker.id);
    if (this.#stopping) {
      if (this.#workers().length === 0) void this.#end(0);
      return;
    }
    if (!listened && ++this.#failuresInRow >= GIVE_UP_AFTER) {
      this.#log.error('workers do not come up, giving up', { attempts: this.#failuresInRow });
      this.#stopping = true;
      for (const other of this.#workers()) send(other, { type: 'drain' });
      void this.#end(1);
      return;
    }
    const pause = lived < SHORT_LIFE_MS ? Math.min(LONGEST_PAUSE_MS, 100 * 2 ** this.#failuresInRow) : 0;
    this.#log.warn('worker died, starting another', { worker: worker.id, code, signal, inMs: pause });
    setTimeout(() => {
      if (!this.#stopping) this.#fork();
    }, pause);
  }

  async #end(code: number): Promise<void> {
    await this.#claim?.release();
    this.#log.info('stopped');
    await this.#log.flush();
    process.exit(code);
  }
}

/** A worker may be gone already: that is told by its exit, not here. */
function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}
