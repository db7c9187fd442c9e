import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ATTR, genAiProviderName, METRIC, metricName, semconvProfile } from './names.ts';
import { prometheusName } from './prometheus.ts';

test('providers have the names of the GenAI conventions', () => {
  const expected: readonly (readonly [provider: string, dialect: string, name: string])[] = [
    ['openai', 'openai', 'openai'],
    ['anthropic', 'anthropic', 'anthropic'],
    ['my-claude', 'anthropic', 'anthropic'],
    ['bedrock', 'bedrock', 'aws.bedrock'],
    ['azure', 'azure', 'azure.ai.openai'],
    ['google', 'gemini', 'gcp.gemini'],
    ['vertex', 'vertex', 'gcp.vertex_ai'],
    ['mistral', 'openai', 'mistral_ai'],
    ['xai', 'openai', 'x_ai'],
    ['x-ai', 'openai', 'x_ai'],
    ['Groq', 'openai', 'groq'],
    ['moonshotai', 'openai', 'moonshot_ai'],
    ['local', 'openai', 'local'],
  ];
  for (const [provider, dialect, name] of expected) assert.equal(genAiProviderName(provider, dialect), name, provider);
});

test('every name stands in the table once, and metrics keep distinct names in Prometheus', () => {
  const attributes = Object.values(ATTR);
  assert.equal(new Set(attributes).size, attributes.length);
  const metrics = Object.values(METRIC);
  const names = metrics.map((metric) => prometheusName(metric.name, metric.unit, metric.kind));
  assert.equal(new Set(names).size, metrics.length);
  for (const name of names) assert.match(name, /^[a-z][a-z0-9_]*$/);
});

test('Prometheus names carry unit and kind', () => {
  assert.equal(
    prometheusName('gen_ai.server.time_to_first_token', 's', 'histogram'),
    'gen_ai_server_time_to_first_token_seconds',
  );
  assert.equal(prometheusName('gen_ai.client.token.usage', '{token}', 'histogram'), 'gen_ai_client_token_usage');
  assert.equal(prometheusName('gateway.requests', '{request}', 'counter'), 'gateway_requests_total');
  assert.equal(prometheusName('process.resident_memory', 'By', 'gauge'), 'process_resident_memory_bytes');
});

test('the semconv profile is opted into by name', () => {
  assert.equal(semconvProfile({}), 'stable');
  assert.equal(semconvProfile({ OTEL_SEMCONV_STABILITY_OPT_IN: 'http/dup' }), 'stable');
  assert.equal(semconvProfile({ OTEL_SEMCONV_STABILITY_OPT_IN: 'http, gen_ai_latest_experimental' }), 'latest');
  assert.equal(metricName(METRIC.clientDuration.name, 'stable'), 'gen_ai.client.operation.duration');
  assert.equal(metricName(METRIC.clientDuration.name, 'latest'), 'gen_ai.client.inference.duration');
});
