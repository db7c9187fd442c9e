export type { Accounted, BilledAttempt } from './account.ts';
export {
  deadlineExceeded,
  FIRST_TOKEN_TIMEOUT,
  noFirstToken,
  refusedByok,
  unreadable,
} from './failures.ts';
export { LateUsage } from './late-usage.ts';
export { MAX_ATTEMPTS, tellsOfEndpoint } from './policy.ts';
export { targetOf } from './preparation.ts';
export { type ProbeRequest, type ProbeResult, probeEndpoint } from './probe.ts';
export { Relay } from './relay.ts';
export type { AttemptAdmission, RelayRequest } from './request.ts';
export { Route } from './route.ts';
export type { RelayOutcome, RelaySink, Timing } from './sink.ts';
