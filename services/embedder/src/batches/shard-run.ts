import {
  answeredLine,
  type Batch,
  type BatchStore,
  type InputLine,
  inputLines,
  isProblem,
  type LineAnswer,
  type LineRequest,
  lineIds,
  readLine,
  type Shard,
  type ShardClaim,
} from '@headgate/core/batches';

const CHECK_MS = 1_000;

/** How a request went: it has its answer, or is to be tried again when so much time has passed. */
export type LineOutcome = { readonly answer: LineAnswer } | { readonly waitMs: number };

/** Runs one request of a batch as if its owner had sent it; rejects only when `signal` ends it. */
export type RunLine = (request: LineRequest, requestId: string, signal: AbortSignal) => Promise<LineOutcome>;

export interface ShardRunOptions {
  readonly store: BatchStore;
  readonly batch: Batch;
  readonly shard: Shard;
  readonly claim: ShardClaim;
  /** The input file from the shard's first byte on. */
  readonly pieces: AsyncIterable<Buffer>;
  readonly longestLine: number;
  readonly run: RunLine;
  /** Requests at one time. */
  readonly concurrency: number;
  /** The process is to end. */
  readonly signal: AbortSignal;
}

/** `last`: no line of the batch is left. `waitMs`: some have to wait; 0: none. */
export interface ShardOutcome {
  readonly last: boolean;
  readonly waitMs: number;
}

/** Works through the lines of a shard that have no result; ends early when the shard is no longer this worker's. */
export class ShardRun {
  readonly #options: ShardRunOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #last = false;
  #waitMs = 0;

  constructor(options: ShardRunOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
  }

  async run(): Promise<ShardOutcome> {
    const checking = setInterval(() => void this.#check(), CHECK_MS);
    try {
      return await this.#run();
    } finally {
      clearInterval(checking);
    }
  }

  /** A request may take long: what is for nothing ends at once. */
  async #check(): Promise<void> {
    const { store, batch, shard, claim } = this.#options;
    // Without Redis nobody else knows better.
    if (!(await store.holds(batch.id, shard.number, claim).catch(() => true))) this.#stop.abort();
  }

  async #run(): Promise<ShardOutcome> {
    const { shard, claim, pieces, longestLine, concurrency } = this.#options;
    const underWay = new Set<Promise<void>>();
    let failed: unknown = null;
    const lines = inputLines(pieces, longestLine, shard);
    for await (const line of lines) {
      if (line.from >= shard.to || this.#signal.aborted || failed !== null) break;
      if (claim.done.has(line.number)) continue;
      const running = this.#line(line)
        .catch((error: unknown) => {
          failed ??= error;
        })
        .finally(() => underWay.delete(running));
      underWay.add(running);
      if (underWay.size >= concurrency) await Promise.race(underWay);
      // What has to wait says so for those behind it, too.
      if (this.#waitMs > 0) break;
    }
    await Promise.all(underWay);
    if (failed !== null && !this.#signal.aborted) throw failed;
    return { last: this.#last, waitMs: this.#waitMs };
  }

  async #line({ number, bytes }: InputLine): Promise<void> {
    const { store, batch, shard, claim, run } = this.#options;
    const request = bytes === null ? null : readLine(bytes, batch.endpoint);
    if (bytes === null || request === null || isProblem(request)) {
      throw new Error(`line ${number} of ${batch.id} was valid, and is not any more`);
    }
    const ids = lineIds(number, bytes);
    const outcome = await run(request, ids.requestId, this.#signal);
    if ('waitMs' in outcome) {
      this.#waitMs = Math.max(this.#waitMs, outcome.waitMs);
      return;
    }
    const result = answeredLine(ids, request.customId, outcome.answer);
    const { commit, status } = await store.commit(batch.id, shard.number, claim, number, result);
    if (commit === 'last') this.#last = true;
    // Another worker has the shard, or nothing more is to be begun: the batch is cancelled, or is over.
    if (commit === 'refused' || (status !== 'in_progress' && commit !== 'last')) this.#stop.abort();
  }
}
