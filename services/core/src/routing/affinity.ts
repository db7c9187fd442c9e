import type { EndpointEntry } from '../catalog/index.ts';
import { type HealthView, isUnwell } from './endpoint-health.ts';
import { perMillion } from './prices.ts';
import type { Ranked } from './weights.ts';

/** So many requests of this process at one endpoint are no crowd, whatever the others have. */
const NO_CROWD = 8;

/**
 * Why the endpoint that has the prompt cached should not come first all the same; null: it should. `others` are the
 * endpoints in the order that they would have without it.
 */
export function affinityObjection(
  holder: EndpointEntry,
  others: readonly Ranked[],
  siblings: readonly EndpointEntry[],
  health: HealthView,
): string | null {
  if (isUnwell(health.of(holder.key), health.now)) return 'it is unwell';
  if (isCrowded(holder, siblings, health)) return 'it has more than its share of requests';
  const first = others.find(({ endpoint }) => !isUnwell(health.of(endpoint.key), health.now))?.endpoint;
  if (first === undefined || first === holder) return null;
  const cached = perMillion(holder.pricing?.inputCacheRead ?? holder.pricing?.input);
  const plain = perMillion(first.pricing?.input);
  return cached !== null && plain !== null && cached > plain ? 'its cached price is above the price of another' : null;
}

/** More requests of this process are there than twice the average of the model's endpoints. */
export function isCrowded(endpoint: EndpointEntry, siblings: readonly EndpointEntry[], health: HealthView): boolean {
  const load = health.of(endpoint.key)?.inFlight ?? 0;
  if (load <= NO_CROWD) return false;
  let all = 0;
  for (const { key } of siblings) all += health.of(key)?.inFlight ?? 0;
  return load > (2 * all) / siblings.length;
}
