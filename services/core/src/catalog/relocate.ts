import { type Dialect, defaultBaseUrl } from '../config/index.ts';
import type { ProviderEntry } from './routing-table.ts';

/**
 * The same provider with other credentials, and these settings laid over its own. Where its base URL follows from its
 * settings (a region, a location), so does the new one; a base URL that the operator has set stays.
 */
export function withAccount(
  provider: ProviderEntry,
  credentials: ProviderEntry['credentials'],
  given: ProviderEntry['settings'],
): ProviderEntry {
  const settings = { ...provider.settings, ...given };
  const usual = (of: ProviderEntry['settings']) => defaultBaseUrl(provider.name, provider.dialect as Dialect, of);
  const baseUrl =
    usual(provider.settings) === provider.baseUrl ? (usual(settings) ?? provider.baseUrl) : provider.baseUrl;
  return { ...provider, baseUrl, credentials, settings };
}
