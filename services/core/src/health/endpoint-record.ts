import type { MeasurementSummary } from '@headgate/proto/health';
import type { EndpointHealth } from '../routing/endpoint-health.ts';
import { type BreakerState, WELL } from './breaker.ts';
import { middleOf } from './histogram.ts';
import type { RedisClock } from './redis-clock.ts';
import { HALF_LIFE_MS } from './shared-measurements.ts';

/** A permit that this process holds. */
export interface HeldPermit {
  readonly id: number;
  /** `performance.now()`: attempts that began later are the probe. */
  readonly since: number;
  /** Epoch milliseconds by the clock of Redis. */
  until: number;
  /** A request is on its way with it. */
  taken: boolean;
}

/** An attempt that closed the breaker with its first content, and has not ended yet. */
export interface AnsweringTrial {
  /** As in its outcome: tells it from other attempts. */
  readonly startedAt: number;
  /** Settles when the closing is known here; never rejects. */
  readonly closed: Promise<unknown>;
}

/** What is older was forgotten rather than lost (poll.lua). */
const RESTORE_MS = 12 * 3_600_000;
/** With less than half a measurement left, nothing is known. */
const LEAST_WEIGHT = 0.5;

/**
 * All that this process knows of one endpoint, as plans read it: plain fields, computed when something changes. It is
 * live; a plan is made within one turn of the event loop and sees one moment of it.
 */
export class EndpointRecord implements EndpointHealth {
  readonly key: string;
  readonly provider: string;
  readonly #clock: RedisClock;

  breaker: 'closed' | 'open' | 'half_open' = 'closed';
  coolUntil = 0;
  ttftMs: number | null = null;
  tokensPerSecond: number | null = null;
  successRate: number | null = null;
  inFlight = 0;

  state: BreakerState = WELL;
  version = 0;
  /** Newest that Redis has told: one that it knows an older of has been lost there. */
  sharedEpoch = 0;
  /** `performance.now()` when `state` was last set. */
  setAt = Number.NEGATIVE_INFINITY;
  /** `performance.now()` when this process learned of the state's epoch. */
  epochSince = Number.NEGATIVE_INFINITY;
  permit: HeldPermit | null = null;
  trial: AnsweringTrial | null = null;
  /** A permit has been asked for. */
  asking = false;
  /** Epoch milliseconds: no permit is asked for before, so that others get their chance. */
  askAgainAt = 0;
  #summary: MeasurementSummary | null = null;

  constructor(key: string, clock: RedisClock) {
    this.key = key;
    this.provider = providerOf(key);
    this.#clock = clock;
  }

  get probeDue(): boolean {
    return this.breaker === 'open' && this.permit === null && this.#isFree(this.#clock.now());
  }

  #isFree(now: number): boolean {
    return now >= this.state.openUntil && now >= this.state.permitUntil;
  }

  /** Whether `state` is newer than what is known. `sentAt`: when it was asked for; what was set before that is older. */
  takes(version: number, sentAt: number | null): boolean {
    return version > this.version || (sentAt !== null && this.setAt < sentAt);
  }

  /** Redis knows nothing of it: whether others have to hear of it again. */
  worthRestoring(now: number): boolean {
    const { epoch, countedAt, openUntil, coolUntil, permitUntil } = this.state;
    if (epoch === 0) return coolUntil > now;
    return Math.max(epoch, countedAt, openUntil, coolUntil, permitUntil) > now - RESTORE_MS;
  }

  set(state: BreakerState, version: number): void {
    const now = performance.now();
    if (state.epoch !== this.state.epoch) this.epochSince = now;
    this.state = state;
    this.version = version;
    this.setAt = now;
    const { permit } = this;
    // Somebody else's word that the permit is over: the breaker closed or opened anew, or the permit ran out.
    if (permit !== null && (!state.open || state.permit !== permit.id || state.permitUntil === 0)) this.permit = null;
  }

  /** Brings what plans see up to date; true when a breaker or a cool-down looks different. */
  refresh(providerCoolUntil: number): boolean {
    const breaker = !this.state.open ? 'closed' : this.permit !== null && !this.permit.taken ? 'half_open' : 'open';
    const coolUntil = Math.max(this.state.coolUntil, providerCoolUntil);
    if (breaker === this.breaker && coolUntil === this.coolUntil) return false;
    this.breaker = breaker;
    this.coolUntil = coolUntil;
    return true;
  }

  measured(summary: MeasurementSummary): void {
    if (this.#summary === null || summary.atMs >= this.#summary.atMs) this.#summary = summary;
    this.fade();
  }

  /** Forgets measurements that have become too old. */
  fade(): void {
    const summary = this.#summary;
    if (summary === null) return;
    const left = 0.5 ** (Math.max(0, this.#clock.now() - Number(summary.atMs)) / HALF_LIFE_MS);
    this.ttftMs = summary.ttftWeight * left < LEAST_WEIGHT ? null : middleOf(summary.ttftBucket);
    this.tokensPerSecond = summary.speedWeight * left < LEAST_WEIGHT ? null : middleOf(summary.speedBucket);
    this.successRate = summary.attempts * left < LEAST_WEIGHT ? null : summary.successRate;
  }
}

/** Endpoint keys are `provider:model`; a provider's name has no colon. */
function providerOf(endpointKey: string): string {
  const colon = endpointKey.indexOf(':');
  return colon < 0 ? endpointKey : endpointKey.slice(0, colon);
}
