import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import OpenAI, { AzureOpenAI } from 'openai';
import type { ChatCompletionChunk, ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { type Simulator, startSimulator } from '../../server.ts';
import { pdf, png } from '../../testing/media.ts';
import { requestRaw } from '../../testing/rawRequest.ts';
import { clientOf, collect } from '../../testing/sdkClient.ts';

const apiVersion = '2024-10-21';

describe("Azure OpenAI through OpenAI's SDK", () => {
  let simulator: Simulator;
  let client: AzureOpenAI;
  before(async () => {
    simulator = await startSimulator();
    client = new AzureOpenAI({ endpoint: simulator.url, apiKey: 'azure-key-1234', apiVersion, maxRetries: 0 });
  });
  after(() => simulator.close());

  const paramsFor = (content: string, params: Partial<ChatCompletionCreateParamsNonStreaming> = {}) => ({
    model: 'my-gpt-4o',
    messages: [{ role: 'user' as const, content }],
    ...params,
  });
  const ask = (...args: Parameters<typeof paramsFor>) => client.chat.completions.create(paramsFor(...args));
  const post = async (path: string, body: object, headers: Record<string, string> = { 'api-key': 'k' }) => {
    const response = await fetch(`${simulator.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
  };

  it('says what the OpenAI dialect says, and counts the same', async () => {
    const params = paramsFor('Hello');
    const answer = await client.chat.completions.create(params);
    const openai = await clientOf(simulator).chat.completions.create(params);
    assert.equal(answer.choices[0]?.message.content, openai.choices[0]?.message.content);
    assert.deepEqual(answer.usage, openai.usage);
    assert.equal(answer.model, 'my-gpt-4o');
    const { path, query, headers } = simulator.requests.at(-2) ?? {};
    assert.equal(path, '/openai/deployments/my-gpt-4o/chat/completions');
    assert.equal(query, `?api-version=${apiVersion}`);
    assert.equal(headers?.['api-key'], '…1234');
  });

  it('annotates what its content filter found', async () => {
    const { body, headers } = await post(`/openai/deployments/d/chat/completions?api-version=${apiVersion}`, {
      messages: [{ role: 'user', content: 'Hello' }],
    });
    assert.deepEqual(body.choices[0].content_filter_results.hate, { filtered: false, severity: 'safe' });
    assert.equal(body.prompt_filter_results[0].content_filter_results.jailbreak.detected, false);
    assert.ok(headers.get('apim-request-id'));
    const filtered = await ask('Hello [[sim finish=content_filter]]');
    assert.equal(filtered.choices[0]?.finish_reason, 'content_filter');
    assert.match(JSON.stringify(filtered.choices[0]), /"filtered":true/);
  });

  it('streams a chunk without choices first, then the same answer', async () => {
    const whole = await ask('Hello [[sim emoji]]');
    const params = {
      ...paramsFor('Hello [[sim emoji]]'),
      stream: true as const,
      stream_options: { include_usage: true },
    };
    const chunks = await collect(await client.chat.completions.create(params));
    const [first, second] = chunks as (ChatCompletionChunk & { prompt_filter_results?: unknown[] })[];
    assert.deepEqual([first?.choices, first?.id, first?.prompt_filter_results?.length], [[], '', 1]);
    assert.equal(second?.choices[0]?.delta.role, 'assistant');
    const said = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    assert.equal(said, whole.choices[0]?.message.content);
    assert.deepEqual(chunks.at(-1)?.usage, whole.usage);
    assert.match(JSON.stringify(chunks[3]?.choices[0]), /"content_filter_results":\{"hate":/);
    const { body } = await requestRaw(simulator.port, {
      path: `/openai/deployments/d/chat/completions?api-version=${apiVersion}`,
      body: { stream: true, messages: [{ role: 'user', content: 'Hello' }] },
    });
    assert.match(body, /data: \[DONE\]\n\n$/);
  });

  it('calls tools in parallel, whole and streamed', async () => {
    const tools: ChatCompletionCreateParamsNonStreaming['tools'] = [
      {
        type: 'function',
        function: {
          name: 'get_weather',
          parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
        },
      },
    ];
    const question = 'What is the weather in Paris and in Rome?';
    const { choices } = await ask(question, { tools });
    const calls = (choices[0]?.message.tool_calls ?? []).filter((call) => call.type === 'function');
    assert.deepEqual(
      calls.map((call) => JSON.parse(call.function.arguments)),
      [{ location: 'Paris' }, { location: 'Rome' }],
    );
    const streamed = await client.chat.completions
      .stream({ model: 'd', messages: [{ role: 'user', content: question }], tools })
      .finalChatCompletion();
    assert.deepEqual(
      streamed.choices[0]?.message.tool_calls?.map(({ id }) => id),
      calls.map(({ id }) => id),
    );
  });

  it('sees images, reads PDFs, and reasons out of sight', async () => {
    const answer = await client.chat.completions.create({
      model: 'my-gpt-5',
      reasoning_effort: 'low',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
            { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${pdf}` } },
          ],
        },
      ],
    });
    assert.match(answer.choices[0]?.message.content ?? '', /I see 1 image .* I read 1 file \(a\.pdf/);
    assert.ok((answer.usage?.completion_tokens_details?.reasoning_tokens ?? 0) > 0);
  });

  it('answers the deployment of the path, whatever model the body names', async () => {
    const { body } = await post(`/openai/deployments/mine+salt=x/chat/completions?api-version=${apiVersion}`, {
      model: 'gpt-4o+status=500',
      messages: [{ role: 'user', content: 'Hello' }],
    });
    assert.equal(body.model, 'mine');
  });

  it('serves the v1 surface, whose model stands in the body, and embeddings', async () => {
    const v1 = new OpenAI({ apiKey: 'entra-token', baseURL: `${simulator.url}/openai/v1`, maxRetries: 0 });
    const answer = await v1.chat.completions.create(paramsFor('Hello', { model: 'deployed' }));
    assert.equal(answer.model, 'deployed');
    const missing = await post('/openai/v1/chat/completions', { messages: [{ role: 'user', content: 'Hello' }] });
    assert.deepEqual([missing.status, missing.body.error.param], [400, 'model']);
    const request = { model: 'embedder', input: ['one', 'two'] };
    const { data } = await client.embeddings.create(request);
    assert.deepEqual(data, (await clientOf(simulator).embeddings.create(request)).data);
    assert.deepEqual(
      simulator.requests.slice(-2).map(({ items }) => items),
      [2, 2],
    );
  });

  it("fails with Azure's own statuses and bodies", async () => {
    const failure = async (promise: Promise<unknown>) => {
      const error = await promise.then(
        () => assert.fail('It should have failed.'),
        (cause: unknown) => cause,
      );
      assert.ok(error instanceof OpenAI.APIError);
      return error;
    };
    for (const [directives, status, code] of [
      ['error=rate_limit', 429, '429'],
      ['error=invalid_key', 401, '401'],
      ['error=forbidden', 403, '403'],
      ['error=model_not_found', 404, 'DeploymentNotFound'],
      ['error=server', 500, 'InternalServerError'],
      ['error=unavailable', 503, '503'],
      ['error=overloaded', 503, 'NoCapacity'],
      ['error=context_length', 400, 'context_length_exceeded'],
      ['status=429 code=my_code', 429, 'my_code'],
    ] as const) {
      const error = await failure(ask(`Hello [[sim ${directives}]]`));
      assert.deepEqual([error.status, error.code], [status, code], directives);
    }
    const filtered = await failure(ask('Hello [[sim error=content_filter]]'));
    assert.deepEqual([filtered.status, filtered.code, filtered.param], [400, 'content_filter', 'prompt']);
    assert.match(
      JSON.stringify(filtered.error),
      /"innererror":\{"code":"ResponsibleAIPolicyViolation","content_filter_result":\{"hate"/,
    );
    const limited = await failure(ask('Hello [[sim status=429 retry-after=7]]'));
    assert.equal(limited.headers?.get('retry-after'), '7');
    const invalid = await failure(ask('Hello', { temperature: 3 }));
    assert.deepEqual([invalid.status, invalid.param], [400, 'temperature']);
  });

  it('needs credentials and an api-version', async () => {
    const body = { messages: [{ role: 'user', content: 'Hello' }] };
    const path = '/openai/deployments/d/chat/completions';
    const notFound = { error: { code: '404', message: 'Resource not found' } };
    for (const wrong of [
      path,
      `${path}?api-version=latest-one`,
      '/openai/deployments/d/unknown?api-version=2024-10-21',
    ])
      assert.deepEqual(await post(wrong, body).then((answer) => [answer.status, answer.body]), [404, notFound]);
    const versioned = `${path}?api-version=${apiVersion}`;
    assert.equal((await post(versioned, body, {})).status, 401);
    assert.equal((await post(versioned, body, { 'api-key': 'sk-invalid' })).status, 401);
    assert.equal((await post(versioned, body, { authorization: 'Bearer entra-token' })).status, 200);
  });

  it('breaks as the OpenAI dialect breaks', async () => {
    const raw = (directives: string) =>
      requestRaw(simulator.port, {
        path: `/openai/deployments/d${directives}/chat/completions?api-version=${apiVersion}`,
        body: { stream: true, messages: [{ role: 'user', content: 'Hello' }] },
      });
    const cut = await raw('+tokens=9+cut=3');
    assert.deepEqual([(cut.body.match(/"content":"[^"]/g) ?? []).length, cut.terminated], [3, true]);
    assert.equal((await raw('+tokens=9+tear=3')).terminated, false);
    assert.match((await raw('+tokens=9+stream-error=3')).body, /data: \{"error":\{"message":"The server had an error/);
    const partial = await raw('+tokens=9+cut=3+partial');
    assert.doesNotMatch(partial.body, /\n\n$/);
  });
});
