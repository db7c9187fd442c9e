import type { Usage } from '../chat/index.ts';
import { type ChatAnswer, findDialect, type StreamProgress } from '../dialects/index.ts';
import { GatewayError, toGatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { Account, type BilledAttempt, tokenUsage } from './account.ts';
import { askWhole, streamEnded } from './assembled-output.ts';
import type { Attempt, AttemptOwner } from './attempt.ts';
import { AttemptLog } from './attempt-log.ts';
import { Client } from './client.ts';
import type { Clocks, Due } from './clocks.ts';
import { Departure } from './departure.ts';
import { Failover, type Next } from './failover.ts';
import { deadlineExceeded, emptySuccess, noFirstToken, refusedByok, stalled, unsupportedDialect } from './failures.ts';
import type { FrameBuffer } from './frame-buffer.ts';
import { LimitTimer } from './limit-timer.ts';
import { newAttempt } from './new-attempt.ts';
import { LEAST_TIME_MS } from './policy.ts';
import type { RelayRequest } from './request.ts';
import type { RelayOutcome, RelaySink } from './sink.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * One request on its way through the providers: attempts until one commits, then its frames to the client.
 * It commits when the first content arrives; until then a failure moves on to the next endpoint, and the client sees none of it.
 */
export class Relay implements AttemptOwner {
  readonly #request: RelayRequest;
  readonly #client: Client;
  readonly #log: AttemptLog;
  readonly #account: Account;
  readonly #failover: Failover;
  readonly #departure: Departure;
  readonly #timer = new LimitTimer(
    () => this.#clocks(),
    (due) => this.#onDue(due),
  );
  #attempt: Attempt | null = null;
  #settled = false;
  #finishReason: string | null = null;
  /** Runs while the next attempt has to wait. */
  #waiting: NodeJS.Timeout | null = null;

  constructor(request: RelayRequest, sink: RelaySink) {
    this.#request = request;
    this.#log = new AttemptLog(request);
    this.#client = new Client(sink, this.#log);
    this.#account = new Account(request.lateUsage);
    this.#failover = new Failover(request, this.#log);
    this.#departure = new Departure(request, this.#log, this);
  }

  start(): void {
    if (this.#deadlineAt - performance.now() >= LEAST_TIME_MS) this.#begin();
    else this.#giveUp(deadlineExceeded(this.#timeoutMs));
  }

  /** The client has gone: the provider is cut off at once, so that it stops billing, or heard out where it would not stop. */
  clientGone(): void {
    if (this.#settled) return;
    const attempt = this.#attempt;
    const later = attempt !== null && this.#account.leave(attempt, this.#request.drainAborted);
    this.#log.end(attempt, null, 'client_aborted', { later });
    this.#settle(null, null, true);
  }

  /** This process has no more time: whatever was begun ends with this error, and nothing more is tried. */
  cut(error: GatewayError): void {
    if (this.#settled) return;
    const attempt = this.#attempt;
    const later = attempt !== null && this.#account.leave(attempt, this.#request.drainAborted);
    this.#log.end(attempt, error, error.type, { later });
    this.#giveUp(error);
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    if (this.#client.drained()) this.#attempt?.resume();
  }

  #begin(): void {
    if (this.#settled) return;
    this.#waiting = null;
    const { planned } = this.#failover;
    this.#log.begin(planned);
    const { provider } = planned.endpoint;
    const dialect = findDialect(provider.dialect);
    if (!dialect) {
      const error = unsupportedDialect(provider.name, provider.dialect);
      this.#log.end(null, error, error.type);
      this.#follow(this.#failover.afterFailure(null, error, this.#deadlineAt));
      return;
    }
    const attempt = newAttempt(this, this.#request, this.#failover, dialect);
    this.#attempt = attempt;
    this.#timer.arm();
    this.#departure.begin(attempt);
  }

  frames(attempt: Attempt, frames: FrameBuffer): void {
    const { output } = attempt;
    if (this.#settled || attempt !== this.#attempt || output === null) return;
    const flowed = output.flowing;
    let bytes: Buffer | null;
    try {
      bytes = output.take(frames);
    } catch (thrown) {
      attempt.abort();
      this.failed(attempt, toGatewayError(thrown));
      return;
    }
    if (bytes !== null) {
      if (!flowed) this.#client.commit(attempt.planned.endpoint.provider.name);
      if (!this.#client.write(bytes)) this.#attempt?.pause();
    }
    if (output.flowing !== flowed) this.#log.answering(attempt);
    if (output.flowing !== flowed || output.decoder.progress.complete) this.#timer.arm();
  }

  succeeded(attempt: Attempt, frames: FrameBuffer): void {
    const { output } = attempt;
    if (this.#settled || attempt !== this.#attempt || output === null) return;
    const { progress } = output.decoder;
    const { endpoint } = attempt.planned;
    const fault = output.fault?.(frames) ?? (this.#failover.isWorthAnother(progress) ? emptySuccess() : null);
    if (fault !== null) {
      this.failed(attempt, fault);
      return;
    }
    if (this.#failover.isRecovering) this.#log.resumed = true;
    const billed = this.#finishAttempt(attempt, progress);
    const last = output.end(this.#log.metadata(billed), frames);
    if (output.whole) this.#client.answer(last, endpoint.provider.name);
    else {
      this.#client.commit(endpoint.provider.name);
      this.#client.end(last);
    }
    streamEnded(endpoint, { whole: output.whole === true, usageTold: progress.usage !== null });
    if (progress.usage === null) this.#account.untold(attempt);
    this.#settle(null, billed, false);
  }

  answered(attempt: Attempt, answer: ChatAnswer): void {
    if (this.#settled || attempt !== this.#attempt) return;
    if (this.#failover.isWorthAnother(answer)) {
      this.failed(attempt, emptySuccess(), answer.usage);
      return;
    }
    const { endpoint } = attempt.planned;
    // It does not stream, and its next answer may take longer than a first token.
    if (attempt.output !== null || this.#failover.isStreamRefusedBy(endpoint)) askWhole(endpoint);
    const billed = this.#finishAttempt(attempt, answer);
    this.#client.answer(answer.render(this.#log.metadata(billed)), endpoint.provider.name);
    if (answer.usage === null) this.#account.untold(attempt, answer);
    this.#settle(null, billed, false);
  }

  /** The attempt has answered; returns what that cost, if its provider says so. */
  #finishAttempt(attempt: Attempt, result: StreamProgress | ChatAnswer): BilledAttempt | null {
    this.#finishReason = result.finishReasons[0] ?? null;
    this.#log.end(attempt, null, null, { result, later: result.usage === null });
    return result.usage === null ? null : this.#account.add(attempt.planned, result.usage, 'provider');
  }

  /** `told`: what its provider says it used all the same. */
  failed(attempt: Attempt, thrown: GatewayError, told: Usage | null = null): void {
    if (this.#settled || attempt !== this.#attempt) return;
    const error = inItsWords(attempt.planned, thrown);
    this.#end(attempt, error, this.#account.failed(attempt, told));
  }

  #end(attempt: Attempt, error: GatewayError, later: boolean): void {
    this.#log.end(attempt, error, error.failure ?? error.type, { later });
    this.#attempt = null;
    const deadlineAt = this.#deadlineAt;
    this.#follow(
      this.#client.committed
        ? this.#failover.afterBreak(attempt, error, deadlineAt)
        : this.#failover.afterFailure(attempt, error, deadlineAt),
    );
  }

  #follow(next: Next): void {
    if (next instanceof GatewayError) this.#giveUp(next);
    else if (next === 0) this.#begin();
    else {
      this.#log.wait();
      this.#waiting = setTimeout(() => this.#begin(), next);
      this.#timer.arm();
    }
  }

  #giveUp(error: GatewayError): void {
    this.#client.fail(error);
    this.#settle(error, null, false);
  }

  #settle(error: GatewayError | null, answered: BilledAttempt | null, clientAborted: boolean): void {
    this.#settled = true;
    this.#timer.stop();
    if (this.#waiting) clearTimeout(this.#waiting);
    const { last, count } = this.#log;
    const outcome: Mutable<RelayOutcome> = {
      error,
      clientAborted,
      provider: last?.endpoint.provider.name ?? null,
      model: last?.model.id ?? null,
      last,
      attempts: count,
      endedAt: performance.now(),
      gatewayMs: this.#log.timing().gatewayMs,
      firstContentAt: this.#client.firstContentAt,
      usage: answered === null ? null : tokenUsage(answered.usage),
      finishReason: this.#finishReason,
      resumed: this.#log.resumed,
      billed: [],
      accounted: null,
    };
    this.#request.observation.answered();
    this.#request.onAnswered?.();
    const account = this.#account;
    account.whenKnown(() => {
      outcome.billed = account.billed;
      outcome.accounted = account.sum();
      this.#request.onSettled(outcome);
    });
  }

  get #timeoutMs(): number {
    const { timeoutMs, answerWithinMs } = this.#request;
    return this.#client.committed ? timeoutMs : answerWithinMs;
  }

  get #deadlineAt(): number {
    return this.#request.startedAt + this.#timeoutMs;
  }

  #clocks(): Clocks {
    const attempt = this.#attempt;
    const timeouts = attempt?.planned.endpoint.timeouts;
    const { keepAliveMs, chat } = this.#request;
    const { paused, lastWriteAt } = this.#client;
    return {
      deadlineAt: this.#deadlineAt,
      keepAliveMs: chat.stream && !paused ? keepAliveMs : 0,
      lastWriteAt,
      startedAt: attempt?.startedAt ?? 0,
      lastDataAt: attempt?.lastDataAt ?? 0,
      firstTokenMs: timeouts?.firstTokenMs ?? 0,
      stallMs: timeouts?.streamStallMs ?? 0,
      streaming: attempt !== null && attempt.output !== null,
      flowing: attempt?.output?.flowing ?? false,
      complete: attempt?.output?.decoder.progress.complete ?? false,
      paused,
      firstTokenBinds: attempt !== null && this.#failover.firstTokenBinds(attempt.planned),
    };
  }

  #onDue({ limit, ms }: Due): void {
    const attempt = this.#attempt;
    const provider = attempt?.planned.endpoint.provider.name ?? '';
    if (limit === 'end_of_stream') attempt?.endOfStream();
    else if (limit === 'keep_alive') {
      if (!this.#client.keepAlive()) attempt?.pause();
      this.#timer.arm();
    } else if (limit === 'deadline') this.#runOutOfTime(deadlineExceeded(this.#timeoutMs));
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

  /** The provider may be well, and at work: as when the client leaves, its answer may be billed to the end. */
  #runOutOfTime(error: GatewayError): void {
    const attempt = this.#attempt;
    if (attempt === null) this.#giveUp(error);
    else this.#end(attempt, error, this.#account.leave(attempt, this.#request.drainAborted));
  }
}

/** A refusal of the caller's own credential is told as such. */
function inItsWords(planned: PlannedAttempt, error: GatewayError): GatewayError {
  if (planned.credentialType === 'system' || error.failure !== 'auth') return error;
  return refusedByok(planned.endpoint.provider.name, error);
}
