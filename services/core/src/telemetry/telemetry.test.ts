import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { RouteInfo, TokenUsage } from './observation.ts';
import { OTLP_KIND, type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.testing.ts';
import type { Played, PlayedAttempt, PlayedRequest } from './play-requests.testing.ts';

const USAGE: TokenUsage = {
  promptTokens: 100,
  completionTokens: 40,
  cacheReadTokens: 64,
  cacheWriteTokens: 0,
  reasoningTokens: 12,
};
const SECRET_TEXT = 'the quick brown prompt';
const ROUTE: RouteInfo = {
  operation: 'chat',
  model: 'acme/large',
  stream: true,
  keyName: 'checkout',
  plan: ['first/m', 'second/m'],
  body: {
    model: 'acme/large',
    messages: [{ role: 'user', content: SECRET_TEXT }],
    temperature: 0.5,
    top_p: 0.9,
    max_completion_tokens: 256,
    seed: 7,
    n: 2,
    stop: ['END'],
    response_format: { type: 'json_schema', json_schema: {} },
    service_tier: 'flex',
    stream: true,
    providerOptions: { gateway: { user: 'customer-17', tags: ['checkout-flow', 'beta', 'beta'], order: ['first'] } },
  },
};
const FAILED: PlayedAttempt = {
  provider: 'first',
  dialect: 'bedrock',
  origin: 'https://bedrock.example.com',
  errorType: 'overloaded',
};
const WON: PlayedAttempt = {
  provider: 'openai',
  dialect: 'openai',
  origin: 'http://127.0.0.1:9100',
  errorType: null,
  usage: USAGE,
};
const GOOD: PlayedRequest = { route: ROUTE, attempts: [WON], status: 200 };

async function play(
  env: Readonly<Record<string, string>>,
  requests: readonly PlayedRequest[],
): Promise<{ played: Played; log: readonly Record<string, unknown>[]; stderr: string }> {
  const file = new URL('./play-requests.testing.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--conditions=source', file, JSON.stringify(requests)], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const streams = [child.stdout, child.stderr, child.stdio[3]].map(async (stream) => {
    let text = '';
    if (stream !== null && stream !== undefined && 'read' in stream) for await (const piece of stream) text += piece;
    return text;
  });
  const [code] = await once(child, 'close');
  const [stdout = '', stderr = '', answer = ''] = await Promise.all(streams);
  assert.equal(code, 0, stderr);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return {
    played: JSON.parse(answer) as Played,
    log: lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    stderr,
  };
}

function single<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined && items.length === 1, `expected one, got ${items.length}`);
  return item;
}

describe('traces', () => {
  let collector: OtlpReceiver;
  before(async () => {
    collector = await startOtlpReceiver();
  });
  after(() => collector.close());

  test('a request with a failover is a server span, a route span and a client span an attempt', async () => {
    const env = { ...collector.env, OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' };
    const { played, log } = await play(env, [{ ...GOOD, attempts: [FAILED, WON], resumed: true }]);
    const { traceId, spanId, attempts } = single(played.requests);
    const spans = collector.spansOf(traceId);
    assert.equal(spans.length, 4);

    const server = single(spans.filter((span) => span.kind === OTLP_KIND.server));
    assert.equal(server.name, 'POST /v1/chat/completions');
    assert.equal(server.parentSpanId, '');
    assert.equal(server.spanId, spanId);
    assert.equal(server.status, 0);
    assert.deepEqual(server.attributes, {
      'http.request.method': 'POST',
      'http.route': '/v1/chat/completions',
      'url.path': '/v1/chat/completions',
      'url.scheme': 'http',
      'http.response.status_code': 200,
      'gateway.request.id': 'req_0',
      'gateway.generation.id': 'gen_0',
      'gateway.key.name': 'checkout',
    });
    assert.equal(server.resource['service.name'], 'headgate-ingress');
    assert.equal(server.resource['service.version'], '9.8.7');
    assert.equal(server.resource['deployment.environment.name'], 'test');
    assert.equal(server.resource['process.command_args'], undefined);

    const route = single(spans.filter((span) => span.kind === OTLP_KIND.internal));
    assert.equal(route.name, 'route');
    assert.equal(route.parentSpanId, server.spanId);
    assert.deepEqual(route.attributes, {
      'gateway.operation': 'chat',
      'gateway.request.model': 'acme/large',
      'gateway.response.model': 'acme/large',
      'gateway.stream': true,
      'gateway.plan': ['first/m', 'second/m'],
      'gateway.provider': 'openai',
      'gateway.attempts': 2,
      'gateway.stream.resumed': true,
      'gateway.user': 'customer-17',
      'gateway.tags': ['checkout-flow', 'beta'],
    });
    assert.doesNotMatch(played.prometheus, /customer-17|checkout-flow/, 'anything a caller makes up is no label');

    const calls = spans.filter((span) => span.kind === OTLP_KIND.client);
    const failed = single(calls.filter((span) => span.attributes['gateway.attempt.number'] === 1));
    const won = single(calls.filter((span) => span.attributes['gateway.attempt.number'] === 2));
    for (const call of calls) {
      assert.equal(call.parentSpanId, route.spanId);
      assert.equal(call.name, 'chat acme/large');
      assert.equal(call.attributes['gen_ai.request.model'], 'acme/large');
      assert.ok(call.startNs >= route.startNs && call.endNs <= route.endNs && call.startNs <= call.endNs);
    }
    assert.ok(route.startNs >= server.startNs && route.endNs <= server.endNs);
    assert.equal(failed.status, 2);
    assert.equal(failed.attributes['error.type'], 'overloaded');
    assert.equal(failed.attributes['gen_ai.provider.name'], 'aws.bedrock');
    assert.equal(failed.attributes['server.address'], 'bedrock.example.com');
    assert.equal(failed.attributes['server.port'], 443);
    assert.equal(failed.attributes['http.response.status_code'], 503);
    assert.deepEqual(
      Object.keys(failed.attributes).filter((name) => name.startsWith('gen_ai.usage')),
      [],
      'only the attempt that was billed carries usage',
    );

    const { 'gen_ai.response.time_to_first_chunk': firstChunk, ...rest } = won.attributes;
    assert.ok(typeof firstChunk === 'number' && firstChunk >= 0 && firstChunk < 1);
    assert.deepEqual(rest, {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'acme/large',
      'gen_ai.request.stream': true,
      'gen_ai.request.temperature': 0.5,
      'gen_ai.request.top_p': 0.9,
      'gen_ai.request.max_tokens': 256,
      'gen_ai.request.seed': 7,
      'gen_ai.request.choice.count': 2,
      'gen_ai.request.stop_sequences': ['END'],
      'gen_ai.output.type': 'json',
      'gen_ai.response.id': 'chatcmpl-1',
      'gen_ai.response.model': 'their-model-2025',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.output_tokens': 40,
      'gen_ai.usage.cache_read.input_tokens': 64,
      'gen_ai.usage.cache_creation.input_tokens': 0,
      'gen_ai.usage.reasoning.output_tokens': 12,
      'openai.api.type': 'chat_completions',
      'openai.request.service_tier': 'flex',
      'server.address': '127.0.0.1',
      'server.port': 9100,
      'http.response.status_code': 200,
      'gateway.attempt.number': 2,
      'gateway.provider': 'openai',
      'gateway.provider.model': 'their-model',
      'gateway.dialect': 'openai',
    });

    const withOneAttempt = spans.filter((span) => span !== failed);
    const attributes = withOneAttempt.reduce((sum, span) => sum + Object.keys(span.attributes).length, 0);
    assert.ok(attributes <= 60, `${attributes} attributes`);
    assert.deepEqual(
      attempts.map((attempt) => attempt.traceparent),
      [failed, won].map((span) => `00-${traceId}-${span.spanId}-01`),
    );
    const line = single(log.filter((one) => one.msg === 'request'));
    assert.equal(line.trace_id, traceId);
    assert.equal(line.span_id, server.spanId);
    assert.ok(
      collector.requests.every((request) => !request.body.includes(SECRET_TEXT)),
      'content leaves in a span',
    );
  });

  test('a trace that comes in is continued, and tracestate handed on', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const { played } = await play(collector.env, [
      { ...GOOD, traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=a1' },
    ]);
    const spans = collector.spansOf(traceId);
    assert.equal(spans.length, 3);
    const server = single(spans.filter((span) => span.kind === OTLP_KIND.server));
    assert.equal(server.parentSpanId, 'b7ad6b7169203331');
    const client = single(spans.filter((span) => span.kind === OTLP_KIND.client));
    const sent = single(single(played.requests).attempts);
    assert.deepEqual(sent, { traceparent: `00-${traceId}-${client.spanId}-01`, tracestate: 'vendor=a1' });
  });

  test('an unsampled parent records nothing, and the provider is told so', async () => {
    const traceId = '1af7651916cd43dd8448eb211c80319c';
    const sampledId = '2af7651916cd43dd8448eb211c80319c';
    const { played } = await play(collector.env, [
      { ...GOOD, traceparent: `00-${traceId}-b7ad6b7169203331-00` },
      { ...GOOD, traceparent: `00-${sampledId}-b7ad6b7169203331-01` },
    ]);
    assert.equal(collector.spansOf(sampledId).length, 3, 'the export did take place');
    assert.deepEqual(collector.spansOf(traceId), []);
    const sent = single(played.requests[0]?.attempts ?? []).traceparent;
    assert.match(sent, new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  });

  test('OTEL_TRACES_SAMPLER decides for requests that start a trace', async () => {
    const env = { ...collector.env, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' };
    const { played } = await play(env, [GOOD]);
    const { traceId, attempts } = single(played.requests);
    assert.match(traceId, /^[0-9a-f]{32}$/);
    assert.deepEqual(collector.spansOf(traceId), []);
    assert.match(single(attempts).traceparent, /-00$/);
  });

  test('a broken traceparent starts a new trace', async () => {
    const { played } = await play(collector.env, [{ ...GOOD, traceparent: '00-xyz', tracestate: 'vendor=a1' }]);
    const { traceId, attempts } = single(played.requests);
    const server = single(collector.spansOf(traceId).filter((span) => span.kind === OTLP_KIND.server));
    assert.equal(server.parentSpanId, '');
    assert.equal(single(attempts).tracestate, '');
  });

  test('a failed request, an attempt nobody ended and a request without a route leave whole spans', async () => {
    const { errorType: _, usage: __, ...open } = WON;
    const { played } = await play(collector.env, [
      { route: ROUTE, attempts: [FAILED], status: 503, errorType: 'provider_unavailable' },
      { route: ROUTE, attempts: [open], status: 499, clientAborted: true },
      { attempts: [], status: 401, errorType: 'authentication_error' },
    ]);
    const [failed, aborted, refused] = played.requests.map((request) => collector.spansOf(request.traceId));
    const serverOf = (spans: typeof failed) => single((spans ?? []).filter((span) => span.kind === OTLP_KIND.server));
    assert.equal(serverOf(failed).status, 2);
    assert.equal(serverOf(failed).attributes['error.type'], 'provider_unavailable');
    assert.equal(aborted?.length, 3);
    assert.equal(serverOf(aborted).attributes['gateway.client.aborted'], true);
    assert.equal(serverOf(aborted).status, 0);
    const client = single((aborted ?? []).filter((span) => span.kind === OTLP_KIND.client));
    assert.equal(client.attributes['error.type'], 'client_aborted');
    assert.equal(refused?.length, 1);
    assert.equal(serverOf(refused).status, 0, 'a 4xx is not an error of the server');
    assert.equal(serverOf(refused).attributes['error.type'], 'authentication_error');
  });

  test('without a protocol it is protobuf, with the headers of the environment', async () => {
    const seen = collector.requests.length;
    const env = {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=blue',
    };
    const { played } = await play(env, [GOOD]);
    const request = single(collector.requests.slice(seen));
    assert.equal(request.path, '/v1/traces');
    assert.equal(request.headers['content-type'], 'application/x-protobuf');
    assert.equal(request.headers['x-tenant'], 'blue');
    assert.ok(request.body.includes(Buffer.from(single(played.requests).traceId, 'hex')));
  });
});

describe('metrics over OTLP', () => {
  test('arrive with names, units, labels and buckets of the table', async () => {
    const collector = await startOtlpReceiver();
    try {
      await play({ ...collector.env, OTEL_TRACES_EXPORTER: 'none' }, [
        GOOD,
        { ...GOOD, attempts: [FAILED, WON], resumed: true },
        { attempts: [], status: 404, errorType: 'not_found' },
      ]);
      assert.deepEqual(collector.spans, []);
      const model = {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'acme/large',
      };
      const input = single(
        collector
          .latest('gen_ai.client.token.usage')
          .filter((point) => point.attributes['gen_ai.token.type'] === 'input'),
      );
      assert.deepEqual(input.attributes, { ...model, 'gen_ai.token.type': 'input' });
      assert.equal(input.unit, '{token}');
      assert.equal(input.temporality, 2);
      assert.equal(input.count, 2);
      assert.equal(input.value, 200);
      assert.equal(input.bounds[4], 256);
      assert.equal(input.bucketCounts[4], 2, '100 tokens are in the bucket up to 256');
      assert.equal(input.bucketCounts.length, 15);
      const durations = collector.latest('gen_ai.client.operation.duration');
      assert.equal(durations.length, 2);
      const failed = single(durations.filter((point) => point.attributes['error.type'] === 'overloaded'));
      assert.equal(failed.attributes['gen_ai.provider.name'], 'aws.bedrock');
      const names = new Set(collector.points.map((point) => point.metric));
      for (const name of [
        'gen_ai.client.operation.time_to_first_chunk',
        'gen_ai.server.request.duration',
        'gen_ai.server.time_to_first_token',
        'gen_ai.server.time_per_output_token',
        'http.server.request.duration',
        'gateway.overhead',
        'process.start_time',
        'nodejs.eventloop.delay.p99',
      ]) {
        assert.ok(names.has(name), name);
      }
      const notFound = collector
        .latest('gateway.requests')
        .find((point) => point.attributes['error.type'] !== undefined);
      assert.deepEqual(notFound?.attributes, {
        'http.route': '/v1/chat/completions',
        'http.response.status_code': '404',
        'error.type': 'not_found',
      });
      assert.equal(single(collector.latest('gateway.requests.in_flight')).value, 0);
      const resumed = single(collector.latest('gateway.streams.resumed'));
      assert.deepEqual([resumed.attributes, resumed.value], [{ 'gateway.provider': 'openai' }, 1]);
    } finally {
      await collector.close();
    }
  });

  test('the latest profile renames what the conventions rename', async () => {
    const collector = await startOtlpReceiver();
    try {
      const env = { ...collector.env, OTEL_SEMCONV_STABILITY_OPT_IN: 'http, gen_ai_latest_experimental' };
      await play(env, [GOOD]);
      assert.equal(collector.latest('gen_ai.client.inference.duration').length, 1);
      assert.equal(collector.latest('gen_ai.client.operation.duration').length, 0);
    } finally {
      await collector.close();
    }
  });
});

describe('with nothing to export', () => {
  const ENVIRONMENTS: readonly Readonly<Record<string, string>>[] = [
    {},
    { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' },
    {
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'prometheus',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://[::1]:1',
    },
  ];
  for (const env of ENVIRONMENTS) {
    test(`no module of OpenTelemetry is loaded: ${JSON.stringify(env)}`, async () => {
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      const { played, stderr } = await play(env, [GOOD, { ...GOOD, traceparent, tracestate: 'vendor=a1' }]);
      assert.equal(played.openTelemetryModules, 0);
      assert.equal(played.tracing, false);
      assert.equal(stderr, '');
      const [own, continued] = played.requests;
      assert.deepEqual(own, { traceId: '', spanId: '', attempts: [{ traceparent: '', tracestate: '' }] });
      assert.deepEqual(continued?.attempts, [{ traceparent, tracestate: 'vendor=a1' }], 'handed on unchanged');
      assert.match(played.prometheus, /^gateway_tokens_total\{.*type="input"\} 200$/m);
    });
  }

  test('the access line says what happened, and can be turned off', async () => {
    const { log } = await play({}, [{ ...GOOD, attempts: [FAILED, WON] }]);
    const { time, pid, duration_ms, ttft_ms, ...line } = single(log);
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Number(pid) > 0 && Number(duration_ms) >= 0 && Number(ttft_ms) >= 0);
    assert.deepEqual(line, {
      level: 'info',
      service: 'ingress',
      msg: 'request',
      request_id: 'req_0',
      generation_id: 'gen_0',
      method: 'POST',
      route: '/v1/chat/completions',
      status: 200,
      key_name: 'checkout',
      model: 'acme/large',
      provider: 'openai',
      stream: true,
      attempts: 2,
      prompt_tokens: 100,
      completion_tokens: 40,
      cost_usd: '0.000123',
    });
    assert.deepEqual((await play({ HEADGATE_ACCESS_LOG: 'off' }, [GOOD])).log, []);
    assert.deepEqual((await play({ HEADGATE_LOG_LEVEL: 'warn' }, [GOOD])).log, []);
  });
});

describe('a collector that does not work', () => {
  test('one that never answers holds the shutdown for the agreed time only', async () => {
    const sockets = new Set<import('node:net').Socket>();
    const silent = createServer((socket) => {
      sockets.add(socket);
      socket.resume();
      socket.on('error', () => {});
    });
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    assert.ok(address !== null && typeof address === 'object');
    try {
      const { played, log } = await play(
        { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${address.port}`, PLAY_SHUTDOWN_MS: '300' },
        [GOOD],
      );
      assert.ok(played.shutdownMs >= 290 && played.shutdownMs < 5_000, `${played.shutdownMs} ms`);
      assert.ok(log.some((line) => line.level === 'warn' && /not be flushed/.test(String(line.msg))));
      assert.ok(log.some((line) => line.msg === 'request'));
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  test('settings that cannot work are one clear line, and requests are served', async () => {
    const { played, log } = await play({ OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url' }, [GOOD]);
    const line = single(log.filter((one) => one.level === 'error'));
    assert.match(String(line.msg), /OTEL_\* variables/);
    assert.match(JSON.stringify(line.error), /OTEL_EXPORTER_OTLP_ENDPOINT must be a URL/);
    assert.equal(played.tracing, false);
    assert.ok(log.some((one) => one.msg === 'request'));
  });
});
