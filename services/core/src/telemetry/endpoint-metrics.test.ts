import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addEndpointMetrics, type EndpointState } from './endpoint-metrics.ts';
import { Metrics, type MetricsSnapshot } from './metrics.ts';
import { renderMerged } from './prometheus.ts';

const state = (given: Partial<EndpointState>): EndpointState => ({
  provider: 'alpha',
  model: 'one',
  breaker: 'closed',
  cooling: false,
  successRate: null,
  ttftMs: null,
  tokensPerSecond: null,
  inFlight: 0,
  ...given,
});

function snapshot(process: string, states: readonly EndpointState[]): MetricsSnapshot {
  const metrics = new Metrics({ process });
  addEndpointMetrics(metrics, () => states);
  return JSON.parse(JSON.stringify(metrics.serialise())) as MetricsSnapshot;
}

const samples = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('an endpoint has a series a fact that is known, and none for what is not', () => {
  const known = state({ breaker: 'half_open', cooling: true, successRate: 0.25, ttftMs: 1500, tokensPerSecond: 80 });
  const unknown = state({ provider: 'beta', model: 'org/two@1' });
  assert.deepEqual(samples(renderMerged([snapshot('1', [known, unknown])])), [
    'headgate_endpoint_breaker_state{gateway_provider="alpha",gateway_provider_model="one"} 1',
    'headgate_endpoint_breaker_state{gateway_provider="beta",gateway_provider_model="org/two@1"} 0',
    'headgate_endpoint_cooling{gateway_provider="alpha",gateway_provider_model="one"} 1',
    'headgate_endpoint_cooling{gateway_provider="beta",gateway_provider_model="org/two@1"} 0',
    'headgate_endpoint_success_ratio{gateway_provider="alpha",gateway_provider_model="one"} 0.25',
    'headgate_endpoint_time_to_first_token_seconds{gateway_provider="alpha",gateway_provider_model="one"} 1.5',
    'headgate_endpoint_tokens_per_second{gateway_provider="alpha",gateway_provider_model="one"} 80',
    'headgate_endpoint_in_flight{gateway_provider="alpha",gateway_provider_model="one"} 0',
    'headgate_endpoint_in_flight{gateway_provider="beta",gateway_provider_model="org/two@1"} 0',
  ]);
});

test('of what all processes know the worst is shown once; only calls in flight add up', () => {
  const ill = state({ breaker: 'open', successRate: 0.5, ttftMs: 200, tokensPerSecond: 40, inFlight: 2 });
  const well = state({ breaker: 'closed', successRate: 0.9, ttftMs: 300, tokensPerSecond: 50, inFlight: 3 });
  const labels = '{gateway_provider="alpha",gateway_provider_model="one"}';
  for (const order of [
    [ill, well],
    [well, ill],
  ]) {
    const merged = renderMerged(order.map((one, i) => snapshot(String(i), [one])));
    assert.deepEqual(samples(merged), [
      `headgate_endpoint_breaker_state${labels} 2`,
      `headgate_endpoint_cooling${labels} 0`,
      `headgate_endpoint_success_ratio${labels} 0.5`,
      `headgate_endpoint_time_to_first_token_seconds${labels} 0.3`,
      `headgate_endpoint_tokens_per_second${labels} 40`,
      `headgate_endpoint_in_flight${labels} 5`,
    ]);
  }
});

test('no endpoint at all: no series, and what throws takes nothing else along', () => {
  assert.equal(renderMerged([snapshot('1', [])]), '');
  const metrics = new Metrics({ process: '1' });
  addEndpointMetrics(metrics, () => {
    throw new Error('no table yet');
  });
  metrics.gauge('headgate.redis.up', 'Redis.', () => 1);
  assert.deepEqual(samples(metrics.renderPrometheus()), ['headgate_redis_up{process="1"} 1']);
});
