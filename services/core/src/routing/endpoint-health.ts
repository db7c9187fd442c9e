/**
 * What the planner may know of an endpoint's health. The health room keeps it; a plan sees one moment of it.
 * Absent facts are null: nothing is assumed of an endpoint that has not been measured lately.
 */
export interface EndpointHealth {
  /**
   * `open` endpoints go last. `half_open` says that this process holds the permit for the one request that tries it: the
   * endpoint is planned as if it were well, and whoever plans it takes the permit.
   */
  readonly breaker: 'closed' | 'open' | 'half_open';
  /**
   * The breaker is open, its period is over, and this process does not hold the permit: the endpoint still goes last, and
   * the plan says that the permit is wanted.
   */
  readonly probeDue: boolean;
  /** Until then it should be left alone (429 with Retry-After, a refused key); epoch milliseconds, 0: no. */
  readonly coolUntil: number;
  /** Median time to the first token, milliseconds. */
  readonly ttftMs: number | null;
  /** Median tokens per second behind the first token. */
  readonly tokensPerSecond: number | null;
  /** Share of attempts that succeeded, 0 to 1. */
  readonly successRate: number | null;
  /** Requests of this process that are at the endpoint now. */
  readonly inFlight: number;
}

/** Health as it is at one moment. */
export interface HealthView {
  /**
   * Changes whenever an endpoint turns unwell (its breaker opens, a cool-down begins): while it stays the same, a model
   * whose endpoints were all well still has them well.
   */
  readonly version: number;
  /** Epoch milliseconds. */
  readonly now: number;
  /** By endpoint key (`provider:model`); undefined: nothing is known, which is as good as well. */
  of(endpointKey: string): EndpointHealth | undefined;
}

/** Nothing is known of any endpoint. */
export const UNKNOWN_HEALTH: HealthView = { version: 0, now: 0, of: () => undefined };

/** Its breaker is open: it goes last for everybody. */
export const isOpen = (health: EndpointHealth | undefined): boolean => health?.breaker === 'open';

/** The gateway's own credential should leave it alone for now. */
export const isCooling = (health: EndpointHealth | undefined, now: number): boolean =>
  health !== undefined && health.coolUntil > now;

export const isUnwell = (health: EndpointHealth | undefined, now: number): boolean =>
  isOpen(health) || isCooling(health, now);
