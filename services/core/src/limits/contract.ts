import type { BudgetPolicy, LimitPolicy, Limits } from '../catalog/index.ts';
import type { GatewayError } from '../errors/index.ts';

export type SubjectKind = 'key' | 'group' | 'user' | 'model' | 'provider';

/** Whom a request is accounted to; one request has several. */
export interface Subject {
  readonly kind: SubjectKind;
  /** Unique within its kind; becomes part of key names in Redis, where it is hashed if it is the caller's own text. */
  readonly id: string;
  /** What stands in messages, such as the key's name. */
  readonly name: string;
  readonly limits: Limits;
  readonly budget: BudgetPolicy | null;
}

/** What a request is expected to use at most. */
export interface Demand {
  readonly tokens: number;
  /** 10^-9 US dollars, rounded up; 0 where no price is known. */
  readonly money: number;
}

export interface AdmitOptions {
  readonly onRedisLoss: LimitPolicy['onRedisLoss'];
  /** `performance.now()` by which the caller must have an answer. */
  readonly deadlineAt: number;
  /** Wait in turn for so long instead of a refusal; null: refuse at once. */
  readonly queue: { readonly maxWaitMs: number; readonly maxWaiting: number } | null;
}

/** For the `x-ratelimit-*` headers (WIRE 2.12): of the tightest subject; null where no such limit holds. */
export interface LimitStatus {
  readonly requests: Gauge | null;
  readonly tokens: Gauge | null;
  /** Soft budgets that are used up, as text for a warning header; '' for none. */
  readonly budgetWarning: string;
}

export interface Gauge {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until it is full again. */
  readonly resetMs: number;
}

/** A request that was let in. Exactly one of `settle` and `release` must be called, once; later calls do nothing. */
export interface Admission {
  readonly status: LimitStatus;
  /** The caller has its answer, or has gone: its slots come free, though what was used may still be found out. May be left out. */
  answered(): void;
  /** The request is over: real use replaces the estimate. */
  settle(actual: Demand): void;
  /** Nothing was used: all of it goes back. */
  release(): void;
}

/** 429 or 402 with everything that the client is told, headers included. */
export interface Refusal {
  readonly error: GatewayError;
  /** Kind of the subject and name of the limit, such as `key requestsPerMinute`; `redis loss` where nothing can be checked. */
  readonly limit: string;
  readonly status: LimitStatus;
}

/** Where requests are let in; one a process. */
export interface Limiter {
  /** At once where the leases suffice, which is nearly always; else a promise that is never rejected and never late. */
  admit(
    subjects: readonly Subject[],
    demand: Demand,
    options: AdmitOptions,
  ): Admission | Refusal | Promise<Admission | Refusal>;
  /** Where the subjects stand, as far as this process knows at once: a limit that it knows nothing of is taken to be full. */
  statusOf(subjects: readonly Subject[]): LimitStatus;
}
