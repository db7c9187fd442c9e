import { setTimeout as delay } from 'node:timers/promises';
import { type Batch, type BatchEndpoint, countInputs, type LineRequest } from '@headgate/core/batches';
import { InlineRunner } from '@headgate/core/embeddings';
import { GatewayError, toGatewayError } from '@headgate/core/errors';
import { Principal, type PrincipalFacts } from '@headgate/core/identity';
import { LearnedOutput } from '@headgate/core/limits';
import { AffinityMemory } from '@headgate/core/routing';
import type { RequestEnd } from '@headgate/core/telemetry';
import { ulid } from 'ulid';
import type { EmbedderParts } from '../parts.ts';
import { CHAT_LINE_ROUTE, runChatLine } from './chat-line.ts';
import { EMBEDDING_LINE_ROUTE, runEmbeddingLine } from './embedding-line.ts';
import { errorAnswer, type LineCall, type LineTools } from './line-tools.ts';
import type { LineOutcome, RunLine } from './shard-run.ts';
import { WeightedSlots } from './weighted-slots.ts';

/** Tries of one request before its error is its result; each goes through all endpoints of its plan. */
const TRIES = 4;
const FIRST_PAUSE_MS = 500;
/** Of vectors that are made at one time, some 20 bytes each and held several times over: memory stays bounded, whatever is asked for. */
const MOST_NUMBERS = 6_000_000;
/** What a vector has where nothing is said. */
const USUAL_DIMENSIONS = 3_072;
const EMBEDDINGS: BatchEndpoint = '/v1/embeddings';
/** The process has no configuration yet. */
const NOT_READY_MS = 1_000;

const RUNS: Readonly<
  Record<BatchEndpoint, readonly [string, (call: LineCall, tools: LineTools) => Promise<LineOutcome>]>
> = {
  '/v1/chat/completions': [CHAT_LINE_ROUTE, runChatLine],
  '/v1/embeddings': [EMBEDDING_LINE_ROUTE, runEmbeddingLine],
};

/** One request, and for whom it is run. */
interface Asked {
  readonly batch: Batch;
  /** Of an owner that stands in no table. */
  readonly facts: string | null;
  readonly body: Buffer;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** Runs requests of batches as those of their owners: what these may do, and what limits they have, is asked anew each time. */
export class LineRunner {
  readonly #tools: LineTools;
  readonly #answers = new WeightedSlots(MOST_NUMBERS);

  constructor(parts: EmbedderParts) {
    this.#tools = {
      parts,
      learnedOutput: new LearnedOutput(),
      affinity: new AffinityMemory(),
      embeddings: new InlineRunner(),
    };
  }

  /** Null: the owner may not ask for anything any more. `facts`: of an owner that stands in no table. */
  runnerOf(batch: Batch, facts: string | null): RunLine | null {
    const { feed } = this.#tools.parts;
    if (feed.current() !== null && this.#principal(batch, facts) === null) return null;
    return async (request, requestId, signal, keep) => {
      const leave = await this.#answers.take(batch.endpoint === EMBEDDINGS ? numbersOf(request) : 0, signal);
      try {
        return await keep(await this.#run({ batch, facts, body: request.json, requestId, signal }));
      } finally {
        leave();
      }
    };
  }

  async #run(asked: Asked): Promise<LineOutcome> {
    const { signal } = asked;
    for (let tries = 1; ; tries++) {
      const outcome = await this.#try(asked);
      const failed = 'answer' in outcome && outcome.answer.status >= 500;
      if (!failed || tries >= TRIES || signal.aborted) return outcome;
      await delay(FIRST_PAUSE_MS * 2 ** tries * (0.5 + Math.random()), null, { signal }).catch(() => undefined);
    }
  }

  #principal({ owner }: Batch, facts: string | null): Principal | null {
    if (facts !== null) return new Principal(JSON.parse(facts) as PrincipalFacts);
    const found = this.#tools.parts.feed.current()?.keys.findById(owner, Date.now());
    return found?.ok ? found.principal : null;
  }

  async #try({ batch, facts, body, requestId, signal }: Asked): Promise<LineOutcome> {
    const { feed, telemetry } = this.#tools.parts;
    const current = feed.current();
    const principal = this.#principal(batch, facts);
    if (current === null || principal === null) return { waitMs: NOT_READY_MS };
    const [route, run] = RUNS[batch.endpoint];
    const generationId = `gen_${ulid()}`;
    const startedAt = performance.now();
    const observation = telemetry.observe({
      method: 'POST',
      route,
      requestId,
      generationId,
      traceparent: '',
      tracestate: '',
      startedAt,
    });
    const seed = (Math.random() * 2 ** 32) >>> 0;
    const call = {
      principal,
      table: current.table,
      body,
      requestId,
      generationId,
      observation,
      startedAt,
      seed,
      signal,
    };
    try {
      const outcome = await run(call, this.#tools);
      if ('waitMs' in outcome) observation.ended(notRun(principal, null));
      return outcome;
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (!(thrown instanceof GatewayError)) {
        telemetry.logger.error('a request of a batch failed', { batch: batch.id, error: thrown });
      }
      observation.ended(notRun(principal, error));
      return { answer: errorAnswer(error) };
    }
  }
}

function numbersOf({ body }: LineRequest): number {
  const { dimensions } = body;
  return countInputs(body) * (typeof dimensions === 'number' && dimensions >= 1 ? dimensions : USUAL_DIMENSIONS);
}

const notRun = ({ name }: Principal, error: GatewayError | null): RequestEnd => ({
  endedAt: performance.now(),
  status: error?.status ?? 429,
  errorType: error?.type ?? 'rate_limit_exceeded',
  clientAborted: false,
  firstByteAt: null,
  provider: null,
  model: null,
  attempts: 0,
  usage: null,
  costUsd: null,
  keyName: name,
});
