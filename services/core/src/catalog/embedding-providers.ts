import type { RoutingTable } from './routing-table.ts';

/** Names of the providers that some embedding model can be served by. */
export function embeddingProviders({ models }: RoutingTable): ReadonlySet<string> {
  const providers = new Set<string>();
  for (const { type, endpoints } of models.values()) {
    if (type === 'embedding') for (const { provider } of endpoints) providers.add(provider.name);
  }
  return providers;
}
