import assert from 'node:assert/strict';
import { setTimeout as after } from 'node:timers/promises';
import { DEFAULT_EMBEDDINGS } from '@headgate/core/catalog';
import { type ChunkEnd, ChunkQueue, ProviderQueues } from '@headgate/core/queue';
import { createQueueConnection, type RedisClient, redisKeys } from '@headgate/core/redis';
import { type RedisServer, type RedisServerOptions, startRedisServer } from '@headgate/core/testing/redis';
import type { ChunkHandler } from './contract.ts';
import { log, PREFIX, type ScriptedEmbedder, startEmbedder } from './scripted.testing.ts';

const ITEMS = 10;
const STATES = ['waiting', 'active', 'delayed', 'completed', 'failed', 'prioritized'] as const;

/** A Redis, the queue as an ingress has it, and embedders with handlers of the test. */
export class QueueBench {
  readonly server: RedisServer;
  readonly client: RedisClient;
  readonly queues: ProviderQueues;
  readonly queue: ChunkQueue;
  readonly embedders: ScriptedEmbedder[] = [];
  repaired = 0;
  takenOver = 0;

  static async open(options?: RedisServerOptions): Promise<QueueBench> {
    return new QueueBench(await startRedisServer(options));
  }

  private constructor(server: RedisServer) {
    this.server = server;
    this.client = createQueueConnection(server.url, 'test');
    this.queues = new ProviderQueues(this.client, redisKeys(PREFIX), () => undefined);
    this.queue = new ChunkQueue({
      queueUrl: server.url,
      prefix: PREFIX,
      waiter: 'me',
      policy: () => ({ ...DEFAULT_EMBEDDINGS.queue, maxWaiting: 500 }),
      log,
      onRepaired: () => {
        this.repaired++;
      },
      onTakenOver: () => {
        this.takenOver++;
      },
    });
    this.queue.start();
  }

  async close(): Promise<void> {
    await this.queue.stop();
    await Promise.all(this.embedders.map((embedder) => embedder.stop()));
    await this.queues.close();
    this.client.disconnect();
    await this.server.stop();
  }

  /** Starts an embedder and waits until the queue has heard of `live`. */
  async embedder(handler: ChunkHandler, live = this.embedders.length + 1): Promise<ScriptedEmbedder> {
    const one = startEmbedder(this.server.url, `e${this.embedders.length}`, handler);
    this.embedders.push(one);
    await until(() => this.queue.liveEmbedders === live);
    return one;
  }

  /** A request of so many chunks of ten texts. */
  run(
    chunks: number,
    { ms = 30_000, signal = new AbortController().signal }: { ms?: number; signal?: AbortSignal } = {},
  ): Promise<readonly ChunkEnd[]> {
    const drafts = Array.from({ length: chunks }, (_, at) => ({
      provider: 'p',
      job: {
        from: at * ITEMS,
        items: texts(at).map((value) => ({ item: { case: 'text' as const, value } })),
        model: 'm/m',
      },
    }));
    return this.queue.run(drafts, { deadlineAt: performance.now() + ms, signal });
  }

  /** Waits until no job and no record of a chunk is left. */
  async empty(): Promise<void> {
    await until(async () => {
      const counts = await this.queues.of('p').getJobCounts(...STATES);
      const left = await this.client.keys(`${PREFIX}:{embed:*`);
      return Object.values(counts).every((count) => count === 0) && left.length === 0;
    });
    assert.equal(this.queue.waiting, 0);
  }
}

export async function until(so: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  for (const deadline = performance.now() + ms; !(await so()); await after(10)) {
    assert.ok(performance.now() < deadline, `not so after ${ms} ms: ${so}`);
  }
}

export const texts = (chunk: number): string[] => Array.from({ length: ITEMS }, (_, i) => `text ${chunk}.${i} é`);

/** What embedders that answer in capitals make of a request. */
export const expected = (chunks: number): unknown[] =>
  Array.from({ length: chunks }, (_, at) => texts(at).map((text) => text.toUpperCase()));

export const dataOf = (end: ChunkEnd | undefined): unknown =>
  typeof end === 'object' ? JSON.parse(end.data.toString() || 'null') : end;
