import { closedLoop } from './closed-loop.ts';
import type { Measurement } from './meter.ts';
import { openLoop } from './open-loop.ts';
import type { Endpoint } from './request.ts';
import { slowReaders } from './slow-readers.ts';
import { streams } from './streams.ts';
import { closedLoopByWrk } from './wrk.ts';

export interface PhaseOptions {
  readonly seconds: number;
  readonly wrk: boolean;
}

export interface Phase {
  readonly what: string;
  /** Runs on a process of its own, because memory that earlier phases have freed would hide the cost. */
  readonly fresh: boolean;
  run(endpoint: Endpoint, options: PhaseOptions): Promise<Measurement>;
}

const ENDLESS = 100_000;

function json(connections: number, bytes: number): Phase['run'] {
  return (endpoint, { seconds, wrk }) =>
    (wrk ? closedLoopByWrk : closedLoop)(endpoint, { connections, seconds, bytes });
}

/** Everything that is measured, by name, in the order in which it runs. */
export const PHASES = {
  json: { what: 'closed loop, 64 connections, 370 B request, 590 B answer', fresh: false, run: json(64, 0) },
  json20k: { what: 'the same with a 20 KB request', fresh: false, run: json(64, 20_000) },
  json1m: { what: 'the same with a 1 MB request, 8 connections', fresh: false, run: json(8, 1_000_000) },
  lat: {
    what: 'one connection: latency alone',
    fresh: false,
    run: (endpoint, { seconds }) => closedLoop(endpoint, { connections: 1, seconds }),
  },
  open: {
    what: '300 requests/s, latency from the planned moment of sending',
    fresh: false,
    run: (endpoint, { seconds }) => openLoop(endpoint, { rate: 300, seconds }),
  },
  sse: {
    what: '1000 streams, a chunk every 33 ms each',
    fresh: false,
    run: (endpoint, { seconds }) => streams(endpoint, { streams: 1000, seconds, chunks: ENDLESS, intervalMs: 33 }),
  },
  burst: {
    what: '32 streams at a time whose 50 chunks come at once',
    fresh: false,
    run: (endpoint, { seconds }) => streams(endpoint, { streams: 32, seconds, chunks: 50, intervalMs: 0 }),
  },
  idle: {
    what: '4000 streams at one chunk/s: memory per stream',
    fresh: true,
    run: (endpoint, { seconds }) => streams(endpoint, { streams: 4000, seconds, chunks: ENDLESS, intervalMs: 1000 }),
  },
  slow: {
    what: '10 clients that stop reading 30 MB each: memory',
    fresh: true,
    run: (endpoint, { seconds }) => slowReaders(endpoint, { clients: 10, chunks: 140_000, stallSeconds: seconds }),
  },
} as const satisfies Readonly<Record<string, Phase>>;

export type PhaseName = keyof typeof PHASES;

export const PHASE_NAMES = Object.keys(PHASES).filter((name): name is PhaseName => name in PHASES);
