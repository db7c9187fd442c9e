import {
  answeredLine,
  type Batch,
  type BatchStore,
  type InputLine,
  inputLines,
  isProblem,
  type LineAnswer,
  type LineIds,
  type LineRequest,
  lineIds,
  readLine,
  type Shard,
  type ShardClaim,
} from '@headgate/core/batches';

const CHECK_MS = 1_000;

/** How a request went: it has its answer, or is to be tried again when so much time has passed. */
export type LineOutcome = { readonly answer: LineAnswer } | { readonly waitMs: number };

/**
 * Runs one request of a batch as if its owner had sent it, and hands its outcome to `keep`: until that is done the answer is in
 * memory. Rejects when `signal` ends it, or with what `keep` rejects with.
 */
export type RunLine = (
  request: LineRequest,
  requestId: string,
  signal: AbortSignal,
  keep: (outcome: LineOutcome) => Promise<void>,
) => Promise<void>;

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

type KnownRequest = LineRequest & { readonly ids: LineIds };

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
  /** Models whose requests have to wait. */
  readonly #full = new Set<string>();

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
      const request = this.#read(line);
      // What has to wait says so for those of its kind, and holds up no others.
      if (this.#full.has(request.model)) continue;
      const running = this.#line(line, request)
        .catch((error: unknown) => {
          failed ??= error;
        })
        .finally(() => underWay.delete(running));
      underWay.add(running);
      if (underWay.size >= concurrency) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    if (failed !== null && !this.#signal.aborted) throw failed;
    return { last: this.#last, waitMs: this.#waitMs };
  }

  /** The bytes of a line are gone when the next one is read. */
  #read({ number, bytes }: InputLine): KnownRequest {
    const { batch } = this.#options;
    const request = bytes === null ? null : readLine(bytes, batch.endpoint);
    if (bytes === null || request === null || isProblem(request)) {
      throw new Error(`line ${number} of ${batch.id} was valid, and is not any more`);
    }
    return { ...request, ids: lineIds(number, bytes) };
  }

  async #line({ number }: InputLine, request: KnownRequest): Promise<void> {
    const { run } = this.#options;
    await run(request, request.ids.requestId, this.#signal, (outcome) => this.#keep(number, request, outcome));
  }

  async #keep(number: number, { model, customId, ids }: KnownRequest, outcome: LineOutcome): Promise<void> {
    const { store, batch, shard, claim } = this.#options;
    if ('waitMs' in outcome) {
      this.#waitMs = this.#waitMs === 0 ? outcome.waitMs : Math.min(this.#waitMs, outcome.waitMs);
      this.#full.add(model);
      return;
    }
    const result = answeredLine(ids, customId, outcome.answer);
    const { commit, status } = await store.commit(batch.id, shard.number, claim, number, result);
    if (commit === 'last') this.#last = true;
    // Another worker has the shard, or nothing more is to be begun: the batch is cancelled, or is over.
    if (commit === 'refused' || (status !== 'in_progress' && commit !== 'last')) this.#stop.abort();
  }
}
