import type { EndpointEntry, ModelEntry } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import type { RoutingOptions } from './request.ts';

/** Options of WIRE 2.3 that this release does not act on: saying so is better than seeming to. */
const NOT_YET = [
  'sort',
  'has',
  'maxPrice',
  'byok',
  'providerTimeouts',
  'quotaEntityId',
  'serviceTier',
  'safetyIdentifier',
  'speed',
  'affinity',
];

export interface PlannedAttempt {
  readonly model: ModelEntry;
  /** As in the catalog; with a caller's own credential, a copy that has that credential, its settings and its model id. */
  readonly endpoint: EndpointEntry;
  readonly credentialType: 'system' | 'byok';
  /** `endpoint.timeouts.firstTokenMs` was asked for by the client: it binds also where nothing else is left to try. */
  readonly firstTokenBinds: boolean;
  /** Why it stands where it stands, for people. */
  readonly reason: string;
}

/** An endpoint that will not be tried, and what ruled it out: the option's name or `capability`. */
export interface RemovedEndpoint {
  readonly model: string;
  readonly endpointKey: string;
  readonly by: string;
  readonly detail: string;
}

/** As `provider_metadata.gateway.routing.sort` shows it (WIRE 2.5). */
export interface SortRecord {
  readonly option: 'cost' | 'ttft' | 'tps';
  /** Providers. */
  readonly executionOrder: readonly string[];
  /** US dollars per million tokens, seconds, or tokens per second, by provider; of those that are known. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Providers that would have come earlier but for their health. */
  readonly deprioritized: readonly string[];
}

export interface Plan {
  /** Never empty. */
  readonly attempts: readonly PlannedAttempt[];
  /** The endpoints' keys, in the same order. */
  readonly keys: readonly string[];
  readonly removed: readonly RemovedEndpoint[];
  /** Null without `sort`. */
  readonly sort: SortRecord | null;
  /** Whether the endpoint that has the prompt cached comes first because of that; null: affinity had no say. */
  readonly affinity: 'hit' | 'miss' | null;
  /** Keys of endpoints that are half-open and stand before others: whoever runs the plan takes their permits. */
  readonly permits: readonly string[];
  /** Keys of endpoints that were put last although their open period is over: fetching their permits would bring them back. */
  readonly wanted: readonly string[];
  /** Options that were given and have no effect. */
  readonly warnings: readonly string[];
  /** For people: which endpoints were considered and why in this order. */
  readonly reasoning: string;
}

/** Plans of requests that ask for nothing special, which are most; they live as long as the model's snapshot. */
const plainPlans = new WeakMap<ModelEntry, Plan>();

/**
 * The order in which endpoints are tried. Pure: the same input gives the same plan. `models` is the model asked for,
 * then its fallbacks; the providers' policy applies to each of them.
 * Throws a GatewayError (400 `no_eligible_provider`) when the filters leave nothing.
 */
export function planAttempts(models: readonly ModelEntry[], options: RoutingOptions): Plan {
  const [model] = models;
  if (!model || models.length > 1 || Object.keys(options).length > 0) return makePlan(models, options);
  let plan = plainPlans.get(model);
  if (!plan) {
    plan = makePlan(models, options);
    plainPlans.set(model, plan);
  }
  return plan;
}

function makePlan(models: readonly ModelEntry[], options: RoutingOptions): Plan {
  const attempts = models.flatMap((model) =>
    ordered(model, options).map(
      (endpoint): PlannedAttempt => ({
        model,
        endpoint,
        credentialType: 'system',
        firstTokenBinds: false,
        reason: 'configured order',
      }),
    ),
  );
  if (attempts.length === 0) throw noEligibleProvider(models, options);
  const keys = attempts.map(({ endpoint }) => endpoint.key);
  const warnings = NOT_YET.filter((option) => options[option] !== undefined).map(
    (option) => `providerOptions.gateway.${option}: has no effect in this release`,
  );
  return {
    attempts,
    keys,
    removed: [],
    sort: null,
    affinity: null,
    permits: [],
    wanted: [],
    warnings,
    reasoning: explain(models, keys, options),
  };
}

function ordered(model: ModelEntry, options: RoutingOptions): readonly EndpointEntry[] {
  const { order, only, ignore } = options;
  let eligible = model.endpoints;
  if (only) eligible = eligible.filter(({ provider }) => only.includes(provider.name));
  if (ignore) eligible = eligible.filter(({ provider }) => !ignore.includes(provider.name));
  if (options.zeroDataRetention) eligible = eligible.filter(({ provider }) => provider.zeroDataRetention);
  if (options.disallowPromptTraining) eligible = eligible.filter(({ provider }) => provider.noPromptTraining);
  if (!order || order.length === 0) return eligible;
  const rank = (endpoint: EndpointEntry): number => {
    const place = order.indexOf(endpoint.provider.name);
    return place < 0 ? order.length : place;
  };
  return [...eligible].sort((a, b) => rank(a) - rank(b));
}

function noEligibleProvider(models: readonly ModelEntry[], options: RoutingOptions): GatewayError {
  const available = [...new Set(models.flatMap((model) => model.endpoints.map(({ provider }) => provider.name)))];
  const filters = [
    options.only ? `only: ${options.only.join(', ')}` : '',
    options.ignore ? `ignore: ${options.ignore.join(', ')}` : '',
    options.zeroDataRetention ? 'zeroDataRetention' : '',
    options.disallowPromptTraining ? 'disallowPromptTraining' : '',
  ].filter((filter) => filter !== '');
  return new GatewayError(
    'invalid_request_error',
    `No provider is eligible for this request (${filters.join('; ')}). Providers that serve the model: ${available.join(', ')}.`,
    { param: 'providerOptions.gateway', code: 'no_eligible_provider' },
  );
}

function explain(models: readonly ModelEntry[], keys: readonly string[], options: RoutingOptions): string {
  const total = models.reduce((sum, model) => sum + model.endpoints.length, 0);
  const why = options.order?.length
    ? `providerOptions.gateway.order [${options.order.join(', ')}]`
    : 'configured order';
  return `${keys.length} of ${total} endpoints eligible; execution order by ${why}: ${keys.join(' -> ')}`;
}
