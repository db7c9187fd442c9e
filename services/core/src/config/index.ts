export { ConfigError, type ConfigIssue, issueLine } from './config-error.ts';
export { publicHash } from './cross-checks.ts';
export type { Environment } from './interpolate.ts';
export { type Bootstrap, configPath, type LoadedConfig, type LoadOptions, loadBootstrap, loadConfig } from './load.ts';
export { DIALECTS, type Dialect, defaultBaseUrl, WELL_KNOWN_PROVIDERS, type WellKnownProvider } from './providers.ts';
export {
  type Config,
  type ConfigKey,
  type ConfigModel,
  type ConfigPricing,
  type ConfigProvider,
  type ConfigTimeouts,
  configSchema,
} from './schema.ts';
