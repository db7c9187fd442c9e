import type { EndpointEntry } from '../catalog/index.ts';
import type { ChatRequest, Usage } from '../chat/index.ts';
import {
  type ChatAnswer,
  type Dialect,
  type EncodedRequest,
  findDialect,
  type StreamDecoder,
  type StreamProgress,
  Transcript,
} from '../dialects/index.ts';
import { GatewayError, toGatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { Account, type BilledAttempt } from './account.ts';
import { AssembledOutput, askWhole, refusesStream, streamEnded, watched } from './assembled-output.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { AttemptLog, tokenUsage } from './attempt-log.ts';
import { type AttemptOutput, HeldOutput } from './attempt-output.ts';
import { Client } from './client.ts';
import type { Clocks, Due } from './clocks.ts';
import { deadlineExceeded, emptySuccess, noFirstToken, refusedByok, stalled, unsupportedDialect } from './failures.ts';
import type { FrameBuffer } from './frame-buffer.ts';
import { LimitTimer } from './limit-timer.ts';
import { LEAST_TIME_MS, MAX_ATTEMPTS } from './policy.ts';
import { Preparation, targetOf } from './preparation.ts';
import { type Continuation, Recovery } from './recovery.ts';
import type { AttemptAdmission, RelayRequest } from './request.ts';
import { Route } from './route.ts';
import type { RelaySink } from './sink.ts';

/**
 * One request on its way through the providers: attempts until one commits, then its frames to the client.
 * It commits when the first content arrives; until then a failure moves on to the next endpoint, and the client sees none of it.
 */
export class Relay implements AttemptOwner {
  readonly #request: RelayRequest;
  readonly #client: Client;
  readonly #preparation: Preparation;
  readonly #log: AttemptLog;
  readonly #account: Account;
  readonly #route: Route;
  readonly #timer = new LimitTimer(
    () => this.#clocks(),
    (due) => this.#onDue(due),
  );
  #attempt: Attempt | null = null;
  #committed = false;
  /** Set once a stream broke behind content. */
  #recovery: Recovery | null = null;
  /** Whose refusal of a stream is being put to the test: a request may be wrong either way. */
  #refusedStream: EndpointEntry | null = null;
  /** The attempt under way was given the beginning of its answer. */
  #prefilled = false;
  #settled = false;
  #firstContentAt: number | null = null;
  /** Runs while the next attempt has to wait. */
  #waiting: NodeJS.Timeout | null = null;

  constructor(request: RelayRequest, sink: RelaySink) {
    this.#request = request;
    this.#preparation = new Preparation(request);
    this.#log = new AttemptLog(request);
    this.#account = new Account(request.lateUsage);
    this.#route = new Route(request.plan);
    this.#client = new Client(sink, () => this.#log.timing());
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

  /** The client takes bytes again. */
  clientDrained(): void {
    if (this.#client.drained()) this.#attempt?.resume();
  }

  get #timeoutMs(): number {
    return this.#committed ? this.#request.timeoutMs : this.#request.answerWithinMs;
  }

  get #deadlineAt(): number {
    return this.#request.startedAt + this.#timeoutMs;
  }

  #begin(): void {
    if (this.#settled) return;
    this.#waiting = null;
    const planned = this.#route.current;
    this.#log.begin(planned);
    const { provider } = planned.endpoint;
    const dialect = findDialect(provider.dialect);
    if (!dialect) {
      const error = unsupportedDialect(provider.name, provider.dialect);
      this.#log.end(null, error, error.type);
      this.#next(error);
      return;
    }
    const continuation = this.#recovery?.continuation(dialect, planned) ?? null;
    const chat = continuation?.chat ?? this.#asked(planned);
    const attempt = this.#newAttempt(planned, dialect, chat, continuation);
    this.#attempt = attempt;
    this.#prefilled = continuation?.prefilled === true;
    this.#timer.arm();
    try {
      const prepared = this.#preparation.prepare(dialect, planned, chat);
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

  /** The request, as an endpoint gets it that does not go on with a broken stream. */
  #asked(planned: PlannedAttempt): ChatRequest {
    const { chat } = this.#request;
    const { endpoint } = planned;
    return this.#firstTokenBinds(planned) && endpoint !== this.#refusedStream ? watched(chat, endpoint) : chat;
  }

  /** Another endpoint could take over from one that is silent, or the client set a limit of its own. */
  #firstTokenBinds({ firstTokenBinds }: PlannedAttempt): boolean {
    return firstTokenBinds || (this.#route.hasAlternative && this.#log.count < MAX_ATTEMPTS);
  }

  /** Where an attempt's events are decoded, and where its frames or its answer go. */
  #newAttempt(
    planned: PlannedAttempt,
    dialect: Dialect,
    asked: ChatRequest,
    continuation: Continuation | null,
  ): Attempt {
    const { generationId, created } = this.#request;
    const { stream, includeUsage, choices } = asked;
    const context = { generationId, model: planned.model.id, created, target: targetOf(planned) };
    const said = stream ? new Transcript() : null;
    const decoder = stream ? dialect.streamDecoder({ ...context, includeUsage, choices, transcript: said }) : null;
    return new Attempt(this, {
      planned,
      dialect,
      asked,
      output: decoder && (continuation?.output(decoder) ?? this.#output(decoder, said)),
      said,
      decodeAnswer: (body) => dialect.decodeChat(body, context),
    });
  }

  /** Where the frames go of a stream that is nobody's continuation. */
  #output(decoder: StreamDecoder, said: Transcript | null): AttemptOutput {
    if (!this.#request.chat.stream) return new AssembledOutput(decoder);
    return new HeldOutput(decoder, this.#recoverable ? said : null);
  }

  #send(attempt: Attempt, encoded: EncodedRequest): void {
    if (this.#settled || attempt !== this.#attempt) return;
    const { admitAttempt } = this.#request;
    const admitted = attempt.planned.credentialType === 'system' ? (admitAttempt?.(attempt.planned) ?? null) : null;
    if (admitted instanceof Promise) void admitted.then((later) => this.#dispatch(attempt, encoded, later));
    else this.#dispatch(attempt, encoded, admitted);
  }

  #dispatch(attempt: Attempt, encoded: EncodedRequest, admitted: AttemptAdmission | GatewayError | null): void {
    if (admitted instanceof GatewayError) {
      this.failed(attempt, admitted);
      return;
    }
    if (this.#settled || attempt !== this.#attempt) {
      admitted?.settle(0);
      return;
    }
    attempt.admission = admitted;
    const headers = this.#log.send(attempt, encoded);
    const { connectMs } = attempt.planned.endpoint.timeouts;
    attempt.start(this.#request.pools, { ...encoded, headers, connectMs });
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
      if (!flowed) this.#commit(attempt);
      this.#write(bytes);
    }
    if (output.flowing !== flowed || output.decoder.progress.complete) this.#timer.arm();
  }

  #commit(attempt: Attempt): void {
    this.#committed = true;
    this.#firstContentAt ??= performance.now();
    this.#client.open(attempt.planned.endpoint.provider.name);
  }

  #write(bytes: Buffer): void {
    if (!this.#client.write(bytes)) this.#attempt?.pause();
  }

  succeeded(attempt: Attempt, frames: FrameBuffer): void {
    const { output } = attempt;
    if (this.#settled || attempt !== this.#attempt || output === null) return;
    const { progress } = output.decoder;
    const fault = output.fault?.(frames) ?? (this.#isEmpty(progress) ? emptySuccess() : null);
    if (fault !== null) {
      this.failed(attempt, fault);
      return;
    }
    if (this.#recovery !== null) this.#log.resumed = true;
    const billed = this.#finishAttempt(attempt, progress);
    const last = output.end(this.#log.metadata(billed), frames);
    if (output.whole) this.#answerWith(attempt, last);
    else {
      this.#commit(attempt);
      this.#client.end(last);
    }
    streamEnded(attempt.planned.endpoint, { whole: output.whole === true, usageTold: progress.usage !== null });
    if (progress.usage === null) this.#account.untold(attempt);
    this.#settle(null, billed, false);
  }

  answered(attempt: Attempt, answer: ChatAnswer): void {
    if (this.#settled || attempt !== this.#attempt) return;
    if (this.#isEmpty(answer)) {
      this.failed(attempt, emptySuccess(), answer.usage);
      return;
    }
    const { endpoint } = attempt.planned;
    // It does not stream, and its next answer may take longer than a first token.
    if (attempt.output !== null || endpoint === this.#refusedStream) askWhole(endpoint);
    const billed = this.#finishAttempt(attempt, answer);
    this.#answerWith(attempt, answer.render(this.#log.metadata(billed)));
    if (answer.usage === null) this.#account.untold(attempt, answer);
    this.#settle(null, billed, false);
  }

  #answerWith(attempt: Attempt, body: Buffer): void {
    this.#firstContentAt = performance.now();
    this.#client.answer(body, attempt.planned.endpoint.provider.name);
  }

  /** Nothing said and nothing to explain it: worth another try while there is somewhere to try (DESIGN 6). */
  #isEmpty({ hasContent, finishReasons }: Pick<StreamProgress, 'hasContent' | 'finishReasons'>): boolean {
    if (hasContent || this.#committed || !this.#route.hasAnother || this.#log.count >= MAX_ATTEMPTS) return false;
    const tried = this.#route.failures.some(({ failure }) => failure === 'empty_success');
    return !tried && finishReasons.every((reason) => reason === 'stop');
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
    if (this.#committed) this.#broke(attempt, error);
    else if (attempt.output?.whole && refusesStream(error) && this.#log.count < MAX_ATTEMPTS) {
      // The client has asked for no stream: the request stands.
      this.#refusedStream = attempt.planned.endpoint;
      this.#begin();
    } else this.#next(error);
  }

  /** Another endpoint could go on where a stream breaks: what is said has to be written down. */
  get #recoverable(): boolean {
    const { resume } = this.#request;
    return resume !== 'off' && (resume === 'always' || this.#route.hasAlternative) && this.#log.count < MAX_ATTEMPTS;
  }

  /** A stream broke behind content that the client has: somebody goes on with it, or all that is left is to say so. */
  #broke({ planned, output }: Attempt, error: GatewayError): void {
    const recovering = this.#recovery !== null;
    this.#recovery ??= Recovery.of(this.#request, output?.transcript ?? null, planned, error);
    const recovery = this.#recovery;
    if (recovery === null) this.#giveUp(error);
    else if (recovering && error.failure === 'content_filter') this.#giveUp(error);
    else if (!recovery.possible || error.failure === undefined) this.#giveUp(recovery.brokenBy);
    else if (this.#prefilled && error.failure === 'bad_request' && recovery.refused(planned.endpoint.key)) {
      if (this.#log.count < MAX_ATTEMPTS) this.#begin();
      else this.#giveUp(recovery.brokenBy);
    } else this.#goOn(recovery, error, recovering && output?.flowing === false);
  }

  /** `afresh`: nothing of the failed attempt has been sent, so that it fails as one before any content does. */
  #goOn(recovery: Recovery, error: GatewayError, afresh: boolean): void {
    const now = performance.now();
    const circumstances = { attempts: this.#log.count, now, deadlineAt: this.#deadlineAt, random: Math.random() };
    // One endpoint's refusal of the request says nothing of the next one: another has taken it.
    const ordinary = afresh && error.failure !== 'bad_request';
    const waitMs = ordinary ? this.#route.after(error, circumstances) : this.#route.leave(error, circumstances);
    if (waitMs !== null) {
      this.#beginIn(waitMs);
      return;
    }
    const lastResort = this.#log.count < MAX_ATTEMPTS ? recovery.lastResort() : null;
    if (lastResort === null) this.#giveUp(recovery.brokenBy);
    else {
      this.#route.returnTo(lastResort);
      this.#begin();
    }
  }

  /** What follows a failed attempt from which nothing has been sent. */
  #next(error: GatewayError): void {
    const now = performance.now();
    const waitMs = this.#route.after(error, {
      attempts: this.#log.count,
      now,
      deadlineAt: this.#deadlineAt,
      random: Math.random(),
    });
    if (waitMs === null) this.#giveUp(this.#route.finalError(now));
    else this.#beginIn(waitMs);
  }

  #beginIn(waitMs: number): void {
    if (waitMs === 0) {
      this.#begin();
      return;
    }
    this.#log.wait();
    this.#waiting = setTimeout(() => this.#begin(), waitMs);
    this.#timer.arm();
  }

  #giveUp(error: GatewayError): void {
    this.#client.fail(error);
    this.#settle(error, null, false);
  }

  /** The attempt has answered; returns what that cost, if its provider says so. */
  #finishAttempt(attempt: Attempt, result: StreamProgress | ChatAnswer): BilledAttempt | null {
    this.#log.end(attempt, null, null, { result, later: result.usage === null });
    return result.usage === null ? null : this.#account.add(attempt.planned, result.usage, 'provider');
  }

  #settle(error: GatewayError | null, answered: BilledAttempt | null, clientAborted: boolean): void {
    this.#settled = true;
    this.#timer.stop();
    if (this.#waiting) clearTimeout(this.#waiting);
    const { last, count } = this.#log;
    const ended = {
      error,
      clientAborted,
      provider: last?.endpoint.provider.name ?? null,
      model: last?.model.id ?? null,
      last,
      attempts: count,
      endedAt: performance.now(),
      gatewayMs: this.#log.timing().gatewayMs,
      firstContentAt: this.#firstContentAt,
      usage: answered === null ? null : tokenUsage(answered.usage),
      costUsd: answered?.costUsd ?? null,
      streamed: this.#client.opened,
      resumed: this.#log.resumed,
    };
    this.#request.observation.answered();
    const account = this.#account;
    account.whenKnown(() => this.#request.onSettled({ ...ended, billed: account.billed, accounted: account.sum() }));
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
      firstTokenBinds: attempt !== null && this.#firstTokenBinds(attempt.planned),
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
