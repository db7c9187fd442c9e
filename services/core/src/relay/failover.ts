import type { EndpointEntry } from '../catalog/index.ts';
import type { Dialect, StreamProgress } from '../dialects/index.ts';
import type { GatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { refusesStream } from './assembled-output.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptLog } from './attempt-log.ts';
import { REALIGNMENT_FAILED } from './failures.ts';
import { isEmptyAnswer, MAX_ATTEMPTS } from './policy.ts';
import { type Continuation, Recovery } from './recovery.ts';
import type { RelayRequest } from './request.ts';
import { type Circumstances, Route } from './route.ts';

/** Milliseconds until the next attempt may begin, or the error with which the request ends. */
export type Next = number | GatewayError;

/**
 * Decides what follows a failed attempt of one request: the next endpoint of its route, the same one asked in another way, an
 * endpoint that goes on with a broken stream, or the end. Decides only, and begins nothing.
 */
export class Failover {
  readonly #request: RelayRequest;
  readonly #log: AttemptLog;
  readonly #route: Route;
  /** Set once a stream broke behind content. */
  #recovery: Recovery | null = null;
  /** Whose refusal of a stream is being put to the test: a request may be wrong either way. */
  #refusedStream: EndpointEntry | null = null;
  /** The attempt under way was given the beginning of its answer. */
  #prefilled = false;

  constructor(request: RelayRequest, log: AttemptLog) {
    this.#request = request;
    this.#log = log;
    this.#route = new Route(request.plan);
  }

  /** What is tried now. */
  get planned(): PlannedAttempt {
    return this.#route.current;
  }

  /** The answer under way was begun by an attempt whose stream broke. */
  get isRecovering(): boolean {
    return this.#recovery !== null;
  }

  /** Another endpoint could take over from one that is silent, or the client set a limit of its own. */
  firstTokenBinds({ firstTokenBinds }: PlannedAttempt): boolean {
    return firstTokenBinds || (this.#route.hasAlternative && this.#hasAttempts);
  }

  /** A stream was refused here: it is asked for its answer as a whole. */
  isStreamRefusedBy(endpoint: EndpointEntry): boolean {
    return endpoint === this.#refusedStream;
  }

  /** Another endpoint could go on where a stream breaks: what is said has to be written down. */
  get isRecoverable(): boolean {
    const { resume } = this.#request;
    return resume !== 'off' && (resume === 'always' || this.#route.hasAlternative) && this.#hasAttempts;
  }

  /** How the planned endpoint goes on with a broken stream; null when it begins its own answer. */
  continuation(dialect: Dialect): Continuation | null {
    const continuation = this.#recovery?.continuation(dialect, this.planned) ?? null;
    this.#prefilled = continuation?.prefilled === true;
    return continuation;
  }

  /** Nothing said and nothing to explain it: worth another try while there is somewhere to try (DESIGN 6). */
  isWorthAnother(answer: Pick<StreamProgress, 'hasContent' | 'finishReasons'>): boolean {
    if (answer.hasContent || this.isRecovering || !this.#route.hasAnother || !this.#hasAttempts) return false;
    const tried = this.#route.failures.some(({ failure }) => failure === 'empty_success');
    return !tried && isEmptyAnswer(answer);
  }

  /** What follows an attempt of which the client has nothing. `attempt` is null when no request could be made. */
  afterFailure(attempt: Attempt | null, error: GatewayError, deadlineAt: number): Next {
    if (attempt?.output?.whole && refusesStream(error) && this.#hasAttempts) {
      // The client has asked for no stream: the request stands.
      this.#refusedStream = attempt.planned.endpoint;
      return 0;
    }
    const circumstances = this.#circumstances(attempt, deadlineAt);
    return this.#route.after(error, circumstances) ?? this.#route.finalError(circumstances.now);
  }

  /** A stream broke behind content that the client has: somebody goes on with it, or all that is left is to say so. */
  afterBreak(attempt: Attempt, error: GatewayError, deadlineAt: number): Next {
    const { planned, output } = attempt;
    const wasRecovering = this.isRecovering;
    this.#recovery ??= Recovery.of(this.#request, output?.transcript ?? null, planned, error);
    const recovery = this.#recovery;
    if (recovery === null) return error;
    if (wasRecovering && error.failure === 'content_filter') return error;
    if (!recovery.possible || error.failure === undefined) return recovery.brokenBy;
    const didNotGoOn = error.failure === 'bad_request' || error.code === REALIGNMENT_FAILED;
    if (this.#prefilled && didNotGoOn && recovery.refused(planned.endpoint.key)) {
      return this.#hasAttempts ? 0 : recovery.brokenBy;
    }
    const afresh = wasRecovering && output?.flowing === false;
    return this.#goOn(recovery, error, afresh, this.#circumstances(attempt, deadlineAt));
  }

  /** `afresh`: nothing of the failed attempt has been sent, so that it fails as one before any content does. */
  #goOn(recovery: Recovery, error: GatewayError, afresh: boolean, circumstances: Circumstances): Next {
    // One endpoint's refusal of the request says nothing of the next one: another has taken it.
    const ordinary = afresh && error.failure !== 'bad_request';
    const waitMs = ordinary ? this.#route.after(error, circumstances) : this.#route.leave(error, circumstances);
    if (waitMs !== null) return waitMs;
    const lastResort = this.#hasAttempts ? recovery.lastResort() : null;
    if (lastResort === null) return recovery.brokenBy;
    this.#route.returnTo(lastResort);
    return 0;
  }

  get #hasAttempts(): boolean {
    return this.#log.count < MAX_ATTEMPTS;
  }

  #circumstances(attempt: Attempt | null, deadlineAt: number): Circumstances {
    const sent = attempt !== null && attempt.sentAt !== null;
    return { attempts: this.#log.count, sent, now: performance.now(), deadlineAt, random: Math.random() };
  }
}
