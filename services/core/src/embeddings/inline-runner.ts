import { GatewayError } from '../errors/index.ts';
import type { ChunkCall, ChunkHead, ChunkOutcome, ChunkTools, EmbeddingRunner } from './contract.ts';
import { runChunk } from './run-chunk.ts';

const CHUNKS_A_REQUEST = 4;
const CHUNKS_A_PROCESS = 32;

/** Runs chunks in this process: at most so many of one request, and of all, at one time. */
export class InlineRunner implements EmbeddingRunner {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  async run(chunks: readonly ChunkCall[], tools: ChunkTools): Promise<readonly ChunkOutcome[]> {
    const outcomes: ChunkOutcome[] = chunks.map(givenUp);
    const failed = new AbortController();
    let next = 0;
    const lane = async (): Promise<void> => {
      for (;;) {
        const at = next++;
        const chunk = chunks[at];
        if (chunk === undefined || failed.signal.aborted) return;
        const signal = AbortSignal.any([chunk.signal, failed.signal]);
        const outcome = await this.#one({ ...chunk, signal }, tools);
        outcomes[at] = outcome;
        // Without this one, the request has no answer.
        if (outcome.error !== null) failed.abort();
      }
    };
    await Promise.all(Array.from({ length: Math.min(CHUNKS_A_REQUEST, chunks.length) }, lane));
    return outcomes;
  }

  async #one(chunk: ChunkCall, tools: ChunkTools): Promise<ChunkOutcome> {
    // A slot is handed on, so that nobody overtakes who waits for it.
    if (this.#running < CHUNKS_A_PROCESS) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await runChunk(chunk, tools);
    } finally {
      const waiting = this.#waiting.shift();
      if (waiting) waiting();
      else this.#running -= 1;
    }
  }
}

/** `code` of a chunk that was given up because another one of its request had failed. */
export const GIVEN_UP = 'chunk_given_up';

function givenUp({ items }: ChunkCall): ChunkOutcome {
  const error = new GatewayError('internal_server_error', 'Another part of the request failed.', { code: GIVEN_UP });
  return { data: null, error, head: emptyHead(items.length) };
}

export const emptyHead = (items: number): ChunkHead => ({
  items,
  promptTokens: 0,
  usageSource: 'provider',
  costUsd: '0',
  marketCostUsd: '0',
  provider: '',
  providerModel: '',
  attempts: [],
  warnings: [],
});
