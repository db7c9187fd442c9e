import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { Histogram, nowUs } from './histogram.ts';
import { cpuPer, type Measurement, round, startMeter } from './meter.ts';
import { usage } from './process-usage.ts';
import { chatRequest, type Endpoint } from './request.ts';
import { StampScanner } from './stamp-scanner.ts';

export interface Streams {
  /** How many are held open at a time; one that ends is started anew. */
  readonly streams: number;
  readonly seconds: number;
  /** Chunks per stream. */
  readonly chunks: number;
  /** Milliseconds between chunks; 0: all of them at once. */
  readonly intervalMs: number;
}

const SETTLE_MS = 500;
const RETRY_MS = 100;
const POLL_MS = 50;
const OPENING_LIMIT_MS = 10_000;
const OPENING_MS_PER_STREAM = 0.5;
const SHORTEST_OPENING_MS = 300;

/** Holds SSE streams open and measures how long every chunk was on its way from the mock. */
export async function streams(endpoint: Endpoint, load: Streams): Promise<Measurement> {
  const request = chatRequest(endpoint, { stream: true, mock: `n=${load.chunks} i=${load.intervalMs}` });
  const delay = new Histogram();
  let ended = 0;
  let bad = 0;
  let flowing = 0;
  let measuring = false;

  const startOne = (): Connection => {
    const scanner = new StampScanner();
    let status = 0;
    let started = false;
    const leave = (): void => {
      if (started) flowing--;
      started = false;
    };
    const next = (): void => {
      scanner.reset();
      connection.send(request);
    };
    const connection = new Connection(endpoint.port, {
      onHead: (value) => {
        status = value;
      },
      onBody: (bytes) => {
        if (status !== 200) return;
        const now = nowUs();
        scanner.push(bytes, (sentUs) => {
          if (!started) flowing++;
          started = true;
          if (measuring) delay.add(now - sentUs);
        });
      },
      onEnd: () => {
        leave();
        if (measuring) {
          if (status === 200 && scanner.done) ended++;
          else bad++;
        }
        next();
      },
      onFail: () => {
        leave();
        if (measuring) bad++;
        setTimeout(next, RETRY_MS);
      },
    });
    next();
    return connection;
  };

  const rssBefore = rssMb(endpoint);
  const connections = await openEvenly(load.streams, startOne);
  await sleep(SETTLE_MS);
  // A server that is slow to open them is measured with all of them open, if it gets there at all.
  for (let ms = 0; load.intervalMs > 0 && flowing < load.streams && ms < OPENING_LIMIT_MS; ms += POLL_MS)
    await sleep(POLL_MS);
  measuring = true;
  const read = startMeter(endpoint.pid, endpoint.loadCore);
  await sleep(load.seconds * 1000);
  measuring = false;
  const { seconds, cpuUs, values } = read();
  const grownKb = (rssMb(endpoint) - rssBefore) * 1024;
  const open = flowing;
  for (const connection of connections) connection.stop();
  return {
    streams: load.streams,
    events_s: Math.round(delay.count / seconds),
    streams_s: round(ended / seconds, 1),
    bad,
    // Unpaced streams come and go within a read; only paced ones can be missing.
    ...(load.intervalMs > 0 ? { missing: load.streams - open } : {}),
    ...delay.quantiles('delay_'),
    ...cpuPer('cpu_us_event', cpuUs, delay.count),
    ...cpuPer('cpu_us_stream', cpuUs, load.intervalMs > 0 ? 0 : ended),
    ...(endpoint.pid === undefined || load.intervalMs === 0 || open === 0
      ? {}
      : { kb_per_stream: round(grownKb / open, 1) }),
    ...values,
  };
}

/** Opens connections at an even pace: a thousand at one moment would measure the accept queue. */
async function openEvenly(count: number, startOne: () => Connection): Promise<Connection[]> {
  const openingMs = Math.max(SHORTEST_OPENING_MS, count * OPENING_MS_PER_STREAM);
  const began = performance.now();
  const connections: Connection[] = [];
  while (connections.length < count) {
    const due = Math.min(count, Math.ceil((count * (performance.now() - began)) / openingMs));
    while (connections.length < due) connections.push(startOne());
    await sleep(1);
  }
  return connections;
}

const rssMb = (endpoint: Endpoint): number => (endpoint.pid === undefined ? 0 : usage(endpoint.pid).rssMb);
