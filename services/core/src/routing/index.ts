export type { EndpointHealth, HealthView } from './endpoint-health.ts';
export { type Plan, type PlannedAttempt, planAttempts, type RemovedEndpoint, type SortRecord } from './plan.ts';
export type { ByokCredential, PlanRequest, RequestFeatures, RoutingOptions } from './request.ts';
