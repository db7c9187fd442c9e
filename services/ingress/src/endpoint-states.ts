import type { EndpointEntry, RoutingTable } from '@headgate/core/catalog';
import type { HealthBoard } from '@headgate/core/health';
import type { EndpointState } from '@headgate/core/telemetry';

/** Every configured endpoint once, with what is known of its health: what `/metrics` shows. */
export function endpointStates(table: RoutingTable, health: HealthBoard): EndpointState[] {
  const { now } = health.view();
  const described = new Map(health.describe().map((endpoint) => [endpoint.endpointKey, endpoint]));
  return [...endpointsOf(table).values()].map(({ key, provider, model }): EndpointState => {
    const known = described.get(key);
    return {
      provider: provider.name,
      model,
      breaker: known?.breaker ?? 'closed',
      cooling: known !== undefined && known.coolUntil > now,
      successRate: known?.successRate ?? null,
      ttftMs: known?.ttftMs ?? null,
      tokensPerSecond: known?.tokensPerSecond ?? null,
      inFlight: known?.inFlight ?? 0,
    };
  });
}

/** By key: several models may stand on one endpoint. */
export function endpointsOf(table: RoutingTable): ReadonlyMap<string, EndpointEntry> {
  const endpoints = new Map<string, EndpointEntry>();
  for (const model of table.models.values()) for (const one of model.endpoints) endpoints.set(one.key, one);
  return endpoints;
}
