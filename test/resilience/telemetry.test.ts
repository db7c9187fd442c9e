import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OTLP_KIND, type OtlpReceiver, type OtlpSpan, startOtlpReceiver } from '@headgate/core/testing/otlp';
import { type Stack, startStack } from '../support/stack.ts';
import { type ChatBody, chat, openChat, question } from './chat-client.ts';
import { CREDENTIAL, configuration, pairsOf, targetOf } from './configuration.ts';
import { accessLog, eventually, idle, metrics, total } from './observe.ts';

/** Stands in prompts, in answers, and in nothing that is exported. */
const SECRET_WORDS = 'marmalade-lighthouse-verdigris';

const PAIRS = 2;
/** A provider that has said 429 is not asked first again. */
const nextPair = pairsOf(PAIRS);

let stack: Stack;
let receiver: OtlpReceiver;
let traces = 0;

before(async () => {
  receiver = await startOtlpReceiver();
  stack = await startStack({
    processes: 2,
    env: { ...receiver.env, OTEL_TRACES_SAMPLER: 'parentbased_always_on' },
    config: ([simulator]) =>
      configuration(simulator, { pairs: PAIRS, timeouts: { firstTokenMs: 300, streamStallMs: 500 } }),
  });
});

after(async () => {
  await stack.stop();
  await receiver.close();
});

interface Trace {
  readonly server: OtlpSpan;
  readonly route: OtlpSpan | undefined;
  readonly attempts: readonly OtlpSpan[];
}

/** Asks within a trace of our own and waits for the spans of it. */
async function traced(body: ChatBody, spans: number, leaveAt?: string): Promise<Trace & { readonly traceId: string }> {
  traces++;
  const traceId = traces.toString(16).padStart(32, 'a');
  const parent = traces.toString(16).padStart(16, 'b');
  const headers = [['traceparent', `00-${traceId}-${parent}-01`]] as const;
  if (leaveAt === undefined) await chat(targetOf(stack), body, headers);
  else {
    const request = openChat(targetOf(stack), body, headers);
    await request.untilText(leaveAt);
    request.leave();
  }
  await receiver.waitFor(`${spans} spans`, () => receiver.spansOf(traceId).length >= spans);
  const all = receiver.spansOf(traceId);
  assert.equal(all.length, spans, all.map(({ name }) => name).join(', '));
  const [server, ...others] = all.filter(({ kind }) => kind === OTLP_KIND.server);
  assert.ok(server);
  assert.equal(others.length, 0);
  assert.equal(server.parentSpanId, parent, "the client's span is the parent");
  const route = all.find(({ kind }) => kind === OTLP_KIND.internal);
  if (route) assert.equal(route.parentSpanId, server.spanId);
  const attempts = all.filter(({ kind }) => kind === OTLP_KIND.client);
  for (const attempt of attempts) assert.equal(attempt.parentSpanId, route?.spanId);
  for (const span of all) assert.ok(span.endNs >= span.startNs && span.startNs >= server.startNs);
  for (const span of all) assert.ok(Object.keys(span.attributes).length <= 60, 'the budget of WIRE 2.18');
  return { server, route, attempts: attempts.toSorted((a, b) => Number(a.startNs - b.startNs)), traceId };
}

const saying = (directives: string): readonly unknown[] =>
  question(`[[sim ${directives} text=${SECRET_WORDS}]] Say ${SECRET_WORDS}`);

function assertHas(span: OtlpSpan | undefined, expected: Readonly<Record<string, unknown>>): void {
  assert.ok(span);
  const found = Object.fromEntries(Object.keys(expected).map((name) => [name, span.attributes[name]]));
  assert.deepEqual(found, expected);
}

for (const stream of [false, true]) {
  test(`the tree of spans of a request, ${stream ? 'stream' : 'JSON'}`, async () => {
    const since = await stack.simulator().lastSeq();
    const { server, route, attempts, traceId } = await traced(
      { model: 'test/one', stream, messages: saying(''), temperature: 0.5, max_tokens: 99, seed: 7 },
      3,
    );
    assert.equal(server.name, 'POST /v1/chat/completions');
    assertHas(server, {
      'http.request.method': 'POST',
      'http.route': '/v1/chat/completions',
      'http.response.status_code': 200,
      'gateway.key.name': 'default',
    });
    assert.equal(route?.name, 'route');
    assertHas(route, { 'gateway.request.model': 'test/one', 'gateway.stream': stream, 'gateway.attempts': 1 });
    assert.equal(attempts.length, 1);
    const [attempt] = attempts;
    assert.equal(attempt?.name, 'chat test/one');
    assertHas(attempt, {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'alpha',
      'gen_ai.request.model': 'test/one',
      'gen_ai.request.stream': stream ? true : undefined,
      'gen_ai.request.temperature': 0.5,
      'gen_ai.request.max_tokens': 99,
      'gen_ai.request.seed': 7,
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.response.model': 'one',
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(stack.simulator().url).port),
      'http.response.status_code': 200,
      'error.type': undefined,
    });
    assert.ok(Number(attempt?.attributes['gen_ai.usage.input_tokens']) > 0);
    assert.ok(Number(attempt?.attributes['gen_ai.usage.output_tokens']) > 0);
    assert.ok([server, route, attempt].every((span) => span?.status !== 2));

    const [received] = await stack.simulator().requests({ since });
    assert.equal(received?.headers.traceparent, `00-${traceId}-${attempt?.spanId}-01`, 'the trace goes on');
    const line = await eventually('the line in the log', () =>
      accessLog(stack).find((entry) => entry.trace_id === traceId),
    );
    assert.equal(line.span_id, server.spanId);
  });

  test(`failover is a client span an attempt, ${stream ? 'stream' : 'JSON'}`, async () => {
    const { model, alpha, beta } = nextPair();
    const messages = question(`[[sim status=429 for=one]] [[sim text=${SECRET_WORDS}]] Say ${SECRET_WORDS}`);
    const { server, route, attempts } = await traced({ model, stream, messages }, 4);
    const [first, second] = attempts;
    assertHas(first, {
      'gateway.provider': alpha,
      'gateway.attempt.number': 1,
      'error.type': 'rate_limited',
      'http.response.status_code': 429,
      'gen_ai.usage.input_tokens': undefined,
    });
    assert.equal(first?.status, 2);
    assertHas(second, { 'gateway.provider': beta, 'gateway.attempt.number': 2, 'error.type': undefined });
    assert.ok(Number(second?.attributes['gen_ai.usage.output_tokens']) > 0);
    assert.notEqual(second?.status, 2);
    assertHas(route, { 'gateway.attempts': 2, 'gateway.provider': beta });
    assertHas(server, { 'http.response.status_code': 200, 'error.type': undefined });
  });

  test(`a refusal ends in an error, ${stream ? 'stream' : 'JSON'}`, async () => {
    const { server, attempts } = await traced({ model: 'test/one', stream, messages: saying('status=401') }, 3);
    assertHas(server, { 'http.response.status_code': 502, 'error.type': 'upstream_error' });
    assert.equal(server.status, 2);
    assertHas(attempts[0], { 'error.type': 'auth', 'http.response.status_code': 401 });
  });
}

test('a stream that breaks is an error, though its status was 200', async () => {
  const messages = question(`[[sim tokens=20 cut=5]] Say ${SECRET_WORDS}`);
  const { server, attempts } = await traced({ model: 'test/one', stream: true, messages }, 3);
  assertHas(server, { 'http.response.status_code': 200, 'error.type': 'upstream_error' });
  assert.equal(server.status, 2);
  assertHas(attempts[0], { 'error.type': 'stream_broken' });
});

test('a client that leaves is no error of the server', async () => {
  const messages = question(`[[sim tokens=500 tps=20]] Say ${SECRET_WORDS}`);
  const { server, attempts } = await traced({ model: 'test/one', stream: true, messages }, 3, '"content":"');
  assertHas(server, { 'http.response.status_code': 499, 'gateway.client.aborted': true, 'error.type': undefined });
  assert.notEqual(server.status, 2);
  assertHas(attempts[0], { 'error.type': 'client_aborted' });
});

test('a trace that is not sampled is left alone, and a broken traceparent starts a new one', async () => {
  const traceId = 'c'.repeat(32);
  const messages = saying('');
  await chat(targetOf(stack), { model: 'test/one', messages }, [['traceparent', `00-${traceId}-${'d'.repeat(16)}-00`]]);
  const since = await stack.simulator().lastSeq();
  for (const broken of ['00-zz', `00-${'0'.repeat(32)}-${'d'.repeat(16)}-01`, 'x'.repeat(500)]) {
    assert.equal((await chat(targetOf(stack), { model: 'test/one', messages }, [['traceparent', broken]])).status, 200);
  }
  for (const { headers } of await stack.simulator().requests({ since })) {
    const id = /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(headers.traceparent ?? '')?.[1];
    assert.ok(id);
    await receiver.waitFor('the spans of a new trace', () => receiver.spansOf(id).length === 3);
  }
  assert.deepEqual(receiver.spansOf(traceId), []);
});

test('/metrics: parses, counts what happened, and its histograms add up', async () => {
  await idle(stack);
  const samples = await metrics(stack);
  const text = await (await fetch(`${stack.origin}/metrics`)).text();
  const histograms = [...text.matchAll(/^# TYPE (\S+) histogram$/gm)].map(([, name]) => name ?? '');
  for (const name of [
    'gen_ai_client_operation_duration_seconds',
    'gen_ai_client_operation_time_to_first_chunk_seconds',
    'gen_ai_client_token_usage',
    'gen_ai_server_request_duration_seconds',
    'gen_ai_server_time_to_first_token_seconds',
    'gen_ai_server_time_per_output_token_seconds',
    'http_server_request_duration_seconds',
    'gateway_overhead_seconds',
  ]) {
    assert.ok(histograms.includes(name), `no ${name} among ${histograms}`);
    assert.ok(total(samples, `${name}_count`) > 0, name);
  }
  for (const name of histograms) {
    const infinite = total(samples, `${name}_bucket`, { le: '+Inf' });
    assert.equal(infinite, total(samples, `${name}_count`), `${name}: the last bucket is the count`);
  }
  const requests = total(samples, 'gateway_requests_total');
  assert.equal(total(samples, 'http_server_request_duration_seconds_count'), requests);
  await eventually('all lines of the log', () => accessLog(stack).length >= requests);
  assert.equal(accessLog(stack).length, requests, 'a line in the log for each request, and no other');
  assert.ok(total(samples, 'gateway_upstream_attempts_total') > requests, 'attempts are counted one by one');
  // The exporter's clock may strike once more in between, so what it sent is at most what is counted.
  await receiver.waitFor('metrics', () => {
    const exported = receiver.latest('gateway.requests').reduce((sum, { value }) => sum + value, 0);
    return exported === requests;
  });
});

test('no prompt, no answer, no key, no credential in anything that is exported or logged', async () => {
  const exported = receiver.requests.map(({ body }) => body.toString('utf8')).join('\n');
  assert.ok(exported.length > 10_000);
  const printed = [...stack.service('ingress').lines, ...stack.service('control').lines].join('\n');
  assert.ok(printed.length > 1_000);
  const scraped = await (await fetch(`${stack.origin}/metrics`)).text();
  for (const [where, text] of Object.entries({ exported, printed, scraped })) {
    for (const secret of [SECRET_WORDS, 'marmalade', stack.key, CREDENTIAL, CREDENTIAL.slice(-16)]) {
      assert.ok(!text.includes(secret), `${secret} in what is ${where}`);
    }
  }
});
