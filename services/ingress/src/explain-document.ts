import type { EndpointEntry } from '@headgate/core/catalog';
import { costUsd, fromDecimal, toDecimal } from '@headgate/core/ledger';
import type { HealthView, Plan, PlannedAttempt, PlanRequest, RequestFeatures } from '@headgate/core/routing';

/**
 * The answer of `POST /v1/route/explain`: what the gateway would do with a chat request, and why. Names are those of
 * `provider_metadata.gateway.routing` (WIRE 2.5) where it has them. Credentials are named by type only.
 */
export function explainDocument(request: PlanRequest, plan: Plan, health: HealthView): Record<string, unknown> {
  const { models, options, features, affinity, seed } = request;
  return {
    object: 'route.explanation',
    originalModelId: models[0]?.id ?? null,
    models: models.map(({ id }) => id),
    seed,
    attempts: plan.attempts.map((attempt, i) => attemptDocument(attempt, i + 1, features, health)),
    removed: plan.removed.map(({ model, endpointKey, by, detail }) => ({
      modelId: model,
      internalModelId: endpointKey,
      by,
      detail,
    })),
    warnings: plan.warnings,
    sort: plan.sort,
    affinity:
      affinity === null ? null : { prefix: affinity.prefix, cachedAt: affinity.endpointKey, outcome: plan.affinity },
    planningReasoning: plan.reasoning,
    features,
    options: withoutCredentials(options),
  };
}

function attemptDocument(
  { model, endpoint, credentialType, firstTokenBinds, reason }: PlannedAttempt,
  position: number,
  features: RequestFeatures,
  health: HealthView,
): Record<string, unknown> {
  const { firstTokenMs } = endpoint.timeouts;
  return {
    position,
    modelId: model.id,
    provider: endpoint.provider.name,
    providerApiModelId: endpoint.model,
    internalModelId: endpoint.key,
    credentialType,
    reason,
    firstTokenTimeout: { ms: firstTokenMs, binds: firstTokenBinds ? 'always' : 'while another attempt is left' },
    health: healthDocument(endpoint.key, health),
    // US dollars per token.
    pricing: { input: endpoint.pricing?.input ?? null, output: endpoint.pricing?.output ?? null },
    estimatedCost: estimate(endpoint, features),
  };
}

/** What nobody has measured is null; times are milliseconds, `coolUntil` since the epoch. */
function healthDocument(key: string, view: HealthView): Record<string, unknown> {
  const health = view.of(key);
  return {
    breaker: health?.breaker ?? 'closed',
    probeDue: health?.probeDue ?? false,
    coolUntil: health !== undefined && health.coolUntil > view.now ? health.coolUntil : null,
    successRate: health?.successRate ?? null,
    ttftMs: health?.ttftMs ?? null,
    tokensPerSecond: health?.tokensPerSecond ?? null,
    inFlight: health?.inFlight ?? 0,
  };
}

/**
 * US dollars as decimal strings, null where a price is not known. Output is what the client allows, else all that the
 * endpoint can give: the real answer costs at most that, and usually far less.
 */
function estimate(endpoint: EndpointEntry, features: RequestFeatures): Record<string, unknown> {
  const { promptTokens } = features;
  const outputTokens = outputLimit(endpoint, features);
  const input = costOf(endpoint, promptTokens, 0);
  const output = outputTokens === null ? null : costOf(endpoint, 0, outputTokens);
  const total = input === null || output === null ? null : toDecimal(fromDecimal(input) + fromDecimal(output));
  return { promptTokens, outputTokens, input, output, total };
}

function outputLimit({ maxOutputTokens: most }: EndpointEntry, { maxOutputTokens: wanted }: RequestFeatures) {
  if (most === 0) return wanted;
  return wanted === null ? most : Math.min(wanted, most);
}

const costOf = ({ pricing }: EndpointEntry, input: number, output: number): string | null =>
  costUsd({ uncachedInput: input, cacheRead: null, cacheWrite: null, output, reasoning: null }, pricing);

/** Of the caller's own credentials it is told for which providers there are how many. */
function withoutCredentials({ byok, ...options }: PlanRequest['options']): Record<string, unknown> {
  if (byok === undefined) return options;
  const counts = Object.entries(byok).map(([provider, credentials]) => [provider, credentials.length]);
  return { ...options, byok: Object.fromEntries(counts) };
}
