import type { FailureClass } from '../errors/index.ts';
import type { BreakerEvent } from './breaker.ts';
import type { AttemptOutcome } from './contract.ts';

export interface KeyedEvent {
  /** Endpoint, or `providerKey` where all endpoints of a provider are meant. */
  readonly key: string;
  readonly event: BreakerEvent;
}

/** What this process knew of the breaker when the attempt began. */
export interface KnownAtStart {
  /** Null: the breaker has opened or closed since. */
  readonly epoch: number | null;
  /** The permit the attempt was made under; 0: none. */
  readonly permit: number;
}

/** For as long a key that was refused is left alone, unless the provider says longer. */
export const REFUSED_KEY_MS = 30_000;

/** The caller is to blame: the endpoint answered. */
const CALLER_CAUSED: ReadonlySet<FailureClass> = new Set(['bad_request', 'context_length', 'content_filter']);

/** Under this key stands what holds for all endpoints of a provider; only its cool-down counts. */
export const providerKey = (provider: string): string => `${provider}:*`;

/** What an attempt means for breakers and cool-downs. */
export function eventsOf(
  outcome: Pick<AttemptOutcome, 'endpointKey' | 'provider' | 'failure' | 'retryAfterMs' | 'status'>,
  { epoch, permit }: KnownAtStart,
): readonly KeyedEvent[] {
  const { endpointKey: key, failure } = outcome;
  const retryAfterMs = Math.max(0, Math.ceil(outcome.retryAfterMs ?? 0));
  if (failure === null || CALLER_CAUSED.has(failure)) {
    return epoch === null ? [] : [{ key, event: { kind: 'success', count: 1, epoch } }];
  }
  if (failure === 'rate_limited') return [{ key, event: { kind: 'rate_limited', permit, retryAfterMs } }];
  if (failure !== 'auth') return failed(key, epoch, permit, retryAfterMs);
  const forMs = Math.max(REFUSED_KEY_MS, retryAfterMs);
  if (outcome.status !== 401 && outcome.status !== 402) return failed(key, epoch, permit, forMs);
  return [...failed(key, epoch, permit, 0), { key: providerKey(outcome.provider), event: { kind: 'cool', forMs } }];
}

function failed(key: string, epoch: number | null, permit: number, retryAfterMs: number): readonly KeyedEvent[] {
  if (epoch !== null) return [{ key, event: { kind: 'failure', count: 1, epoch, permit, retryAfterMs } }];
  return retryAfterMs === 0 ? [] : [{ key, event: { kind: 'cool', forMs: retryAfterMs } }];
}

/** Whether the attempt counts as up or down; null: it says nothing, as what the caller did wrong. */
export function wentWell({ failure, status }: Pick<AttemptOutcome, 'failure' | 'status'>): boolean | null {
  if (failure === null) return status === null || status < 400 ? true : null;
  return CALLER_CAUSED.has(failure) ? null : false;
}
