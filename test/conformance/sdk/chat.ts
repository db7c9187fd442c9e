import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zodResponseFormat } from 'openai/helpers/zod';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { z } from 'zod';
import { MINI, SONNET, SONNET_PRICE } from '../gateway.ts';
import { type Bench, GENERATION_ID, metadataOf, onlyBody, WEATHER_TOOL, weatherFunction } from './bench.ts';

const user = (content: string): ChatCompletionMessageParam[] => [{ role: 'user', content }];

/** Chat completions as JSON, with the official SDK. */
export function chatTests(bench: () => Bench): void {
  test('an answer carries its ids in headers, body and metadata', async () => {
    const { data, response, request_id } = await bench()
      .client.chat.completions.create({ model: SONNET, messages: user('Say something.') })
      .withResponse();
    assert.match(data.id, GENERATION_ID);
    assert.equal(response.headers.get('x-generation-id'), data.id);
    assert.equal(metadataOf(data.choices[0]?.message)?.gateway.generationId, data.id);
    assert.match(request_id ?? '', /^req_/);
    assert.equal((data as { _request_id?: string | null })._request_id, request_id);
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(data.object, 'chat.completion');
    assert.equal(data.model, SONNET);
    assert.ok(Math.abs(data.created - Date.now() / 1000) < 600);
    const own = { headers: { 'x-request-id': 'my-own-id-1' } };
    const again = bench().client.chat.completions.create({ model: SONNET, messages: user('Hi.') }, own);
    assert.equal((await again.withResponse()).request_id, 'my-own-id-1');
  });

  test('provider_metadata says who answered, after which attempts, and what it cost', async () => {
    const { client, stack } = bench();
    const completion = await client.chat.completions.create({
      model: SONNET,
      // The first provider fails until the second has answered.
      messages: user('[[sim status=503 for=claude-sonnet-4-20250514]]Tell me about gates.'),
    });
    const { gateway } = metadataOf(completion.choices[0]?.message) ?? assert.fail('no metadata');
    const { routing } = gateway;
    const { attempts, modelAttempts, planningReasoning, ...flat } = routing;
    assert.deepEqual(flat, {
      originalModelId: SONNET,
      canonicalSlug: SONNET,
      resolvedProvider: 'vertex',
      resolvedProviderApiModelId: 'claude-sonnet-4@20250514',
      internalResolvedModelId: 'vertex:claude-sonnet-4@20250514',
      fallbacksAvailable: ['anthropic'],
      finalProvider: 'vertex',
      modelAttemptCount: 1,
      totalProviderAttemptCount: 3,
    });
    assert.match(String(planningReasoning), /anthropic.*vertex/s);
    // One more try at the same provider, then the next (DESIGN 6).
    assert.deepEqual(
      attempts.map(({ provider, success, statusCode }) => ({ provider, success, statusCode })),
      [
        { provider: 'anthropic', success: false, statusCode: 503 },
        { provider: 'anthropic', success: false, statusCode: 503 },
        { provider: 'vertex', success: true, statusCode: 200 },
      ],
    );
    const { startTime, endTime, error, ...first } = attempts[0] ?? {};
    assert.deepEqual(first, {
      provider: 'anthropic',
      internalModelId: 'anthropic:claude-sonnet-4-20250514',
      providerApiModelId: 'claude-sonnet-4-20250514',
      credentialType: 'system',
      success: false,
      statusCode: 503,
    });
    assert.equal(typeof error, 'string');
    assert.ok(Number(startTime) <= Number(endTime) && Math.abs(Number(endTime) - Date.now()) < 60_000);
    const { providerAttempts, ...model } = modelAttempts[0] ?? {};
    assert.deepEqual(model, { modelId: SONNET, canonicalSlug: SONNET, success: true, providerAttemptCount: 3 });
    assert.deepEqual(providerAttempts, attempts);

    const { prompt_tokens, completion_tokens } = completion.usage ?? assert.fail('no usage');
    const picodollars = (price: string) => Number(price) * 1e12;
    const cost = prompt_tokens * picodollars(SONNET_PRICE.input) + completion_tokens * picodollars(SONNET_PRICE.output);
    assert.equal(Math.round(Number(gateway.cost) * 1e12), Math.round(cost));
    assert.match(gateway.cost ?? '', /^\d+\.\d+$/);
    assert.equal(gateway.marketCost, gateway.cost);
    assert.equal(gateway.usageSource, 'provider');
    assert.doesNotMatch(JSON.stringify(gateway), new RegExp(`sk-simulated|${stack.key}|127\\.0\\.0\\.1`));
  });

  test('metadata stands at the top as well when asked for', async () => {
    const create = (headers: Record<string, string>) =>
      bench().client.chat.completions.create({ model: SONNET, messages: user('Hi.') }, { headers });
    const asked = await create({ 'x-gateway-metadata': 'top' });
    assert.deepEqual(metadataOf(asked), metadataOf(asked.choices[0]?.message));
    assert.ok(metadataOf(asked));
    assert.equal(metadataOf(await create({})), undefined);
  });

  test('the model of an answer is the one that gave it, also when a fallback model did', async () => {
    const body = {
      model: MINI,
      models: [SONNET],
      messages: user('[[sim status=500 for=gpt-4.1-mini-2025-04-14]]Hello.'),
    };
    const { result, received } = await bench().during(() => bench().client.chat.completions.create(body));
    assert.equal(result.model, SONNET);
    const { routing } = metadataOf(result.choices[0]?.message)?.gateway ?? assert.fail('no metadata');
    assert.equal(routing.originalModelId, MINI);
    assert.equal(routing.canonicalSlug, SONNET);
    assert.equal(routing.modelAttemptCount, 2);
    assert.deepEqual(
      received.map(({ model }) => model),
      ['gpt-4.1-mini-2025-04-14', 'gpt-4.1-mini-2025-04-14', 'claude-sonnet-4-20250514'],
    );
  });

  test('several choices and log probabilities come through', async () => {
    const completion = await bench().client.chat.completions.create({
      model: SONNET,
      messages: user('[[sim tokens=5]]Count.'),
      n: 2,
      logprobs: true,
      top_logprobs: 2,
    });
    assert.deepEqual(
      completion.choices.map(({ index }) => index),
      [0, 1],
    );
    assert.notEqual(completion.choices[0]?.message.content, completion.choices[1]?.message.content);
    for (const { logprobs, message, finish_reason } of completion.choices) {
      assert.equal(finish_reason, 'stop');
      assert.equal(logprobs?.content?.map(({ token }) => token).join(''), message.content);
      assert.ok(logprobs?.content?.every(({ top_logprobs }) => top_logprobs.length === 2));
    }
    assert.equal(completion.usage?.completion_tokens, 10);
  });

  test('an answer is sent back as it came, in a conversation of several turns', async () => {
    const { client } = bench();
    const messages: ChatCompletionMessageParam[] = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'What is the weather like in Oslo?', name: 'ada' },
    ];
    const tools = [WEATHER_TOOL];
    const first = await client.chat.completions.create({ model: SONNET, messages, tools });
    const { message } = first.choices[0] ?? assert.fail('no choice');
    const [call] = message.tool_calls ?? [];
    assert.ok(call && metadataOf(message));
    messages.push(message, { role: 'tool', tool_call_id: call.id, content: '4 degrees' });
    const { result, received } = await bench().during(() =>
      client.chat.completions.create({ model: SONNET, messages, tools }),
    );
    assert.equal(result.choices[0]?.finish_reason, 'stop');
    assert.ok(result.choices[0]?.message.content);
    // All that was said reaches the provider; what only the gateway knows does not.
    const { provider_metadata: _, ...plain } = message as typeof message & { provider_metadata?: unknown };
    assert.deepEqual(onlyBody(received).messages, [...messages.slice(0, 3), plain, messages[4]]);
  });

  test('tools: none, one by name, and several at once', async () => {
    const { client } = bench();
    const ask = { model: SONNET, tools: [WEATHER_TOOL], messages: user('What is the weather in Paris and in Rome?') };
    const none = await client.chat.completions.create({ ...ask, tool_choice: 'none' });
    assert.equal(none.choices[0]?.message.tool_calls, undefined);
    const both = await client.chat.completions.create({ ...ask, tool_choice: 'auto' });
    const calls = both.choices[0]?.message.tool_calls ?? [];
    assert.deepEqual(
      calls.map((call) => (call.type === 'function' ? JSON.parse(call.function.arguments).location : null)),
      ['Paris', 'Rome'],
    );
    assert.equal(new Set(calls.map(({ id }) => id)).size, 2);
    assert.equal(both.choices[0]?.finish_reason, 'tool_calls');
    const named = await client.chat.completions.create({
      ...ask,
      messages: user('Hello.'),
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
    });
    assert.equal(named.choices[0]?.message.tool_calls?.length, 1);
  });

  test('a call without arguments has an empty object', async () => {
    const completion = await bench().client.chat.completions.create({
      model: SONNET,
      tools: [{ type: 'function', function: { name: 'list_gates' } }],
      tool_choice: 'required',
      messages: user('[[sim args=]]List the gates.'),
    });
    const [call] = completion.choices[0]?.message.tool_calls ?? [];
    assert.equal(call?.type === 'function' && call.function.arguments, '{}');
  });

  test('structured output is parsed by the SDK', async () => {
    const Gate = z.object({ name: z.string(), width: z.number(), open: z.boolean(), kind: z.enum(['lock', 'sluice']) });
    const { result, received } = await bench().during(() =>
      bench().client.chat.completions.parse({
        model: MINI,
        messages: user('Describe a gate.'),
        response_format: zodResponseFormat(Gate, 'gate'),
      }),
    );
    assert.deepEqual(Gate.parse(result.choices[0]?.message.parsed), result.choices[0]?.message.parsed);
    assert.deepEqual(onlyBody(received).response_format, zodResponseFormat(Gate, 'gate'));
  });

  test('runTools calls our functions until the model has its answer', async () => {
    const asked: string[] = [];
    const runner = bench().client.chat.completions.runTools({
      model: SONNET,
      messages: user('What is the weather in Paris and in Rome?'),
      tools: [
        weatherFunction((location) => {
          asked.push(location);
          return `sunny in ${location}`;
        }),
      ],
    });
    assert.ok(await runner.finalContent());
    assert.deepEqual(asked, ['Paris', 'Rome']);
    assert.equal((await runner.allChatCompletions()).length, 2);
  });

  test('fields that nobody here knows reach the provider, those of the gateway do not', async () => {
    const body = {
      model: SONNET,
      messages: user('[[sim lenient]]Hello.'),
      some_future_field: { deep: [1, 2.5, '😀', null] },
      temperature: 0.25,
      seed: 12345678901,
      user: 'user-1',
      metadata: { team: 'canal' },
      providerOptions: { gateway: { order: ['anthropic'], tags: ['a'] }, anthropic: { service_tier: 'auto' } },
      models: [MINI],
      provider: { order: ['vertex'] },
    };
    const { received } = await bench().during(() => bench().client.chat.completions.create(body));
    const { providerOptions: _, models: __, provider: ___, ...passed } = body;
    // With a model to fall back to, the answer is watched: asked for as a stream, and put together.
    const watched = { stream: true, stream_options: { include_usage: true } };
    assert.deepEqual(onlyBody(received), {
      ...passed,
      ...watched,
      model: 'claude-sonnet-4-20250514',
      service_tier: 'auto',
    });
  });

  test('models are listed and retrieved, the slash raw or encoded', async () => {
    const { client } = bench();
    const listed = [];
    for await (const model of client.models.list()) listed.push(model);
    const ids = listed.map(({ id }) => id);
    assert.ok(ids.includes(SONNET) && ids.includes(MINI));
    const model = await client.models.retrieve(SONNET);
    assert.deepEqual(
      model,
      listed.find(({ id }) => id === SONNET),
    );
    assert.deepEqual(
      { id: model.id, object: model.object, owned_by: model.owned_by, created: typeof model.created },
      { id: SONNET, object: 'model', owned_by: 'anthropic', created: 'number' },
    );
    for (const path of [SONNET, encodeURIComponent(SONNET), SONNET.replace('/', '%2f')]) {
      const response = await bench().fetch(`/v1/models/${path}`);
      assert.equal(response.status, 200, path);
      assert.deepEqual(await response.json(), JSON.parse(JSON.stringify(model)));
    }
  });
}
