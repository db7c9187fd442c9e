export { type Plan, type PlannedAttempt, planAttempts, type RoutingOptions } from './plan.ts';
