import type { SimulatorProcess } from '../support/simulator-process.ts';
import type { ConfigFile } from '../support/stack.ts';
import { endpointOf, PROVIDERS, type ProviderName, providersOn } from './providers.ts';
import { RUNS, type Run } from './runs.ts';
import { REQUEST_TIMEOUT_MS } from './table.ts';
import { scaled } from './timing.ts';

const WINDOW = 32_000;

/** The gateway's own limits, as headgate.yaml has them by default, scaled. */
export const limits = () => ({
  server: {
    requestTimeoutMs: scaled(REQUEST_TIMEOUT_MS),
    keepAliveCommentMs: 0,
    drainAborted: { maxMs: scaled(30_000) },
  },
  timeouts: { connectMs: 5_000, firstTokenMs: scaled(10_000), streamStallMs: scaled(10_000) },
  health: {
    breaker: { windowMs: scaled(30_000), cooldownMs: scaled(5_000), maxCooldownMs: scaled(15_000) },
    probes: { intervalMs: scaled(10_000), timeoutMs: scaled(10_000) },
  },
});

/** A model of each provider's alone, of which the situations know nothing. */
export const WARM_UP = (Object.keys(PROVIDERS) as ProviderName[]).map((provider) => ({
  id: `warm/${provider}`,
  endpoints: [endpointOf(provider, 'primary', 'warm')],
}));

/** headgate.yaml with a model for each run. */
export const configFor = (simulators: readonly SimulatorProcess[]): ConfigFile => ({
  ...limits(),
  providers: providersOn(simulators),
  models: [...WARM_UP, ...RUNS.flatMap((run) => modelsOf(run))],
});

function modelsOf({ id, model, alone, pair, fallbackModel }: Run): object[] {
  const primary = endpointOf(pair.primary, 'primary', id);
  const secondary = endpointOf(pair.secondary, 'secondary', id);
  const asked = { id: model, contextWindow: WINDOW, endpoints: alone ? [primary] : [primary, secondary] };
  if (fallbackModel === null) return [asked];
  const larger = endpointOf(pair.secondary, 'secondary', `larger-${id}`);
  return [asked, { id: fallbackModel, contextWindow: 10 * WINDOW, endpoints: [larger] }];
}
