import {
  type EmbeddingDialect,
  type EmbeddingItem,
  type EmbeddingVector,
  type EncodedRequest,
  findEmbeddingDialect,
} from '../dialects/index.ts';
import { GatewayError, toGatewayError } from '../errors/index.ts';
import {
  deadlineExceeded,
  FIRST_TOKEN_TIMEOUT,
  noFirstToken,
  refusedByok,
  targetOf,
  tellsOfEndpoint,
  unreadable,
} from '../relay/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { AttemptObservation } from '../telemetry/index.ts';
import { tokenScale } from '../tokens/index.ts';
import type { AttemptFacts, ChunkCall, ChunkTools } from './contract.ts';
import { callOf, encodeCall } from './encode-call.ts';
import { tokensOfItems } from './items.ts';
import { type ProviderAnswer, providerCall } from './provider-call.ts';
import { splitItems } from './split.ts';

/** Calls at one time where a provider takes less than a chunk in one. */
const LANES = 4;

/** What may stand in a header; a client's `tracestate` must not make our request invalid. */
const HEADER_TEXT = /^[\x20-\x7e]+$/;

/** Items that have no vector yet, and their places in the chunk. */
type Part = readonly number[];

/** What the calls of one attempt have brought. */
export interface AttemptResult {
  /** Null: every item that was missing has its vector. */
  readonly error: GatewayError | null;
  /** Its provider was asked for something. */
  readonly sent: boolean;
  readonly facts: AttemptFacts;
  readonly promptTokens: number;
  readonly estimated: boolean;
  readonly warnings: readonly string[];
}

/** One endpoint asked for the vectors that are still missing, in as many calls as it needs. */
export class EndpointAttempt {
  readonly #call: ChunkCall;
  readonly #tools: ChunkTools;
  readonly #planned: PlannedAttempt;
  readonly #vectors: (EmbeddingVector | undefined)[];
  /** Another endpoint could take over from one that is silent. */
  readonly #hasAlternative: boolean;
  readonly #number: number;
  readonly #startTime = Date.now();
  readonly #startedAt = performance.now();
  readonly #warnings = new Set<string>();
  #parts: Part[] = [];
  #inFlight = 0;
  #observed: AttemptObservation | null = null;
  #error: GatewayError | null = null;
  #sent = false;
  #status: number | null = null;
  #firstAnswerAt: number | null = null;
  #responseModel: string | null = null;
  #timeoutMs: number | null = null;
  #promptTokens = 0;
  #estimated = false;

  constructor(
    call: ChunkCall,
    tools: ChunkTools,
    planned: PlannedAttempt,
    vectors: (EmbeddingVector | undefined)[],
    { hasAlternative, number }: { readonly hasAlternative: boolean; readonly number: number },
  ) {
    this.#call = call;
    this.#tools = tools;
    this.#planned = planned;
    this.#vectors = vectors;
    this.#hasAlternative = hasAlternative;
    this.#number = number;
  }

  async run(): Promise<AttemptResult> {
    const { endpoint, credentialType } = this.#planned;
    if (credentialType === 'system') this.#tools.health.began(endpoint.key);
    const dialect = findEmbeddingDialect(endpoint.provider.dialect);
    if (dialect === undefined) this.#fail(noEmbeddings(this.#planned));
    else await this.#callAll(dialect);
    this.#error?.cutOut(Object.values(endpoint.provider.credentials));
    if (credentialType === 'system') this.#report();
    this.#observe();
    return {
      error: this.#error,
      sent: this.#sent,
      facts: this.#facts(),
      promptTokens: this.#promptTokens,
      estimated: this.#estimated,
      warnings: [...this.#warnings],
    };
  }

  async #callAll(dialect: EmbeddingDialect): Promise<void> {
    const missing = [...this.#vectors.keys()].filter((i) => this.#vectors[i] === undefined);
    const items = missing.map((i) => this.#item(i));
    const limits = dialect.limits(targetOf(this.#planned));
    this.#parts = splitItems(items, limits).map(([start, end]) => missing.slice(start, end));
    const lanes = Math.min(LANES, this.#parts.length);
    await Promise.all(Array.from({ length: lanes }, () => this.#lane(dialect)));
  }

  #item(at: number): EmbeddingItem {
    return this.#call.items[at] ?? '';
  }

  async #lane(dialect: EmbeddingDialect): Promise<void> {
    for (;;) {
      const part = this.#error === null ? this.#parts.shift() : undefined;
      if (part === undefined) return;
      try {
        if (!(await this.#admitted(dialect, part))) return;
      } catch (thrown) {
        this.#fail(thrown);
      }
    }
  }

  /** False when a limit of the provider's has no room beside the calls under way: the part waits for their lanes. */
  async #admitted(dialect: EmbeddingDialect, part: Part): Promise<boolean> {
    const items = part.map((i) => this.#item(i));
    const isOurs = this.#planned.credentialType === 'system';
    const verdict = isOurs ? await this.#tools.admitAttempt?.(this.#planned, tokensOfItems(items)) : null;
    if (verdict instanceof GatewayError) {
      if (this.#inFlight === 0 || verdict.failure !== 'rate_limited') throw verdict;
      this.#parts.unshift(part);
      return false;
    }
    this.#inFlight += 1;
    let tokens = 0;
    try {
      tokens = await this.#one(dialect, part, items);
    } finally {
      this.#inFlight -= 1;
      verdict?.settle(tokens);
    }
    return true;
  }

  /** Returns the tokens used. */
  async #one(dialect: EmbeddingDialect, part: Part, items: readonly EmbeddingItem[]): Promise<number> {
    const { endpoint } = this.#planned;
    const target = targetOf(this.#planned);
    const call = callOf(this.#call.request, items, this.#planned);
    const encoded = await encodeCall(dialect, this.#planned, call, this.#tools.authorizers);
    if (this.#call.strict) refuseLoss(encoded.warnings, endpoint.provider.name);
    for (const warning of encoded.warnings) this.#warnings.add(warning);
    const answer = await this.#send(encoded);
    this.#status = answer.status;
    if (answer.status >= 300) {
      throw dialect.decodeError({ ...answer, provider: endpoint.provider.name, now: Date.now() });
    }
    this.#firstAnswerAt ??= performance.now();
    const { vectors, promptTokens, responseModel } = dialect.decodeEmbeddings(answer.body, call, target);
    if (vectors.length !== part.length) {
      throw unreadable(endpoint.provider.name, `${vectors.length} vectors for ${part.length} items`);
    }
    for (const [i, vector] of vectors.entries()) this.#vectors[part[i] ?? -1] = vector;
    this.#responseModel ??= responseModel;
    const tokens = promptTokens ?? Math.ceil(tokensOfItems(items) * tokenScale(endpoint.model));
    if (promptTokens === null) this.#estimated = true;
    this.#promptTokens += tokens;
    return tokens;
  }

  #send(encoded: EncodedRequest): Promise<ProviderAnswer> {
    const { endpoint, firstTokenBinds } = this.#planned;
    const { deadlineAt, signal } = this.#call;
    const provider = endpoint.provider.name;
    const leftMs = deadlineAt - performance.now();
    const ownMs = endpoint.timeouts.firstTokenMs;
    const binds = ownMs > 0 && ownMs < leftMs && (firstTokenBinds || this.#hasAlternative);
    const { traceparent, tracestate } = this.#begin(encoded);
    const headers = [...encoded.headers];
    if (traceparent !== '') headers.push('traceparent', traceparent);
    if (HEADER_TEXT.test(tracestate)) headers.push('tracestate', tracestate);
    this.#sent = true;
    return providerCall(
      this.#tools.pools,
      { url: encoded.url, headers, body: encoded.body, connectMs: endpoint.timeouts.connectMs },
      {
        provider,
        signal,
        timeoutMs: binds ? ownMs : leftMs,
        timedOut: () => {
          if (!binds) return deadlineExceeded(Math.round(performance.now() - this.#startedAt));
          this.#timeoutMs = ownMs;
          return noFirstToken(provider, ownMs);
        },
      },
    );
  }

  /** One span for all calls of the attempt. */
  #begin({ url }: EncodedRequest): AttemptObservation {
    const { endpoint, model } = this.#planned;
    this.#observed ??= this.#call.observation.attempt({
      number: this.#number,
      provider: endpoint.provider.name,
      dialect: endpoint.provider.dialect,
      providerModel: endpoint.model,
      model: model.id,
      origin: new URL(url).origin,
    });
    return this.#observed;
  }

  /** The first failure counts; calls under way go on, for what they bring has not to be asked for again. */
  #fail(thrown: unknown): void {
    if (this.#error !== null) return;
    const error = toGatewayError(thrown);
    const { endpoint, credentialType } = this.#planned;
    this.#error =
      credentialType === 'byok' && error.failure === 'auth' ? refusedByok(endpoint.provider.name, error) : error;
    this.#parts = [];
  }

  #report(): void {
    const { health } = this.#tools;
    const { endpoint, firstTokenBinds } = this.#planned;
    const error = this.#error;
    // A limit that the client chose must not close an endpoint to everybody else.
    const chosen = error?.code === FIRST_TOKEN_TIMEOUT && firstTokenBinds;
    const failure = error === null ? null : chosen ? undefined : tellsOfEndpoint(error, this.#sent);
    if (failure === undefined) {
      health.abandoned(endpoint.key);
      return;
    }
    health.ended({
      endpointKey: endpoint.key,
      provider: endpoint.provider.name,
      failure,
      retryAfterMs: error?.retryAfterMs,
      status: this.#status,
      startedAt: this.#startedAt,
      ttftMs: this.#firstAnswerAt === null ? null : this.#firstAnswerAt - this.#startedAt,
      tokensPerSecond: null,
    });
  }

  #observe(): void {
    const error = this.#error;
    this.#observed?.ended({
      endedAt: performance.now(),
      status: this.#status,
      errorType: error === null ? null : (error.failure ?? error.type),
      firstChunkAt: this.#firstAnswerAt,
      usage: this.#promptTokens === 0 ? null : usageOf(this.#promptTokens),
      responseId: null,
      responseModel: this.#responseModel,
      finishReasons: [],
    });
  }

  #facts(): AttemptFacts {
    const { endpoint, credentialType } = this.#planned;
    const error = this.#error;
    const timeoutMs = this.#timeoutMs;
    return {
      provider: endpoint.provider.name,
      internalModelId: endpoint.key,
      providerApiModelId: endpoint.model,
      credentialType,
      success: error === null,
      ...(error === null ? {} : { error: timeoutMs === null ? error.message : 'PROVIDER_TIMEOUT' }),
      ...(this.#status === null ? {} : { statusCode: this.#status }),
      startTime: this.#startTime,
      endTime: Date.now(),
      ...(timeoutMs === null ? {} : { providerTimeout: true as const, configuredTimeoutMs: timeoutMs }),
    };
  }
}

/** `strict: true`: what would be dropped or altered is refused instead (DESIGN 5, law 2). */
function refuseLoss(warnings: readonly string[], provider: string): void {
  const [first] = warnings;
  if (first === undefined) return;
  throw new GatewayError(
    'invalid_request_error',
    `The provider ${provider} cannot take the request as it is: ${warnings.join('; ')}.`,
    { param: first.split(':', 1)[0] ?? null, code: 'unsupported_parameter', failure: 'bad_request' },
  );
}

/** Embeddings use tokens of their input alone. */
export const usageOf = (promptTokens: number) => ({
  promptTokens,
  completionTokens: 0,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  reasoningTokens: null,
});

const noEmbeddings = ({ endpoint: { provider } }: PlannedAttempt): GatewayError =>
  new GatewayError(
    'no_provider_available',
    `The provider ${provider.name} speaks ${provider.dialect}, for which this release has no embeddings.`,
    { failure: 'auth', code: 'unsupported_dialect', shouldRetry: false },
  );
