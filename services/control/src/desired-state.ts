import { resolveSnapshot } from '@headgate/core/catalog';
import { type Environment, type LoadedConfig, loadConfig } from '@headgate/core/config';
import { configuredKeys } from '@headgate/core/identity';
import { CredentialSeal } from '@headgate/core/snapshot';
import type { ApiKey } from '@headgate/proto/api_key';
import type { RoutingSnapshot } from '@headgate/proto/snapshot';

/** What Redis should hold. */
export interface DesiredState {
  readonly loaded: LoadedConfig;
  readonly snapshot: RoutingSnapshot;
  readonly apiKeys: readonly ApiKey[];
}

/** Reads the configuration and resolves it; throws a ConfigError that lists everything that is wrong. */
export function readDesiredState(env: Environment, cwd: string, secret: string): DesiredState {
  const loaded = loadConfig({ env, cwd });
  const seal = new CredentialSeal(secret);
  return {
    loaded,
    snapshot: resolveSnapshot(loaded.config, {
      env,
      seal: (provider, credentials) => seal.seal(provider, credentials),
    }),
    apiKeys: configuredKeys(loaded.config.auth.keys, secret),
  };
}
