export { AffinityMemory } from './affinity-memory.ts';
export { type EndpointHealth, type HealthView, isUnwell, UNKNOWN_HEALTH } from './endpoint-health.ts';
export type { Plan, PlannedAttempt, RemovedEndpoint, SortRecord } from './plan.ts';
export { planAttempts } from './planner.ts';
export type { ByokCredential, PlanRequest, RequestFeatures, RoutingOptions } from './request.ts';
