import type { EmbeddingQueuePolicy } from '../catalog/index.ts';
import {
  type ChunkCall,
  type ChunkOutcome,
  type ChunkTools,
  type EmbeddingRunner,
  emptyHead,
  GIVEN_UP,
} from '../embeddings/index.ts';
import { GatewayError, toGatewayError } from '../errors/index.ts';
import type { ChunkEnd, ChunkQueue } from './chunk-queue.ts';
import { draftOf, outcomeOf } from './job-messages.ts';

/** Requests of many chunks go to the embedders, where one lives; all others are made here. */
export class QueuedEmbeddings implements EmbeddingRunner {
  readonly #queue: ChunkQueue;
  readonly #inline: EmbeddingRunner;
  readonly #policy: () => EmbeddingQueuePolicy;

  constructor(queue: ChunkQueue, inline: EmbeddingRunner, policy: () => EmbeddingQueuePolicy) {
    this.#queue = queue;
    this.#inline = inline;
    this.#policy = policy;
  }

  async run(chunks: readonly ChunkCall[], tools: ChunkTools): Promise<readonly ChunkOutcome[]> {
    const [first] = chunks;
    if (first === undefined || !this.#toBeQueued(chunks)) return this.#inline.run(chunks, tools);
    const { signal, deadlineAt } = first;
    let ends: readonly ChunkEnd[];
    try {
      ends = await this.#queue.run(chunks.map(draftOf), { signal, deadlineAt });
    } catch (thrown) {
      const error = signal.aborted && thrown === signal.reason ? abandoned() : toGatewayError(thrown);
      return chunks.map((chunk) => unmade(chunk, error));
    }
    return this.#complete(chunks, ends, tools);
  }

  #toBeQueued(chunks: readonly ChunkCall[]): boolean {
    if (chunks.length < this.#policy().minChunks || this.#queue.liveEmbedders === 0) return false;
    // A caller's own credential never goes through Redis.
    return chunks.every(
      ({ plan, strict }) => !strict && plan.attempts.every(({ credentialType }) => credentialType === 'system'),
    );
  }

  /** Makes here what no embedder would. */
  async #complete(chunks: readonly ChunkCall[], ends: readonly ChunkEnd[], tools: ChunkTools): Promise<ChunkOutcome[]> {
    const here = chunks.filter((_, at) => ends[at] === 'taken over');
    const made = here.length === 0 ? [] : await this.#inline.run(here, tools);
    const ofHere = new Map(here.map((chunk, at) => [chunk, made[at]]));
    return chunks.map((chunk, at) => {
      const end = ends[at];
      if (typeof end === 'object') return outcomeOf(end.outcome, end.data);
      return ofHere.get(chunk) ?? unmade(chunk, left());
    });
  }
}

const left = (): GatewayError =>
  new GatewayError('internal_server_error', 'Another part of the request failed.', { code: GIVEN_UP });

const abandoned = (): GatewayError =>
  new GatewayError('timeout_error', 'Nobody waits for this request any more.', {
    code: 'abandoned',
    shouldRetry: false,
  });

const unmade = ({ items }: ChunkCall, error: GatewayError): ChunkOutcome => ({
  data: null,
  error,
  head: emptyHead(items.length),
});
