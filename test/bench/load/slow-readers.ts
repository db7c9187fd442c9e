import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import type { Measurement } from './meter.ts';
import { usage } from './process-usage.ts';
import { chatRequest, type Endpoint } from './request.ts';
import { StampScanner } from './stamp-scanner.ts';

export interface SlowReaders {
  readonly clients: number;
  /** Chunks per stream, about 215 bytes each. */
  readonly chunks: number;
  /** How long the clients do not read. */
  readonly stallSeconds: number;
}

const SAMPLE_MS = 50;
/** Time for all streams to arrive whole once the clients read again. */
const RESUME_LIMIT_MS = 60_000;

/**
 * Clients that ask for a large stream, read its beginning, and stop reading. The server must hold its upstream back
 * instead of collecting the stream in memory. Afterwards they read on, and every stream must arrive whole.
 */
export async function slowReaders(endpoint: Endpoint, load: SlowReaders): Promise<Measurement> {
  const request = chatRequest(endpoint, { stream: true, mock: `n=${load.chunks} i=0` });
  const rss = startRssWatch(endpoint);
  const readers = Array.from({ length: load.clients }, () => new SlowReader(endpoint, request));
  await sleep(load.stallSeconds * 1000);
  const stalledGrowth = rss.peakGrowthMb();
  for (const reader of readers) reader.resume();
  const finished = Promise.all(readers.map((reader) => reader.finished));
  await Promise.race([finished, sleep(RESUME_LIMIT_MS, undefined, { ref: false })]);
  const peakGrowth = rss.peakGrowthMb();
  rss.stop();
  for (const reader of readers) reader.stop();
  const whole = readers.filter((reader) => reader.isWhole(load.chunks)).length;
  return {
    clients: load.clients,
    whole,
    bad: load.clients - whole,
    ...(endpoint.pid === undefined ? {} : { rss_growth_mb: stalledGrowth, rss_growth_drained_mb: peakGrowth }),
  };
}

class SlowReader {
  readonly finished: Promise<void>;
  readonly #connection: Connection;
  readonly #scanner = new StampScanner();
  #chunks = 0;
  #ended = false;
  #mayRead = false;

  constructor(endpoint: Endpoint, request: Buffer) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#connection = new Connection(endpoint.port, {
      onHead: () => {},
      onBody: (bytes) => {
        this.#scanner.push(bytes, () => this.#chunks++);
        if (!this.#mayRead && this.#chunks > 0) this.#connection.pause();
      },
      onEnd: () => {
        this.#ended = true;
        resolve();
      },
      onFail: () => resolve(),
    });
    this.#connection.send(request);
  }

  isWhole(chunks: number): boolean {
    return this.#ended && this.#scanner.done && this.#chunks === chunks;
  }

  resume(): void {
    this.#mayRead = true;
    this.#connection.resume();
  }

  stop(): void {
    this.#connection.stop();
  }
}

function startRssWatch({ pid }: Endpoint): { peakGrowthMb(): number; stop(): void } {
  const now = (): number => (pid === undefined ? 0 : usage(pid).rssMb);
  const before = now();
  let peak = before;
  const sample = (): void => {
    peak = Math.max(peak, now());
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    peakGrowthMb: () => {
      sample();
      return Math.round(peak - before);
    },
    stop: () => clearInterval(timer),
  };
}
