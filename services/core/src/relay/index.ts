export type { Accounted, BilledAttempt } from './account.ts';
export { LateUsage } from './late-usage.ts';
export { type ProbeRequest, type ProbeResult, probeEndpoint } from './probe.ts';
export { Relay } from './relay.ts';
export type { AttemptAdmission, RelayRequest } from './request.ts';
export type { RelayOutcome, RelaySink, Timing } from './sink.ts';
