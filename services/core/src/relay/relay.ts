import type { Usage } from '../chat/index.ts';
import {
  type ChatAnswer,
  type Dialect,
  type EncodedRequest,
  findDialect,
  type StreamProgress,
} from '../dialects/index.ts';
import { type GatewayError, toGatewayError } from '../errors/index.ts';
import { costUsd } from '../ledger/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { AttemptLog, tokenUsage } from './attempt-log.ts';
import type { Clocks, Due } from './clocks.ts';
import { deadlineExceeded, emptySuccess, noFirstToken, stalled, unsupportedDialect } from './failures.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { LimitTimer } from './limit-timer.ts';
import { finalError, MAX_ATTEMPTS, nextStep, retryDelayMs } from './policy.ts';
import { Preparation, targetOf } from './preparation.ts';
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
  readonly #log: AttemptLog;
  readonly #timer = new LimitTimer(
    () => this.#clocks(),
    (due) => this.#onDue(due),
  );
  readonly #failures: GatewayError[] = [];
  #position = 0;
  #retriedHere = false;
  #attempt: Attempt | null = null;
  #held: Buffer[] = [];
  #opened = false;
  #committed = false;
  #paused = false;
  #settled = false;
  #firstContentAt: number | null = null;
  #lastWriteAt = performance.now();
  #retryTimer: NodeJS.Timeout | null = null;

  constructor(request: RelayRequest, sink: RelaySink) {
    this.#request = request;
    this.#sink = sink;
    this.#preparation = new Preparation(request.chat, request);
    this.#log = new AttemptLog(request);
  }

  start(): void {
    this.#begin();
  }

  /** The client has gone: the provider is cut off at once, so that it stops billing. */
  clientGone(): void {
    if (this.#settled) return;
    this.#attempt?.abort();
    this.#log.end(this.#attempt, null, 'client_aborted');
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
    this.#log.begin(planned);
    const { provider } = planned.endpoint;
    const dialect = findDialect(provider.dialect);
    if (!dialect) {
      const error = unsupportedDialect(provider.name, provider.dialect);
      this.#log.end(null, error, error.type);
      this.#next(error);
      return;
    }
    const attempt = this.#newAttempt(planned, dialect);
    this.#attempt = attempt;
    this.#held = [];
    this.#timer.arm();
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

  #newAttempt(planned: PlannedAttempt, dialect: Dialect): Attempt {
    const { chat, generationId, created } = this.#request;
    const context = { generationId, model: planned.model.id, created, target: targetOf(planned) };
    const decoder = chat.stream
      ? dialect.streamDecoder({ ...context, includeUsage: chat.includeUsage, choices: chat.choices })
      : null;
    return new Attempt(this, planned, dialect, decoder, (body) => dialect.decodeChat(body, context));
  }

  #send(attempt: Attempt, encoded: EncodedRequest): void {
    if (this.#settled || attempt !== this.#attempt) return;
    const headers = this.#log.send(attempt.planned, encoded);
    const { connectMs } = attempt.planned.endpoint.timeouts;
    attempt.start(this.#request.pools, { ...encoded, headers, connectMs });
  }

  frames(attempt: Attempt, frames: FrameBuffer): void {
    if (this.#settled || attempt !== this.#attempt) return;
    if (this.#committed) {
      this.#write(frames.view());
      if (attempt.decoder?.progress.complete) this.#timer.arm();
      return;
    }
    const bytes = Buffer.from(frames.view());
    this.#held.push(bytes);
    if (!attempt.decoder?.progress.hasContent) return;
    this.#commit(attempt);
    this.#write(this.#held.length === 1 ? bytes : Buffer.concat(this.#held));
    this.#held = [];
    this.#timer.arm();
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
    if (this.#sink.write(bytes)) return;
    this.#paused = true;
    this.#attempt?.pause();
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
    attempt.decoder.finish(this.#log.metadata(progress.usage, cost), closing);
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
    const body = answer.render(this.#log.metadata(answer.usage, cost));
    this.#sink.answer(body, attempt.planned.endpoint.provider.name);
    this.#settle(null, answer.usage, false, cost);
  }

  /** Nothing said and nothing to explain it: worth another try while there is somewhere to try (DESIGN 6). */
  #isEmpty(outcome: Pick<StreamProgress, 'hasContent' | 'finishReasons'>): boolean {
    const tried = this.#failures.some(({ failure }) => failure === 'empty_success');
    return (
      !outcome.hasContent && this.#hasAnother && !tried && outcome.finishReasons.every((reason) => reason === 'stop')
    );
  }

  /** Another endpoint is left to try. */
  get #hasAnother(): boolean {
    return this.#position + 1 < this.#request.plan.attempts.length && this.#log.count < MAX_ATTEMPTS;
  }

  failed(attempt: Attempt, error: GatewayError): void {
    if (this.#settled || attempt !== this.#attempt) return;
    this.#log.end(attempt, error, error.failure ?? error.type);
    this.#attempt = null;
    if (this.#committed) this.#giveUp(error);
    else this.#next(error);
  }

  #next(error: GatewayError): void {
    this.#failures.push(error);
    const step = error.failure === undefined ? 'give_up' : nextStep(error.failure, this.#retriedHere);
    const timeLeft = this.#deadlineAt - performance.now();
    if (step === 'give_up' || this.#log.count >= MAX_ATTEMPTS || timeLeft <= 0) {
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

  /** The attempt has answered; returns what that cost. */
  #finishAttempt(attempt: Attempt, result: StreamProgress | ChatAnswer): string | null {
    this.#log.end(attempt, null, null, result);
    return result.usage === null ? null : costUsd(result.usage, attempt.planned.endpoint.pricing);
  }

  #settle(error: GatewayError | null, usage: Usage | null, clientAborted: boolean, cost: string | null = null): void {
    this.#settled = true;
    this.#timer.stop();
    if (this.#retryTimer) clearTimeout(this.#retryTimer);
    const { last, count } = this.#log;
    const outcome: RelayOutcome = {
      error,
      clientAborted,
      provider: last?.endpoint.provider.name ?? null,
      model: last?.model.id ?? null,
      attempts: count,
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
    const { keepAliveMs, chat } = this.#request;
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
      another: this.#hasAnother,
    };
  }

  #onDue({ limit, ms }: Due): void {
    const attempt = this.#attempt;
    const provider = attempt?.planned.endpoint.provider.name ?? '';
    if (limit === 'end_of_stream') attempt?.endOfStream();
    else if (limit === 'keep_alive') {
      this.#open(null);
      this.#write(KEEP_ALIVE);
      this.#timer.arm();
    } else if (limit === 'deadline') this.#cutOff(deadlineExceeded(this.#timeoutMs));
    else {
      this.#log.timedOut(ms);
      this.#cutOff(limit === 'stall' ? stalled(provider, ms) : noFirstToken(provider, ms));
    }
  }

  #cutOff(error: GatewayError): void {
    const attempt = this.#attempt;
    attempt?.abort();
    if (attempt) this.failed(attempt, error);
    else this.#giveUp(error);
  }
}

const isLarger = ({ model }: PlannedAttempt, than: number): boolean => model.contextWindow > than;
