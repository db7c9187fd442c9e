import { completionTokens, promptTokens, type Usage } from '../chat/index.ts';
import {
  type AnswerMetadata,
  type ChatAnswer,
  type EncodedRequest,
  findDialect,
  type StreamProgress,
} from '../dialects/index.ts';
import { GatewayError, toGatewayError } from '../errors/index.ts';
import { costUsd } from '../ledger/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { AttemptObservation, TokenUsage } from '../telemetry/index.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { type Clocks, dueAt } from './clocks.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { type AttemptRecord, metadataJson } from './metadata.ts';
import { finalError, MAX_ATTEMPTS, nextStep, retryDelayMs } from './policy.ts';
import { Preparation } from './preparation.ts';
import type { RelayRequest } from './request.ts';
import type { RelayOutcome, RelaySink } from './sink.ts';

const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');
const closing = new FrameBuffer(8 * 1024);

/**
 * One request on its way through the providers: attempts until one commits, then its frames to the client.
 * It commits when the first content arrives; until then a failure moves on to the next endpoint, and the client sees none of it.
 */
export class Relay implements AttemptOwner {
  readonly #request: RelayRequest;
  readonly #sink: RelaySink;
  readonly #preparation: Preparation;
  readonly #records: AttemptRecord[] = [];
  readonly #failures: GatewayError[] = [];
  #warnings: readonly string[] = [];
  #position = 0;
  #retriedHere = false;
  #attempt: Attempt | null = null;
  #observation: AttemptObservation | null = null;
  #held: Buffer[] = [];
  #opened = false;
  #committed = false;
  #paused = false;
  #settled = false;
  #firstContentAt: number | null = null;
  #lastWriteAt = performance.now();
  #timer: NodeJS.Timeout | null = null;
  #retryTimer: NodeJS.Timeout | null = null;

  constructor(request: RelayRequest, sink: RelaySink) {
    this.#request = request;
    this.#sink = sink;
    this.#preparation = new Preparation(request.chat, request);
  }

  start(): void {
    this.#begin();
  }

  /** The client has gone: the provider is cut off at once, so that it stops billing. */
  clientGone(): void {
    if (this.#settled) return;
    this.#attempt?.abort();
    this.#endAttempt(null, 'client_aborted');
    this.#settle(null, null, true);
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#lastWriteAt = performance.now();
    this.#attempt?.resume();
  }

  get #planned(): PlannedAttempt | undefined {
    return this.#request.plan.attempts[this.#position];
  }

  get #timeoutMs(): number {
    return this.#committed ? this.#request.timeoutMs : this.#request.answerWithinMs;
  }

  get #deadlineAt(): number {
    return this.#request.startedAt + this.#timeoutMs;
  }

  #begin(): void {
    const planned = this.#planned;
    if (this.#settled || !planned) return;
    const { chat, generationId, created } = this.#request;
    const { endpoint, model } = planned;
    const { provider } = endpoint;
    this.#records.push({
      planned,
      startTime: Date.now(),
      endTime: 0,
      statusCode: null,
      error: null,
      timeoutMs: null,
    });
    const dialect = findDialect(provider.dialect);
    if (!dialect) {
      this.#next(unsupportedDialect(provider.name, provider.dialect));
      return;
    }
    const context = { generationId, model: model.id, created };
    const decoder = chat.stream
      ? dialect.streamDecoder({ ...context, includeUsage: chat.includeUsage, choices: chat.choices })
      : null;
    const attempt = new Attempt(this, planned, dialect, decoder, (body) => dialect.decodeChat(body, context));
    this.#attempt = attempt;
    this.#held = [];
    this.#arm();
    try {
      const prepared = this.#preparation.prepare(dialect, planned);
      if (prepared instanceof Promise) {
        prepared.then(
          (encoded) => this.#send(attempt, encoded),
          (thrown: unknown) => this.failed(attempt, toGatewayError(thrown)),
        );
      } else this.#send(attempt, prepared);
    } catch (thrown) {
      this.failed(attempt, toGatewayError(thrown));
    }
  }

  #send(attempt: Attempt, encoded: EncodedRequest): void {
    if (this.#settled || attempt !== this.#attempt) return;
    const { endpoint, model } = attempt.planned;
    this.#warnings = encoded.warnings;
    const observed = this.#request.observation.attempt({
      number: this.#records.length,
      provider: endpoint.provider.name,
      dialect: endpoint.provider.dialect,
      providerModel: endpoint.model,
      model: model.id,
      origin: originOf(encoded.url),
    });
    this.#observation = observed;
    const headers = [...encoded.headers];
    if (observed.traceparent !== '') headers.push('traceparent', observed.traceparent);
    if (observed.tracestate !== '') headers.push('tracestate', observed.tracestate);
    attempt.start(this.#request.pools, { ...encoded, headers, connectMs: endpoint.timeouts.connectMs });
  }

  frames(attempt: Attempt, frames: FrameBuffer): void {
    if (this.#settled || attempt !== this.#attempt) return;
    if (this.#committed) {
      this.#write(frames.view());
      if (attempt.decoder?.progress.complete) this.#arm();
      return;
    }
    const bytes = Buffer.from(frames.view());
    this.#held.push(bytes);
    if (!attempt.decoder?.progress.hasContent) return;
    this.#commit(attempt);
    this.#write(this.#held.length === 1 ? bytes : Buffer.concat(this.#held));
    this.#held = [];
    this.#arm();
  }

  #commit(attempt: Attempt): void {
    this.#committed = true;
    this.#firstContentAt = performance.now();
    this.#open(attempt.planned.endpoint.provider.name);
  }

  #open(provider: string | null): void {
    if (this.#opened) return;
    this.#opened = true;
    this.#sink.openStream(provider);
  }

  #write(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#lastWriteAt = performance.now();
    if (!this.#sink.write(bytes) && !this.#paused) {
      this.#paused = true;
      this.#attempt?.pause();
    }
  }

  succeeded(attempt: Attempt, frames: FrameBuffer): void {
    if (this.#settled || attempt !== this.#attempt || attempt.decoder === null) return;
    const { progress } = attempt.decoder;
    if (this.#isEmpty(progress)) {
      this.failed(attempt, emptySuccess());
      return;
    }
    const cost = this.#finishAttempt(attempt, progress);
    if (!this.#committed) this.#commit(attempt);
    closing.reset();
    for (const held of this.#held) closing.bytes(held);
    closing.bytes(frames.view());
    attempt.decoder.finish(this.#metadata(progress.usage, cost), closing);
    this.#sink.endStream(closing.view());
    this.#settle(null, progress.usage, false, cost);
  }

  answered(attempt: Attempt, answer: ChatAnswer): void {
    if (this.#settled || attempt !== this.#attempt) return;
    if (this.#isEmpty(answer)) {
      this.failed(attempt, emptySuccess());
      return;
    }
    const cost = this.#finishAttempt(attempt, answer);
    this.#firstContentAt = performance.now();
    const body = answer.render(this.#metadata(answer.usage, cost));
    this.#sink.answer(body, attempt.planned.endpoint.provider.name);
    this.#settle(null, answer.usage, false, cost);
  }

  /** Nothing said and nothing to explain it: worth another try while there is somewhere to try (DESIGN 6). */
  #isEmpty(outcome: Pick<StreamProgress, 'hasContent' | 'finishReasons'>): boolean {
    const another = this.#position + 1 < this.#request.plan.attempts.length;
    const tried = this.#failures.some(({ failure }) => failure === 'empty_success');
    return !outcome.hasContent && another && !tried && outcome.finishReasons.every((reason) => reason === 'stop');
  }

  failed(attempt: Attempt, error: GatewayError): void {
    if (this.#settled || attempt !== this.#attempt) return;
    this.#endAttempt(error, error.failure ?? error.type);
    this.#attempt = null;
    if (this.#committed) this.#giveUp(error);
    else this.#next(error);
  }

  #next(error: GatewayError): void {
    const record = this.#records.at(-1);
    if (record && record.error === null) Object.assign(record, { error, endTime: Date.now() });
    this.#failures.push(error);
    const step = error.failure === undefined ? 'give_up' : nextStep(error.failure, this.#retriedHere);
    const timeLeft = this.#deadlineAt - performance.now();
    if (step === 'give_up' || this.#records.length >= MAX_ATTEMPTS || timeLeft <= 0) {
      this.#giveUp(finalError(this.#failures));
      return;
    }
    if (step === 'retry_here') {
      this.#retriedHere = true;
      this.#retryTimer = setTimeout(() => this.#begin(), retryDelayMs(Math.random()));
      return;
    }
    this.#retriedHere = false;
    const from = this.#planned?.model;
    do this.#position++;
    while (step === 'next_model' && this.#planned && !isLarger(this.#planned, from?.contextWindow ?? 0));
    if (this.#planned) this.#begin();
    else this.#giveUp(finalError(this.#failures));
  }

  #giveUp(error: GatewayError): void {
    if (this.#opened) {
      this.#sink.endStream(Buffer.from(`data: ${JSON.stringify(error.toBody())}\n\n`));
    } else this.#sink.refuse(error);
    this.#settle(error, null, false);
  }

  #finishAttempt(attempt: Attempt, result: StreamProgress | ChatAnswer): string | null {
    const cost = result.usage === null ? null : costUsd(result.usage, attempt.planned.endpoint.pricing);
    this.#endAttempt(null, null, result);
    return cost;
  }

  #endAttempt(error: GatewayError | null, errorType: string | null, result?: StreamProgress | ChatAnswer): void {
    const record = this.#records.at(-1);
    const attempt = this.#attempt;
    if (record) Object.assign(record, { endTime: Date.now(), statusCode: attempt?.status ?? null, error });
    this.#observation?.ended({
      endedAt: performance.now(),
      status: attempt?.status ?? null,
      errorType,
      firstChunkAt: attempt?.firstDataAt ?? null,
      usage: result?.usage ? tokenUsage(result.usage) : null,
      responseId: result?.responseId ?? null,
      responseModel: result?.responseModel ?? null,
      finishReasons: result?.finishReasons ?? [],
    });
    this.#observation = null;
  }

  #metadata(usage: Usage | null, cost: string | null): AnswerMetadata {
    const { generationId, requestedModel, plan, metadataAtTop, simulated } = this.#request;
    const json = metadataJson({
      generationId,
      requestedModel,
      plan,
      attempts: this.#records,
      costUsd: cost,
      warnings: this.#warnings,
      hasUsage: usage !== null,
      simulated,
    });
    return { json, atTop: metadataAtTop };
  }

  #settle(error: GatewayError | null, usage: Usage | null, clientAborted: boolean, cost: string | null = null): void {
    this.#settled = true;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#retryTimer) clearTimeout(this.#retryTimer);
    const last = this.#records.at(-1)?.planned;
    const outcome: RelayOutcome = {
      error,
      clientAborted,
      provider: last?.endpoint.provider.name ?? null,
      model: last?.model.id ?? null,
      attempts: this.#records.length,
      firstContentAt: this.#firstContentAt,
      usage: usage === null ? null : tokenUsage(usage),
      costUsd: cost,
      streamed: this.#opened,
    };
    this.#request.onSettled(outcome);
  }

  #clocks(): Clocks {
    const attempt = this.#attempt;
    const timeouts = attempt?.planned.endpoint.timeouts;
    const { keepAliveMs, chat, plan } = this.#request;
    return {
      deadlineAt: this.#deadlineAt,
      keepAliveMs: chat.stream && !this.#paused ? keepAliveMs : 0,
      lastWriteAt: this.#lastWriteAt,
      startedAt: attempt?.startedAt ?? 0,
      lastDataAt: attempt?.lastDataAt ?? 0,
      firstTokenMs: timeouts?.firstTokenMs ?? 0,
      stallMs: timeouts?.streamStallMs ?? 0,
      streaming: chat.stream,
      committed: this.#committed,
      complete: attempt?.decoder?.progress.complete ?? false,
      paused: this.#paused,
      another: this.#position + 1 < plan.attempts.length && this.#records.length < MAX_ATTEMPTS,
    };
  }

  /** One timer a request: set for the nearest limit, and looked at anew when it fires. */
  #arm(): void {
    if (this.#timer) clearTimeout(this.#timer);
    const wait = dueAt(this.#clocks()).at - performance.now();
    this.#timer = setTimeout(this.#onTimer, Math.max(1, Math.ceil(wait)));
  }

  readonly #onTimer = (): void => {
    if (this.#settled) return;
    const due = dueAt(this.#clocks());
    if (due.at > performance.now()) this.#arm();
    else if (due.limit === 'end_of_stream') this.#attempt?.endOfStream();
    else if (due.limit === 'keep_alive') {
      this.#open(null);
      this.#write(KEEP_ALIVE);
      this.#arm();
    } else this.#cutOff(due.limit, due.ms);
  };

  #cutOff(limit: 'deadline' | 'first_token' | 'stall', ms: number): void {
    const attempt = this.#attempt;
    const provider = attempt?.planned.endpoint.provider.name ?? '';
    const record = this.#records.at(-1);
    if (record && limit !== 'deadline') record.timeoutMs = ms;
    attempt?.abort();
    const error = timeoutError(limit, provider, limit === 'deadline' ? this.#timeoutMs : ms);
    if (attempt) this.failed(attempt, error);
    else this.#giveUp(error);
  }
}

const isLarger = ({ model }: PlannedAttempt, than: number): boolean => model.contextWindow > than;

function originOf(url: string): string {
  const path = url.indexOf('/', url.indexOf('//') + 2);
  return path < 0 ? url : url.slice(0, path);
}

function tokenUsage(usage: Usage): TokenUsage {
  return {
    promptTokens: promptTokens(usage),
    completionTokens: completionTokens(usage),
    cacheReadTokens: usage.cacheRead,
    cacheWriteTokens: usage.cacheWrite,
    reasoningTokens: usage.reasoning,
  };
}

function timeoutError(limit: 'deadline' | 'first_token' | 'stall', provider: string, ms: number): GatewayError {
  if (limit === 'stall') {
    return new GatewayError('upstream_timeout', `The stream of the provider ${provider} stalled for ${ms} ms.`, {
      failure: 'stream_broken',
      code: 'stream_stalled',
    });
  }
  if (limit === 'first_token') {
    return new GatewayError('upstream_timeout', `The provider ${provider} said nothing within ${ms} ms.`, {
      failure: 'silent',
      code: 'first_token_timeout',
    });
  }
  return new GatewayError('upstream_timeout', `No complete answer within the request's time of ${ms} ms.`, {
    code: 'deadline_exceeded',
    shouldRetry: false,
  });
}

const emptySuccess = (): GatewayError =>
  new GatewayError('upstream_error', 'The provider finished without an answer.', { failure: 'empty_success' });

const unsupportedDialect = (provider: string, dialect: string): GatewayError =>
  new GatewayError(
    'no_provider_available',
    `The provider ${provider} speaks ${dialect}, which this release does not translate.`,
    {
      failure: 'auth',
      code: 'unsupported_dialect',
      shouldRetry: false,
    },
  );
