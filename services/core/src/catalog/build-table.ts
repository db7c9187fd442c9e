import {
  type DrainSettings,
  type Endpoint,
  type Model,
  ModelType,
  type Pricing,
  type Provider,
  type RoutingSnapshot,
  type Timeouts,
} from '@headgate/proto/snapshot';
import { batchPolicy } from './batch-policy.ts';
import { embeddingPolicy } from './embedding-policy.ts';
import { filePolicy } from './file-policy.ts';
import { limitPolicy, oidcIssuer } from './limit-settings.ts';
import { modelCard } from './model-card.ts';
import type {
  DrainPolicy,
  EndpointEntry,
  EndpointPricing,
  EndpointTimeouts,
  HealthPolicy,
  ModelEntry,
  ProviderEntry,
  RoutingTable,
} from './routing-table.ts';

/** Opens what a Sealer sealed; throws when the secret is another one. */
export type Unsealer = (provider: string, sealed: Uint8Array) => Readonly<Record<string, string>>;

/**
 * A snapshot as the data plane uses it. Throws when credentials cannot be opened or an endpoint names a provider that is
 * not there: such a snapshot must not be served in part.
 */
export function toRoutingTable(
  snapshot: RoutingSnapshot,
  version: number,
  digest: string,
  open: Unsealer,
): RoutingTable {
  const timeoutsByProvider = new Map(snapshot.providers.map(({ name, timeouts }) => [name, timeouts]));
  const providers = new Map(snapshot.providers.map((provider) => [provider.name, providerEntry(provider, open)]));
  const timeoutsOf = (endpoint: Endpoint) =>
    resolveTimeouts(endpoint.timeouts, timeoutsByProvider.get(endpoint.provider), snapshot.timeouts);
  const models = snapshot.models.map((model) => modelEntry(model, providers, timeoutsOf));
  return {
    version,
    digest,
    simulated: snapshot.simulated,
    server: {
      maxBodyBytes: snapshot.server?.maxBodyBytes ?? 0,
      requestTimeoutMs: snapshot.server?.requestTimeoutMs ?? 0,
      keepAliveCommentMs: snapshot.server?.keepAliveCommentMs ?? 0,
      corsOrigins: snapshot.server?.corsOrigins ?? [],
      drainAborted: drainPolicy(snapshot.server?.drainAborted),
    },
    allowPrivateFileUrls: snapshot.allowPrivateFileUrls,
    health: healthPolicy(snapshot.health),
    limits: limitPolicy(snapshot.limits, snapshot.onRedisLoss),
    oidc: snapshot.oidc.map(oidcIssuer),
    batches: batchPolicy(snapshot.batches),
    embeddings: embeddingPolicy(snapshot.embeddings),
    files: filePolicy(snapshot.files, open),
    providers,
    models: new Map(models.map((model) => [model.id, model])),
  };
}

/** An older control says nothing of it: what stands in the schema as default holds. */
function drainPolicy(settings: DrainSettings | undefined): DrainPolicy {
  const { when = '', maxMs = 30_000, maxConcurrent = 64 } = settings ?? {};
  return { when: when === 'always' || when === 'never' ? when : 'billed', maxMs, maxConcurrent };
}

/** An older control says nothing of health: what stands in the schema as default holds. */
export const DEFAULT_HEALTH: HealthPolicy = {
  breaker: {
    consecutiveFailures: 5,
    failureRatio: 0.5,
    minimumRequests: 20,
    windowMs: 30_000,
    cooldownMs: 5_000,
    maxCooldownMs: 15_000,
  },
  probes: { enabled: true, intervalMs: 10_000, timeoutMs: 10_000 },
};

function healthPolicy(settings: RoutingSnapshot['health']): HealthPolicy {
  const { breaker, probes } = settings ?? {};
  return {
    breaker:
      breaker === undefined
        ? DEFAULT_HEALTH.breaker
        : {
            consecutiveFailures: breaker.consecutiveFailures,
            failureRatio: breaker.failureRatio,
            minimumRequests: breaker.minimumRequests,
            windowMs: breaker.windowMs,
            cooldownMs: breaker.cooldownMs,
            maxCooldownMs: breaker.maxCooldownMs,
          },
    probes:
      probes === undefined
        ? DEFAULT_HEALTH.probes
        : { enabled: probes.enabled, intervalMs: probes.intervalMs, timeoutMs: probes.timeoutMs },
  };
}

function providerEntry(provider: Provider, open: Unsealer): ProviderEntry {
  const sealed = provider.sealedCredentials;
  return {
    name: provider.name,
    dialect: provider.dialect,
    baseUrl: provider.baseUrl,
    credentials: sealed.length === 0 ? {} : open(provider.name, sealed),
    settings: provider.settings,
    zeroDataRetention: provider.zeroDataRetention,
    noPromptTraining: provider.noPromptTraining,
    promptCacheMs: provider.promptCacheMs,
  };
}

function modelEntry(
  model: Model,
  providers: ReadonlyMap<string, ProviderEntry>,
  timeoutsOf: (endpoint: Endpoint) => EndpointTimeouts,
): ModelEntry {
  const endpoints = model.endpoints.map((endpoint): EndpointEntry => {
    const provider = providers.get(endpoint.provider);
    if (provider === undefined)
      throw new Error(`model ${model.id} names the provider ${endpoint.provider}, which is not there`);
    return {
      key: `${endpoint.provider}:${endpoint.model}`,
      provider,
      model: endpoint.model,
      publisher: endpoint.publisher,
      timeouts: timeoutsOf(endpoint),
      pricing: endpoint.pricing === undefined ? null : endpointPricing(endpoint.pricing),
      weight: endpoint.weight === 0 ? null : endpoint.weight,
      contextWindow: endpoint.contextWindow || model.contextWindow,
      maxOutputTokens: endpoint.maxOutputTokens || model.maxOutputTokens,
      quantization: endpoint.quantization,
    };
  });
  if (endpoints.length === 0) throw new Error(`model ${model.id} has no endpoint`);
  return {
    id: model.id,
    type: model.type === ModelType.EMBEDDING ? 'embedding' : 'chat',
    contextWindow: model.contextWindow,
    maxOutputTokens: model.maxOutputTokens,
    name: model.name,
    description: model.description,
    created: Number(model.created),
    inputModalities: model.inputModalities,
    outputModalities: model.outputModalities,
    tags: model.tags,
    supportedParameters: model.supportedParameters,
    cardJson: JSON.stringify(modelCard(model, [...new Set(endpoints.map(({ provider }) => provider))])),
    endpoints,
  };
}

/** The nearest level that says something; zero says nothing. */
function resolveTimeouts(...levels: readonly (Timeouts | undefined)[]): EndpointTimeouts {
  const nearest = (read: (level: Timeouts) => number) =>
    levels.map((level) => (level === undefined ? 0 : read(level))).find((value) => value > 0) ?? 0;
  return {
    connectMs: nearest(({ connectMs }) => connectMs),
    firstTokenMs: nearest(({ firstTokenMs }) => firstTokenMs),
    streamStallMs: nearest(({ streamStallMs }) => streamStallMs),
  };
}

function endpointPricing(pricing: Pricing): EndpointPricing {
  const known = (value: string) => (value === '' ? null : value);
  return {
    input: known(pricing.input),
    output: known(pricing.output),
    inputCacheRead: known(pricing.inputCacheRead),
    inputCacheWrite: known(pricing.inputCacheWrite),
  };
}
