import type { EndpointEntry } from '../catalog/index.ts';
import { chance } from './chance.ts';
import type { HealthView } from './endpoint-health.ts';
import { blendedPrice } from './prices.ts';
import type { RoutingOptions } from './request.ts';
import type { Ranked } from './weights.ts';

type SortOption = NonNullable<RoutingOptions['sort']>;

/** How often an endpoint that has not been measured lately is asked first: else it would never be. */
const TRIED_FIRST = 0.1;

/** As `SortRecord.metrics`; null: not known. */
export function metricOf(option: SortOption, endpoint: EndpointEntry, health: HealthView): number | null {
  switch (option) {
    case 'cost':
      return blendedPrice(endpoint.pricing);
    case 'ttft': {
      const ms = health.of(endpoint.key)?.ttftMs ?? null;
      return ms === null ? null : ms / 1000;
    }
    case 'tps':
      return health.of(endpoint.key)?.tokensPerSecond ?? null;
    default:
      return option satisfies never;
  }
}

/** The best first; equals, and those of which nothing is known, in the order given; the latter now and then ahead of all. */
export function sortBy(
  option: SortOption,
  endpoints: readonly EndpointEntry[],
  seed: number,
  health: HealthView,
): Ranked[] {
  const measured = endpoints.map((endpoint) => ({ endpoint, metric: metricOf(option, endpoint, health) }));
  const known = measured.flatMap(({ endpoint, metric }) => (metric === null ? [] : [{ endpoint, metric }]));
  const sign = option === 'tps' ? -1 : 1;
  known.sort((a, b) => sign * (a.metric - b.metric));
  const unknown = measured.filter(({ metric }) => metric === null).map(({ endpoint }) => endpoint);
  // A price does not become known by asking.
  const early = option === 'cost' || known.length === 0 ? [] : triedFirst(unknown, seed);
  return [
    ...early.map((endpoint) => ({ endpoint, reason: `sort ${option}: not measured lately, tried first now and then` })),
    ...known.map(({ endpoint, metric }) => ({ endpoint, reason: `sort ${option}: ${shown(option, metric)}` })),
    ...unknown
      .filter((endpoint) => !early.includes(endpoint))
      .map((endpoint) => ({
        endpoint,
        reason: `sort ${option}: ${option === 'cost' ? 'price unknown' : 'not measured lately'}`,
      })),
  ];
}

function triedFirst(endpoints: readonly EndpointEntry[], seed: number): EndpointEntry[] {
  return endpoints
    .map((endpoint) => ({ endpoint, draw: chance(seed, `try ${endpoint.key}`) }))
    .filter(({ draw }) => draw < TRIED_FIRST)
    .sort((a, b) => a.draw - b.draw)
    .map(({ endpoint }) => endpoint);
}

function shown(option: SortOption, metric: number): string {
  const number = Number(metric.toPrecision(4));
  if (option === 'cost') return `${number} USD per million tokens`;
  return option === 'ttft' ? `${number} s to the first token` : `${number} tokens per second`;
}
