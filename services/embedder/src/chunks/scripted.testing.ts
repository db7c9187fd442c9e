import { setTimeout as after } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { DEFAULT_EMBEDDINGS, DEFAULT_FILES, type RoutingTable } from '@headgate/core/catalog';
import { Heartbeat } from '@headgate/core/queue';
import { createRequestClient, type RedisClient, redisKeys } from '@headgate/core/redis';
import { type Logger, Metrics } from '@headgate/core/telemetry';
import { type EmbeddingJob, EmbeddingOutcomeSchema } from '@headgate/proto/embedding_job';
import { ChunkWorkers } from './chunk-workers.ts';
import type { ChunkHandler, ChunkWork } from './contract.ts';

export const PREFIX = 'hg';
/** Silence: what goes wrong shows in what the tests ask. */
const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  flush: () => Promise.resolve(),
} as unknown as Logger;

export const log = quiet;

/** What a chunk with these texts is answered with: each text in capitals. */
export function answer(job: EmbeddingJob): ChunkWork {
  const texts = job.items.map(({ item }) => (item.case === 'text' ? item.value.toUpperCase() : ''));
  return {
    outcome: create(EmbeddingOutcomeSchema, { items: texts.length, promptTokens: texts.length, provider: 'p' }),
    data: Buffer.from(JSON.stringify(texts)),
  };
}

export function failure(failureClass: string, retryAfterMs?: number): ChunkWork {
  return {
    outcome: create(EmbeddingOutcomeSchema, {
      failure: {
        type: 'upstream_error',
        message: 'made up',
        status: 502,
        failureClass,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      },
    }),
    data: Buffer.alloc(0),
  };
}

export interface ScriptedEmbedder {
  readonly workers: ChunkWorkers;
  readonly metrics: Metrics;
  stop(graceMs?: number): Promise<void>;
}

/** The embedder's workers and its heartbeat, with a handler of the test. */
export function startEmbedder(url: string, id: string, handler: ChunkHandler): ScriptedEmbedder {
  const metrics = new Metrics();
  const client: RedisClient = createRequestClient(url, 'test-embedder');
  const heartbeat = new Heartbeat(client, redisKeys(PREFIX), id);
  const workers = new ChunkWorkers({ queueUrl: url, prefix: PREFIX, handler, metrics, log: quiet });
  workers.start();
  workers.configured(table);
  if (client.status === 'ready') heartbeat.start();
  else client.once('ready', () => heartbeat.start());
  return {
    workers,
    metrics,
    async stop(graceMs = 0) {
      await heartbeat.stop();
      await workers.stop(graceMs);
      client.disconnect();
    },
  };
}

/** One provider, `p`, with one embedding model; what else a routing table holds the workers do not ask for. */
const table = {
  embeddings: DEFAULT_EMBEDDINGS,
  files: DEFAULT_FILES,
  limits: { providers: new Map() },
  models: new Map([['m/m', { type: 'embedding', endpoints: [{ provider: { name: 'p' } }] }]]),
} as unknown as RoutingTable;

if (import.meta.main) {
  // A process of its own, so that it can be killed: tells each chunk that it begins, then takes the time given.
  const [url = '', ms = '0'] = process.argv.slice(2);
  startEmbedder(url, `child ${process.pid}`, async (job, signal) => {
    process.stdout.write(`${job.chunkId}\n`);
    await after(Number(ms), undefined, { signal }).catch(() => undefined);
    return answer(job);
  });
}
