/** What a process knows of the health of endpoints, as gauges. */
import type { GaugeReading, GaugeScope, Metrics } from './metrics.ts';
import { METRIC, type MetricDefinition } from './names.ts';

/** One endpoint at the moment of a scrape; null where nothing is known. */
export interface EndpointState {
  readonly provider: string;
  /** The provider's own model id. */
  readonly model: string;
  readonly breaker: 'closed' | 'half_open' | 'open';
  readonly cooling: boolean;
  /** 0 to 1. */
  readonly successRate: number | null;
  /** Milliseconds. */
  readonly ttftMs: number | null;
  readonly tokensPerSecond: number | null;
  /** Of this process. */
  readonly inFlight: number;
}

const BREAKER_STATE = { closed: 0, half_open: 1, open: 2 } as const;

/** `read` gives every endpoint once. All processes know the same of an endpoint, more or less: the worst of it is shown. */
export function addEndpointMetrics(metrics: Metrics, read: () => readonly EndpointState[]): void {
  const gauge = (definition: MetricDefinition, across: GaugeScope, value: (state: EndpointState) => number | null) =>
    metrics.gauges(definition, across, () =>
      read().map(
        (state): GaugeReading => ({ values: [state.provider, state.model], value: value(state) ?? Number.NaN }),
      ),
    );
  gauge(METRIC.endpointBreaker, 'highest', ({ breaker }) => BREAKER_STATE[breaker]);
  gauge(METRIC.endpointCooling, 'highest', ({ cooling }) => (cooling ? 1 : 0));
  gauge(METRIC.endpointSuccess, 'lowest', ({ successRate }) => successRate);
  gauge(METRIC.endpointFirstToken, 'highest', ({ ttftMs }) => (ttftMs === null ? null : ttftMs / 1000));
  gauge(METRIC.endpointSpeed, 'lowest', ({ tokensPerSecond }) => tokensPerSecond);
  gauge(METRIC.endpointInFlight, 'sum', ({ inFlight }) => inFlight);
}
