import { create } from '@bufbuild/protobuf';
import {
  type Model,
  ModelSchema,
  type Provider,
  ProviderSchema,
  type RoutingSnapshot,
  RoutingSnapshotSchema,
} from '@headgate/proto/snapshot';
import { type Config, ConfigError, configSchema, type Environment } from '../config/index.ts';
import { batchSettings } from './batch-policy.ts';
import { embeddingSettings } from './embedding-policy.ts';
import { fileSettings } from './file-policy.ts';
import { limitSettings, oidcSettings } from './limit-settings.ts';
import { builtinModels, configuredModel } from './models.ts';
import { configuredProvider, environmentProviders, type ResolvedProvider, SIMULATOR, simulator } from './providers.ts';

/** Seals one provider's credentials for travel; see the snapshot room. */
export type Sealer = (provider: string, credentials: Readonly<Record<string, string>>) => Uint8Array;

export interface ResolveOptions {
  readonly env: Environment;
  readonly seal: Sealer;
  /** Day for which prices hold; default today. */
  readonly date?: Date;
}

/**
 * Everything the data plane needs, from a configuration (null: none at all) and the environment. Providers come from the
 * configuration, else from the usual variables, else the simulator stands in; models come from the configuration, else
 * they are the built-in ones that those providers serve. Equal input gives an equal snapshot.
 */
export function resolveSnapshot(
  config: Config | null,
  { env, seal, date = new Date() }: ResolveOptions,
): RoutingSnapshot {
  const settings = config ?? configSchema.parse({});
  const providers = resolveProviders(settings, env);
  const models = resolveModels(settings, providers, date);
  return create(RoutingSnapshotSchema, {
    server: {
      maxBodyBytes: settings.server.maxBodyBytes,
      requestTimeoutMs: settings.server.requestTimeoutMs,
      keepAliveCommentMs: settings.server.keepAliveCommentMs,
      corsOrigins: [...settings.server.cors.origins],
      drainAborted: settings.server.drainAborted,
    },
    timeouts: settings.timeouts,
    providers: providers.map((provider) => sealedProvider(provider, seal)),
    models,
    simulated: providers.some(({ servesAs }) => servesAs === SIMULATOR),
    allowPrivateFileUrls: settings.network.allowPrivateFileUrls,
    onRedisLoss: settings.limits.onRedisLoss,
    health: settings.health,
    limits: limitSettings(settings),
    oidc: oidcSettings(settings),
    batches: batchSettings(settings),
    embeddings: embeddingSettings(settings),
    files: fileSettings(settings, seal),
  });
}

function resolveProviders(config: Config, env: Environment): readonly ResolvedProvider[] {
  const configured = Object.entries(config.providers).map(([name, entry]) => configuredProvider(name, entry, env));
  if (configured.length > 0) return configured;
  const found = environmentProviders(env);
  return found.length > 0 ? found : [simulator(env)];
}

function resolveModels(config: Config, providers: readonly ResolvedProvider[], date: Date): Model[] {
  const drafts =
    config.models === undefined
      ? builtinModels(providers, date)
      : config.models.map((model) => configuredModel(model, providers, date));
  if (drafts.length === 0) {
    const names = providers.map(({ name }) => name).join(', ');
    const message = `found nothing, expected a list of models: no built-in model is served by ${names}`;
    throw new ConfigError(null, [{ path: 'models', line: null, column: null, message }]);
  }
  return drafts.map((draft) => create(ModelSchema, draft));
}

function sealedProvider(provider: ResolvedProvider, seal: Sealer): Provider {
  const empty = Object.keys(provider.credentials).length === 0;
  return create(ProviderSchema, {
    name: provider.name,
    dialect: provider.dialect,
    baseUrl: provider.baseUrl,
    sealedCredentials: empty ? new Uint8Array() : seal(provider.name, provider.credentials),
    settings: provider.settings,
    zeroDataRetention: provider.zeroDataRetention,
    noPromptTraining: provider.noPromptTraining,
    promptCacheMs: provider.promptCacheMs,
    ...(provider.timeouts === undefined ? {} : { timeouts: provider.timeouts }),
  });
}
