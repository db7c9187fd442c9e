/**
 * The circuit breaker of one endpoint, as a pure state machine. `transition.lua` is the same machine inside Redis, where
 * it decides for all replicas; this one goes on alone while Redis is away. `breaker-agreement.test.ts` holds them equal:
 * whole numbers and plain multiplications only, so that both compute the same.
 *
 * Half-open is an open breaker with a permit out. Times are epoch milliseconds.
 */
import type { BreakerPolicy } from '../catalog/index.ts';

export interface BreakerState {
  readonly open: boolean;
  /** Rises with every opening and closing; 0: never opened. Outcomes of attempts that began in an earlier one are late. */
  readonly epoch: number;
  readonly openedAt: number;
  /** No permit before this. */
  readonly openUntil: number;
  /** How long it was opened for last. */
  readonly cooldownMs: number;
  readonly consecutiveFailures: number;
  /** Decayed, in millionths, as they were at `countedAt`. */
  readonly failuresMicro: number;
  readonly successesMicro: number;
  readonly countedAt: number;
  /** To be left alone until then. */
  readonly coolUntil: number;
  /** Rate limits in a row that did not say how long. */
  readonly rateLimits: number;
  /** The last permit that was given; it is out until `permitUntil`. */
  readonly permit: number;
  readonly permitUntil: number;
}

/** `permit` is the one the attempt was made under, 0: none. `retryAfterMs` is 0 when the provider did not say. */
export type BreakerEvent =
  | { readonly kind: 'success'; readonly count: number; readonly epoch: number }
  | {
      readonly kind: 'failure';
      readonly count: number;
      readonly epoch: number;
      readonly permit: number;
      readonly retryAfterMs: number;
    }
  | { readonly kind: 'rate_limited'; readonly permit: number; readonly retryAfterMs: number }
  | { readonly kind: 'cool'; readonly forMs: number }
  /** Asks for a permit, or to keep one longer (`permit` is its number). */
  | { readonly kind: 'acquire'; readonly permit: number; readonly leaseMs: number }
  /** Gives a permit back: nothing could be told. */
  | { readonly kind: 'release'; readonly permit: number }
  /** What a replica knows and Redis has lost. Says nothing new when it is said again, in whatever order. */
  | { readonly kind: 'restore'; readonly known: BreakerState };

export const WELL: BreakerState = {
  open: false,
  epoch: 0,
  openedAt: 0,
  openUntil: 0,
  cooldownMs: 0,
  consecutiveFailures: 0,
  failuresMicro: 0,
  successesMicro: 0,
  countedAt: 0,
  coolUntil: 0,
  rateLimits: 0,
  permit: 0,
  permitUntil: 0,
};

const MICRO = 1_000_000;
/** A provider's word that takes it away for longer is not believed. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;
/** For rate limits that do not say how long: the first, then doubling. */
const RATE_LIMIT_MS = { first: 1_000, cap: 30_000 };
/** Counts decay in steps of an eighth of the window: 2 to the power of -1/8. */
const DECAY_STEPS = 8;
const DECAY = 0.9170040432046712;
/** So many steps leave nothing. */
const DECAYED_AWAY = 400;

/** Returns the same object when nothing changes. */
export function transition(state: BreakerState, event: BreakerEvent, policy: BreakerPolicy, now: number): BreakerState {
  switch (event.kind) {
    case 'success':
      return succeeded(state, event.count, event.epoch, policy, now);
    case 'failure':
      return failed(cooled(state, now, event.retryAfterMs), event, policy, now);
    case 'rate_limited':
      return rateLimited(state, event.permit, event.retryAfterMs, now);
    case 'cool':
      return cooled(state, now, event.forMs);
    case 'acquire':
      return acquired(state, event.permit, event.leaseMs, now);
    case 'release':
      return released(state, event.permit, now);
    case 'restore':
      return restored(state, event.known);
  }
}

/** What others have to know at once; counts alone are not. */
export function looksDifferent(before: BreakerState, after: BreakerState): boolean {
  return (
    before.open !== after.open ||
    before.epoch !== after.epoch ||
    before.openUntil !== after.openUntil ||
    before.coolUntil !== after.coolUntil ||
    before.permit !== after.permit ||
    before.permitUntil !== after.permitUntil
  );
}

const isLate = (state: BreakerState, epoch: number): boolean => state.epoch !== 0 && epoch !== state.epoch;

const holds = (state: BreakerState, permit: number, now: number): boolean =>
  permit !== 0 && permit === state.permit && state.permitUntil > now;

/** Numbers that rise, also when the state was lost and begins anew. */
const following = (last: number, now: number): number => Math.max(last + 1, now);

function succeeded(
  state: BreakerState,
  count: number,
  epoch: number,
  policy: BreakerPolicy,
  now: number,
): BreakerState {
  if (isLate(state, epoch)) return state;
  if (state.open) {
    return {
      ...WELL,
      epoch: following(state.epoch, now),
      successesMicro: count * MICRO,
      countedAt: now,
      coolUntil: state.coolUntil,
      rateLimits: state.rateLimits,
      permit: state.permit,
    };
  }
  const counted = decayed(state, policy, now);
  return {
    ...counted,
    consecutiveFailures: 0,
    successesMicro: counted.successesMicro + count * MICRO,
    rateLimits: now < state.coolUntil ? state.rateLimits : 0,
  };
}

function failed(
  state: BreakerState,
  event: { readonly count: number; readonly epoch: number; readonly permit: number },
  policy: BreakerPolicy,
  now: number,
): BreakerState {
  if (state.open) return holds(state, event.permit, now) ? opened(state, policy, now) : state;
  if (isLate(state, event.epoch)) return state;
  const counted = decayed(state, policy, now);
  const after = {
    ...counted,
    consecutiveFailures: state.consecutiveFailures + event.count,
    failuresMicro: counted.failuresMicro + event.count * MICRO,
  };
  return isTooMuch(after, policy) ? opened(after, policy, now) : after;
}

function isTooMuch(state: BreakerState, policy: BreakerPolicy): boolean {
  if (state.consecutiveFailures >= policy.consecutiveFailures) return true;
  const total = state.failuresMicro + state.successesMicro;
  return total >= policy.minimumRequests * MICRO && state.failuresMicro >= policy.failureRatio * total;
}

/** For the first time, or again after a probe that failed. */
function opened(state: BreakerState, policy: BreakerPolicy, now: number): BreakerState {
  const cooldownMs = state.open ? Math.min(state.cooldownMs * 2, policy.maxCooldownMs) : policy.cooldownMs;
  return {
    ...state,
    open: true,
    epoch: following(state.epoch, now),
    openedAt: now,
    openUntil: Math.max(state.openUntil, now + cooldownMs, state.coolUntil),
    cooldownMs,
    permitUntil: 0,
  };
}

function rateLimited(state: BreakerState, permit: number, retryAfterMs: number, now: number): BreakerState {
  const given = holds(state, permit, now) ? { ...state, permitUntil: 0 } : state;
  if (retryAfterMs > 0) return cooled(given, now, retryAfterMs);
  if (now < state.coolUntil) return given;
  const forMs = Math.min(RATE_LIMIT_MS.first * 2 ** Math.min(state.rateLimits, 10), RATE_LIMIT_MS.cap);
  return cooled({ ...given, rateLimits: state.rateLimits + 1 }, now, forMs);
}

function cooled(state: BreakerState, now: number, forMs: number): BreakerState {
  const coolUntil = now + Math.min(forMs, LONGEST_RETRY_AFTER_MS);
  if (forMs <= 0 || coolUntil <= state.coolUntil) return state;
  return { ...state, coolUntil, openUntil: state.open ? Math.max(state.openUntil, coolUntil) : state.openUntil };
}

function acquired(state: BreakerState, permit: number, leaseMs: number, now: number): BreakerState {
  if (!state.open) return state;
  if (permit !== 0) {
    if (!holds(state, permit, now)) return state;
    return { ...state, permitUntil: Math.max(state.permitUntil, now + leaseMs) };
  }
  if (now < state.openUntil || state.permitUntil > now) return state;
  return { ...state, permit: following(state.permit, now), permitUntil: now + leaseMs };
}

function released(state: BreakerState, permit: number, now: number): BreakerState {
  return holds(state, permit, now) ? { ...state, permitUntil: 0 } : state;
}

/** The newest turn counts, and the latest of all deadlines. Of one turn, what happened since it was first restored stays. */
function restored(state: BreakerState, known: BreakerState): BreakerState {
  const [newer, older] = known.epoch > state.epoch ? [known, state] : [state, known];
  const coolUntil = Math.max(newer.coolUntil, older.coolUntil);
  const rateLimits = Math.max(newer.rateLimits, older.rateLimits);
  if (!newer.open) return { ...newer, coolUntil, rateLimits };
  const openUntil = Math.max(newer.openUntil, older.open ? older.openUntil : 0, coolUntil);
  return { ...newer, openUntil, coolUntil, rateLimits };
}

/** A count that is `windowMs` old is half of what it was. */
function decayed(state: BreakerState, policy: BreakerPolicy, now: number): BreakerState {
  if (state.failuresMicro === 0 && state.successesMicro === 0) return { ...state, countedAt: now };
  const stepMs = Math.max(1, Math.floor(policy.windowMs / DECAY_STEPS));
  const steps = Math.floor((now - state.countedAt) / stepMs);
  if (steps <= 0) return state;
  if (steps > DECAYED_AWAY) return { ...state, failuresMicro: 0, successesMicro: 0, countedAt: now };
  let { failuresMicro, successesMicro } = state;
  for (let step = 0; step < steps; step++) {
    failuresMicro = Math.floor(failuresMicro * DECAY);
    successesMicro = Math.floor(successesMicro * DECAY);
  }
  return { ...state, failuresMicro, successesMicro, countedAt: state.countedAt + steps * stepMs };
}
