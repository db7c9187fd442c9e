import type { GatewayError } from '../errors/index.ts';
import type { Plan, PlannedAttempt } from '../routing/index.ts';
import {
  cannotBeAsked,
  finalError,
  LEAST_TIME_MS,
  LONGEST_WAIT_MS,
  MAX_ATTEMPTS,
  nextStep,
  retryDelayMs,
  SHORT_WAIT_MS,
  spreadMs,
} from './policy.ts';

/** What the choice of the next attempt depends on, beside the failures so far. Times are `performance.now()`. */
export interface Circumstances {
  /** Attempts begun so far. */
  readonly attempts: number;
  /** The request of the failed attempt went out. */
  readonly sent: boolean;
  readonly now: number;
  readonly deadlineAt: number;
  /** From 0 to below 1. */
  readonly random: number;
}

interface Limited {
  readonly planned: PlannedAttempt;
  /** When the provider wants to be asked again. */
  readonly readyAt: number;
}

/** One request's way along its plan: which endpoint is tried now, and after its failure which is next, and when (DESIGN 6). */
export class Route {
  readonly failures: GatewayError[] = [];
  #current: PlannedAttempt;
  /** What has not been tried stands in `#list` from `#at` on. */
  #list: readonly PlannedAttempt[];
  #at = 1;
  #retriedHere = false;
  /** Milliseconds, over all attempts. */
  #waited = 0;
  /** Only a larger window than this makes sense. */
  #tooSmall = -1;
  readonly #limited: Limited[] = [];
  /** Why endpoints could not be asked at all. */
  readonly #unasked: GatewayError[] = [];
  /** Keys of half-open endpoints: one attempt finds out whether they are back. */
  readonly #onTrial: readonly string[];

  constructor({ attempts, permits }: Plan) {
    const [first] = attempts;
    if (!first) throw new RangeError('a plan has at least one attempt');
    this.#current = first;
    this.#list = attempts;
    this.#onTrial = permits;
  }

  get current(): PlannedAttempt {
    return this.#current;
  }

  /** Another endpoint can be tried at once. */
  get hasAnother(): boolean {
    return this.#at < this.#list.length;
  }

  /** Some endpoint is left, if only one whose rate limit has to pass. */
  get hasAlternative(): boolean {
    return this.hasAnother || this.#limited.length > 0;
  }

  /** The current attempt failed: makes the next one current and returns the milliseconds until it may begin; null: give up. */
  after(error: GatewayError, circumstances: Circumstances): number | null {
    this.failures.push(error);
    const { failure, retryAfterMs } = error;
    const { attempts, sent, now, deadlineAt, random } = circumstances;
    if (failure === undefined) return null;
    if (cannotBeAsked(error, sent)) {
      this.#unasked.push(error);
      return attempts >= MAX_ATTEMPTS ? null : this.#next(circumstances);
    }
    const failed = this.#current;
    if (failure === 'rate_limited' && retryAfterMs !== undefined) {
      this.#limited.push({ planned: failed, readyAt: now + retryAfterMs });
    }
    const step = nextStep(failure, this.#retriedHere);
    if (step === 'give_up' || attempts >= MAX_ATTEMPTS) return null;
    if (step === 'retry_here') {
      const wait = Math.max(retryAfterMs ?? 0, retryDelayMs(random));
      const worthIt = !this.hasAnother || (wait <= SHORT_WAIT_MS && !this.#onTrial.includes(failed.endpoint.key));
      if (worthIt && this.#waited + wait <= LONGEST_WAIT_MS && now + wait + LEAST_TIME_MS <= deadlineAt) {
        this.#retriedHere = true;
        this.#waited += wait;
        return wait;
      }
    }
    if (step === 'next_model') this.#tooSmall = Math.max(this.#tooSmall, windowOf(failed));
    if (failure === 'silent') this.#putLast(({ endpoint }) => endpoint.key === failed.endpoint.key);
    if (failure === 'auth') this.#putLast(({ endpoint }) => endpoint.provider === failed.endpoint.provider);
    return this.#next(circumstances);
  }

  /** As `after`, of a stream that broke behind content: the same endpoint is not asked again. */
  leave(error: GatewayError, circumstances: Circumstances): number | null {
    this.failures.push(error);
    return circumstances.attempts >= MAX_ATTEMPTS ? null : this.#next(circumstances);
  }

  /** Makes an endpoint that was tried before the current one again. */
  returnTo(planned: PlannedAttempt): void {
    this.#current = planned;
  }

  /** The error for the client when there is no next attempt. */
  finalError(now: number): GatewayError {
    const told = this.failures.filter((error) => !this.#unasked.includes(error));
    const [unasked] = this.#unasked;
    // A request that one endpoint takes is a good one, and the caller not to blame.
    if (told.length === 0 && unasked !== undefined) return unasked;
    const readyAt = Math.min(...this.#limited.map((limited) => limited.readyAt));
    return finalError(told, Number.isFinite(readyAt) ? Math.max(0, Math.round(readyAt - now)) : undefined);
  }

  /** The same connection, or the same credential, is the last that should be tried again. */
  #putLast(isSame: (planned: PlannedAttempt) => boolean): void {
    const left = this.#list.slice(this.#at);
    if (!left.some(isSame)) return;
    this.#list = [...left.filter((one) => !isSame(one)), ...left.filter(isSame)];
    this.#at = 0;
  }

  #next({ now, deadlineAt, random }: Circumstances): number | null {
    this.#retriedHere = false;
    while (this.#at < this.#list.length) {
      const planned = this.#list[this.#at++];
      if (!planned || !this.#fits(planned)) continue;
      this.#current = planned;
      return now + LEAST_TIME_MS <= deadlineAt ? 0 : null;
    }
    const limited = this.#earliest();
    if (!limited) return null;
    const asked = Math.max(0, limited.readyAt - now);
    // "Retry-After: 0" does not mean without taking breath.
    const least = limited.planned === this.#current ? retryDelayMs(random) : 0;
    const wait = Math.max(least, asked + spreadMs(asked, random));
    if (this.#waited + asked > LONGEST_WAIT_MS || now + wait + LEAST_TIME_MS > deadlineAt) return null;
    this.#waited += wait;
    this.#limited.splice(this.#limited.indexOf(limited), 1);
    this.#current = limited.planned;
    return wait;
  }

  #earliest(): Limited | undefined {
    let earliest: Limited | undefined;
    for (const limited of this.#limited) {
      if (this.#fits(limited.planned) && limited.readyAt < (earliest?.readyAt ?? Number.POSITIVE_INFINITY)) {
        earliest = limited;
      }
    }
    return earliest;
  }

  #fits(planned: PlannedAttempt): boolean {
    return this.#tooSmall < 0 || windowOf(planned) > this.#tooSmall;
  }
}

/** Tokens; 0 where unknown. */
const windowOf = ({ endpoint, model }: PlannedAttempt): number => endpoint.contextWindow || model.contextWindow;
