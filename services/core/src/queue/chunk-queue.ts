import { create, fromBinary, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { EmbeddingJobSchema, type EmbeddingOutcome, EmbeddingOutcomeSchema } from '@headgate/proto/embedding_job';
import { ulid } from 'ulid';
import type { EmbeddingQueuePolicy } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import {
  createQueueConnection,
  createRequestClient,
  createSubscriber,
  type RedisClient,
  type RedisKeys,
  redisKeys,
} from '../redis/index.ts';
import { type ChunkState, ChunkStore } from './chunk-store.ts';
import { countEmbedders, DEAD_AFTER_MS } from './embedders.ts';
import { ProviderQueues } from './provider-queues.ts';

const LOOK_MS = 1_000;
/** After the last embedder was heard, so long another may come before its work is taken over. */
const GRACE_MS = DEAD_AFTER_MS;
/** Records outlive the deadline of their request a little, so that who is late learns that it is. */
const SLACK_MS = 5_000;
/** So long after the last word of whoever waits for it, an embedder takes a chunk for unwanted: its process is dead. */
const UNWANTED_AFTER_MS = 15_000;
/** A process tells that often that it still waits. */
const RENEWALS = 3;
const SWEEP_MS = 60_000;
const RETRY_FULL_MS = 1_000;

/** A chunk to be queued: what is left out is the queue's own. */
export interface ChunkDraft {
  /** Whose queue it goes to. */
  readonly provider: string;
  readonly job: Omit<MessageInitShape<typeof EmbeddingJobSchema>, '$typeName' | 'chunkId' | 'waiter' | 'deadlineMs'>;
}

export interface ChunkResult {
  readonly outcome: EmbeddingOutcome;
  /** Entries of the answer, as they go to the client; empty for a failure. */
  readonly data: Buffer;
}

/** `taken over`: no embedder will do it; whoever asked does. `left`: another chunk of the request failed, this one is not needed. */
export type ChunkEnd = ChunkResult | 'taken over' | 'left';

export interface ChunkRequest {
  /** `performance.now()` */
  readonly deadlineAt: number;
  /** The client has gone. */
  readonly signal: AbortSignal;
}

export interface ChunkQueueOptions {
  /** Where BullMQ keeps its queues. */
  readonly queueUrl: string;
  readonly prefix: string;
  /** Unique to the process. */
  readonly waiter: string;
  readonly policy: () => EmbeddingQueuePolicy;
  readonly log: { warn(message: string, fields?: Record<string, unknown>): void };
  /** Whose queues there may be, and how long a request may wait at most. */
  readonly leftovers?: () => { readonly providers: Iterable<string>; readonly longestMs: number };
  /** Default 15,000. */
  readonly unwantedAfterMs?: number;
  /** Word of a result was lost, and it was found. */
  readonly onRepaired?: () => void;
  readonly onTakenOver?: () => void;
}

interface Wait {
  readonly id: string;
  readonly provider: string;
  readonly settle: (end: ChunkEnd) => void;
  /** `performance.now()` */
  readonly deadlineAt: number;
  renewedAt: number;
  /** Its job is in the queue: from now on it can get lost. */
  added: boolean;
  /** Its result is being read. */
  reading: boolean;
}

/**
 * The waiting side of the queue: adds the chunks of requests and gives their results back, however those get here. One
 * subscription for all; what is not heard is found by looking each second.
 */
export class ChunkQueue {
  readonly #options: ChunkQueueOptions;
  readonly #keys: RedisKeys;
  /** Fails at once when Redis is away: adding, cancelling, looking. */
  readonly #client: RedisClient;
  /** Of its own, for results are large. */
  readonly #results: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #store: ChunkStore;
  readonly #read: ChunkStore;
  readonly #queues: ProviderQueues;
  readonly #waits = new Map<string, Wait>();
  #timer: NodeJS.Timeout | null = null;
  #looking = false;
  #live = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #aliveAt = Number.NEGATIVE_INFINITY;
  #sweptAt = performance.now();
  #lastError = '';

  constructor(options: ChunkQueueOptions) {
    const { queueUrl, prefix } = options;
    this.#options = options;
    this.#keys = redisKeys(prefix);
    this.#client = createRequestClient(queueUrl, 'headgate-ingress-queue', {
      onUp: () => {
        this.#lastError = '';
      },
      onDown: (reason) => this.#warn(reason),
    });
    this.#results = createQueueConnection(queueUrl, 'headgate-ingress-queue-results');
    this.#subscriber = createSubscriber(queueUrl, 'headgate-ingress-queue-news');
    this.#store = new ChunkStore(this.#client, this.#keys);
    this.#read = new ChunkStore(this.#results, this.#keys);
    this.#queues = new ProviderQueues(this.#client, this.#keys, (error) => this.#warn(error.message));
    this.#subscriber.on('message', (_channel: string, id: string) => void this.#fetch(id));
  }

  start(): void {
    this.#subscriber.subscribe(this.#keys.embeds.done(this.#options.waiter)).catch(() => undefined);
    void this.#look();
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** Embedders that live, as last heard; 0 while Redis is away. */
  get liveEmbedders(): number {
    return performance.now() - this.#answeredAt < DEAD_AFTER_MS ? this.#live : 0;
  }

  /** Chunks that are waited for. */
  get waiting(): number {
    return this.#waits.size;
  }

  /**
   * Queues chunks and resolves when each has ended, in their order; when one fails, the others are left. Rejects with the
   * signal's reason when the client goes, with a GatewayError (504) at the deadline, and (503) when too many wait already.
   */
  async run(drafts: readonly ChunkDraft[], request: ChunkRequest): Promise<readonly ChunkEnd[]> {
    const { signal, deadlineAt } = request;
    signal.throwIfAborted();
    this.#admit(drafts.length);
    const ids = drafts.map(() => ulid());
    const ends = new Array<ChunkEnd>(drafts.length);
    let left = drafts.length;
    let timer: NodeJS.Timeout | undefined;
    let abort: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        drafts.forEach(({ provider }, at) => {
          const id = ids[at] ?? '';
          const settle = (end: ChunkEnd): void => {
            if (!this.#waits.delete(id)) return;
            ends[at] = end;
            left--;
            if (left === 0 || isFailure(end)) resolve();
          };
          const renewedAt = performance.now();
          this.#waits.set(id, { id, provider, settle, deadlineAt, renewedAt, added: false, reading: false });
        });
        abort = () => reject(signal.reason);
        signal.addEventListener('abort', abort, { once: true });
        timer = setTimeout(() => reject(tooLate()), Math.max(0, deadlineAt - performance.now()));
        this.#add(drafts, ids, deadlineAt).catch(() => this.#takeOver(ids));
      });
    } finally {
      clearTimeout(timer);
      if (abort !== undefined) signal.removeEventListener('abort', abort);
      this.#leave(ids);
    }
    return Array.from(ends, (end) => end ?? 'left');
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#takeOver([...this.#waits.keys()]);
    await this.#queues.close().catch(() => undefined);
    this.#client.disconnect();
    this.#results.disconnect();
    this.#subscriber.disconnect();
  }

  #admit(chunks: number): void {
    const { maxWaiting } = this.#options.policy();
    if (this.#waits.size + chunks <= maxWaiting) return;
    throw new GatewayError('service_unavailable', 'Too many embeddings are waiting to be made. Try again soon.', {
      code: 'queue_full',
      retryAfterMs: RETRY_FULL_MS,
    });
  }

  async #add(drafts: readonly ChunkDraft[], ids: readonly string[], deadlineAt: number): Promise<void> {
    const { waiter, policy } = this.#options;
    const leftMs = Math.max(1, deadlineAt - performance.now());
    await this.#store.open(ids, Math.min(leftMs + SLACK_MS, this.#unwantedAfterMs));
    const deadlineMs = BigInt(Math.round(Date.now() + leftMs));
    const jobs = new Map<string, { id: string; data: unknown }[]>();
    drafts.forEach(({ provider, job }, at) => {
      const chunkId = ids[at] ?? '';
      const message = create(EmbeddingJobSchema, { ...job, chunkId, waiter, deadlineMs });
      const ofProvider = jobs.get(provider) ?? [];
      jobs.set(provider, ofProvider);
      ofProvider.push({ id: chunkId, data: toJson(EmbeddingJobSchema, message) });
    });
    for (const [provider, some] of jobs) await this.#queues.add(provider, some, policy().attempts);
    ids.forEach((id, at) => {
      const wait = this.#waits.get(id);
      if (wait !== undefined) wait.added = true;
      // Whoever left in the meantime did not find all of the jobs.
      else this.#withdraw(id, drafts[at]?.provider ?? '').catch(() => undefined);
    });
  }

  async #fetch(id: string): Promise<void> {
    const wait = this.#waits.get(id);
    if (wait === undefined || wait.reading) return;
    wait.reading = true;
    try {
      const stored = await this.#read.read(id);
      if (stored === null) return;
      wait.settle({ outcome: fromBinary(EmbeddingOutcomeSchema, stored.head), data: stored.data });
      void this.#read.drop(id).catch(() => undefined);
    } catch {
      // It is looked for again.
    } finally {
      wait.reading = false;
    }
  }

  /** Finds what was not heard of, and takes over what nobody will do. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const waits = [...this.#waits.values()].filter(({ added, reading }) => added && !reading);
      const [live, states] = await Promise.all([
        countEmbedders(this.#client, this.#keys),
        this.#store.states(waits.map(({ id }) => id)),
      ]);
      this.#live = live;
      this.#answeredAt = performance.now();
      if (live > 0) this.#aliveAt = this.#answeredAt;
      for (const [at, wait] of waits.entries()) this.#mend(wait, states[at]);
      await this.#renew(waits.filter((_, at) => states[at] === 'open'));
    } catch {
      // Redis is away, which its connection tells.
    } finally {
      this.#looking = false;
    }
    const deserted = this.liveEmbedders === 0 && performance.now() - this.#aliveAt > GRACE_MS;
    if (deserted) this.#takeOver([...this.#waits.keys()]);
    if (deserted) await this.#sweep().catch(() => undefined);
  }

  get #unwantedAfterMs(): number {
    return this.#options.unwantedAfterMs ?? UNWANTED_AFTER_MS;
  }

  /** What nobody renews is made by nobody: a process that was killed cannot withdraw what it had queued. */
  async #renew(waits: readonly Wait[]): Promise<void> {
    const now = performance.now();
    const due = waits.filter(({ renewedAt }) => now - renewedAt >= this.#unwantedAfterMs / RENEWALS);
    const byLife = Map.groupBy(due, ({ deadlineAt }) => Math.min(deadlineAt - now + SLACK_MS, this.#unwantedAfterMs));
    for (const [ttlMs, some] of byLife) {
      if (ttlMs <= 0) continue;
      await this.#store.renew(
        some.map(({ id }) => id),
        ttlMs,
      );
      for (const wait of some) wait.renewedAt = now;
    }
  }

  /** Embedders drop what is not wanted. While there are none, texts of the dead must not stay for ever. */
  async #sweep(): Promise<void> {
    const { leftovers } = this.#options;
    if (leftovers === undefined || performance.now() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = performance.now();
    const { providers, longestMs } = leftovers();
    for (const provider of providers) await this.#queues.removeOlderThan(provider, longestMs + SLACK_MS);
  }

  #mend(wait: Wait, state: ChunkState | undefined): void {
    if (!this.#waits.has(wait.id) || wait.reading) return;
    if (state === 'done') {
      this.#options.onRepaired?.();
      void this.#fetch(wait.id);
    } else if (state === 'gone') this.#takenOver(wait);
  }

  /** What is done is read; all else will be done by whoever asked, and by nobody besides. */
  #takeOver(ids: readonly string[]): void {
    for (const id of ids) {
      const wait = this.#waits.get(id);
      if (wait === undefined) continue;
      this.#withdraw(id, wait.provider).then(
        (state) => (state === 'done' ? this.#fetch(id) : this.#takenOver(wait)),
        // Without Redis no embedder can commit it either.
        () => this.#takenOver(wait),
      );
    }
  }

  #takenOver(wait: Wait): void {
    if (!this.#waits.has(wait.id)) return;
    this.#options.onTakenOver?.();
    wait.settle('taken over');
  }

  /** Nobody waits any more for those that have not ended. */
  #leave(ids: readonly string[]): void {
    for (const id of ids) {
      const wait = this.#waits.get(id);
      if (wait === undefined) continue;
      this.#waits.delete(id);
      this.#withdraw(id, wait.provider).then(
        (state) => (state === 'done' ? this.#store.drop(id) : undefined),
        () => undefined,
      );
    }
  }

  async #withdraw(id: string, provider: string): Promise<ChunkState> {
    const state = await this.#store.cancel(id);
    if (state !== 'done') await this.#queues.remove(provider, id);
    return state;
  }

  /** BullMQ repeats itself. */
  #warn(reason: string): void {
    if (reason === this.#lastError || this.#timer === null) return;
    this.#lastError = reason;
    this.#options.log.warn('the queue of embeddings has a problem', { reason });
  }
}

const isFailure = (end: ChunkEnd): boolean => typeof end === 'object' && end.outcome.failure !== undefined;

const tooLate = (): GatewayError =>
  new GatewayError('upstream_timeout', 'The embeddings were not made within the time that a request may take.');
