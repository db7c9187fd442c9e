import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddingVector } from '../dialects/index.ts';
import { GatewayError, toGatewayError } from '../errors/index.ts';
import { costUsd } from '../ledger/index.ts';
import { MAX_ATTEMPTS, Route, unreadable } from '../relay/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { AttemptFacts, ChunkCall, ChunkHead, ChunkOutcome, ChunkTools } from './contract.ts';
import { type AttemptResult, EndpointAttempt } from './endpoint-attempt.ts';
import { sumUsd } from './sum-usd.ts';
import { entryText } from './vectors.ts';

/** Nobody waits for it any more. */
const abandoned = (): GatewayError =>
  new GatewayError('timeout_error', 'Nobody waits for this request any more.', {
    code: 'abandoned',
    shouldRetry: false,
  });

/** When the first of all limits has passed, not only that of the last endpoint. */
const laterError = ({ message, code }: GatewayError, retryAfterMs: number): GatewayError =>
  new GatewayError('rate_limit_exceeded', message, { failure: 'rate_limited', code, retryAfterMs });

/**
 * Embeds the items of a chunk: tries the plan's endpoints, as the relay does for chats (DESIGN 6). What one endpoint has brought
 * before it failed is kept: all of them serve the same model. Never rejects.
 */
export async function runChunk(call: ChunkCall, tools: ChunkTools): Promise<ChunkOutcome> {
  const run = new ChunkRun(call, tools);
  let error: GatewayError | null;
  try {
    error = await run.tryEndpoints();
    if (error === null) return { data: run.data(), error, head: run.head() };
  } catch (thrown) {
    error = call.signal.aborted ? abandoned() : toGatewayError(thrown);
    if (!(thrown instanceof GatewayError) && !call.signal.aborted)
      tools.log.error('chunk failed', { error: String(thrown) });
  }
  return { data: null, error, head: run.head() };
}

class ChunkRun {
  readonly #call: ChunkCall;
  readonly #tools: ChunkTools;
  readonly #vectors: (EmbeddingVector | undefined)[];
  readonly #attempts: AttemptFacts[] = [];
  readonly #warnings = new Set<string>();
  readonly #costs: (string | null)[] = [];
  readonly #marketCosts: (string | null)[] = [];
  #last: PlannedAttempt | null = null;
  #promptTokens = 0;
  #estimated = false;

  constructor(call: ChunkCall, tools: ChunkTools) {
    this.#call = call;
    this.#tools = tools;
    this.#vectors = call.items.map(() => undefined);
  }

  /** Null: every item has its vector. */
  async tryEndpoints(): Promise<GatewayError | null> {
    const { plan, signal, deadlineAt } = this.#call;
    const route = new Route(plan);
    for (let number = 1; ; number++) {
      signal.throwIfAborted();
      const planned = route.current;
      const hasAlternative = route.hasAlternative && number < MAX_ATTEMPTS;
      const parts = { hasAlternative, number };
      const result = await new EndpointAttempt(this.#call, this.#tools, planned, this.#vectors, parts).run();
      this.#account(planned, result);
      if (result.error === null) return null;
      if (signal.aborted) return abandoned();
      const now = performance.now();
      const circumstances = { attempts: number, sent: result.sent, now, deadlineAt, random: Math.random() };
      const waitMs = route.after(result.error, circumstances);
      if (waitMs === null) return route.finalError(now);
      if (waitMs > 0 && this.#tools.returnsWhenLimited && result.error.failure === 'rate_limited') {
        return laterError(result.error, waitMs);
      }
      if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    }
  }

  #account(planned: PlannedAttempt, { facts, promptTokens, estimated, warnings }: AttemptResult): void {
    this.#last = planned;
    this.#attempts.push(facts);
    for (const warning of warnings) this.#warnings.add(warning);
    if (promptTokens === 0) return;
    this.#promptTokens += promptTokens;
    this.#estimated ||= estimated;
    const usage = { uncachedInput: promptTokens, cacheRead: null, cacheWrite: null, output: 0, reasoning: null };
    const cost = costUsd(usage, planned.endpoint.pricing);
    this.#marketCosts.push(cost);
    this.#costs.push(planned.credentialType === 'byok' ? '0' : cost);
  }

  data(): Buffer {
    const { request, from } = this.#call;
    const texts = this.#vectors.map((vector, i) => {
      if (vector === undefined) throw new RangeError(`item ${i} has no vector`);
      try {
        return entryText(vector, from + i, request.format);
      } catch (thrown) {
        if (!(thrown instanceof RangeError)) throw thrown;
        throw unreadable(this.#last?.endpoint.provider.name ?? '', 'a vector holds what is no number');
      }
    });
    // Digits and base64: a byte a letter.
    return Buffer.from(texts.join(','), 'latin1');
  }

  head(): ChunkHead {
    const last = this.#last;
    return {
      items: this.#call.items.length,
      promptTokens: this.#promptTokens,
      usageSource: this.#estimated ? 'estimated' : 'provider',
      costUsd: sumUsd(this.#costs),
      marketCostUsd: sumUsd(this.#marketCosts),
      provider: last?.endpoint.provider.name ?? '',
      providerModel: last?.endpoint.model ?? '',
      attempts: this.#attempts,
      warnings: [...this.#warnings],
    };
  }
}
