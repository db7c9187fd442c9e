import type { ModelEntry } from '../catalog/index.ts';
import type { EndpointHealth, HealthView } from './endpoint-health.ts';
import type { PlanRequest, RequestFeatures, RoutingOptions } from './request.ts';

/** Planning in tests: a request that needs nothing, and endpoints that are well. */

export const NO_FEATURES: RequestFeatures = {
  images: false,
  files: false,
  audio: false,
  tools: false,
  jsonSchema: false,
  promptTokens: 0,
  maxOutputTokens: null,
};

export const planRequest = (
  models: readonly ModelEntry[],
  options: RoutingOptions = {},
  given: Partial<PlanRequest> = {},
): PlanRequest => ({ models, options, features: NO_FEATURES, affinity: null, seed: 0, ...given });

export const WELL: EndpointHealth = {
  breaker: 'closed',
  probeDue: false,
  coolUntil: 0,
  ttftMs: null,
  tokensPerSecond: null,
  successRate: null,
  inFlight: 0,
};

/** What a test says of some endpoints, at the time `now`. */
export function healthView(known: Readonly<Record<string, Partial<EndpointHealth>>> = {}, now = 1_000): HealthView {
  const all = new Map(Object.entries(known).map(([key, given]) => [key, { ...WELL, ...given }]));
  return { version: 0, now, of: (key) => all.get(key) };
}
