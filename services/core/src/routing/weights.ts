import type { EndpointEntry } from '../catalog/index.ts';
import { chance } from './chance.ts';

/** An endpoint at its place, and why it has it. */
export interface Ranked {
  readonly endpoint: EndpointEntry;
  readonly reason: string;
}

/** Endpoints in their places; those of one group (`groupsOf`) are drawn by weight, the others stay where they are. */
export function drawByWeight(
  endpoints: readonly EndpointEntry[],
  groups: ReadonlyMap<EndpointEntry, number>,
  seed: number,
  reason: (endpoint: EndpointEntry) => string,
): Ranked[] {
  const ranked: Ranked[] = [];
  for (let i = 0; i < endpoints.length; ) {
    const first = endpoints[i];
    if (!first) break;
    const group = groups.get(first);
    let end = i + 1;
    while (group !== undefined && end < endpoints.length && groupAt(endpoints, end, groups) === group) end++;
    if (end === i + 1) ranked.push({ endpoint: first, reason: reason(first) });
    else ranked.push(...drawn(endpoints.slice(i, end), seed));
    i = end;
  }
  return ranked;
}

function groupAt(endpoints: readonly EndpointEntry[], i: number, groups: ReadonlyMap<EndpointEntry, number>) {
  const endpoint = endpoints[i];
  return endpoint && groups.get(endpoint);
}

/**
 * A draw without replacement, by weight (Efraimidis and Spirakis): whoever waits shortest for an event that happens
 * `weight` times as often. Each endpoint's wait depends on itself alone, so one that comes or goes moves no other.
 */
function drawn(group: readonly EndpointEntry[], seed: number): Ranked[] {
  const total = group.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
  return group
    .map((endpoint) => ({ endpoint, wait: -Math.log(chance(seed, endpoint.key)) / (endpoint.weight ?? 1) }))
    .sort((a, b) => a.wait - b.wait)
    .map(({ endpoint }) => ({ endpoint, reason: `drawn by weight ${endpoint.weight} of ${total}` }));
}

const known = new WeakMap<readonly EndpointEntry[], ReadonlyMap<EndpointEntry, number>>();

/** Which endpoints share a load: neighbours in the configured list that have a weight, by number of their group. */
export function groupsOf(configured: readonly EndpointEntry[]): ReadonlyMap<EndpointEntry, number> {
  const made = known.get(configured);
  if (made) return made;
  const groups = new Map<EndpointEntry, number>();
  let group = 0;
  for (const endpoint of configured) {
    if (endpoint.weight === null) group++;
    else groups.set(endpoint, group);
  }
  known.set(configured, groups);
  return groups;
}
