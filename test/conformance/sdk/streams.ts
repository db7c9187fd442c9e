import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APIError, APIUserAbortError } from 'openai';
import type { ChatCompletionChunk, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { MINI, SONNET } from '../gateway.ts';
import { type Bench, GENERATION_ID, metadataOf, WEATHER_TOOL, weatherFunction } from './bench.ts';

const user = (content: string): ChatCompletionMessageParam[] => [{ role: 'user', content }];

async function collect(stream: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: readonly ChatCompletionChunk[], choice = 0): string =>
  chunks
    .flatMap(({ choices }) => choices)
    .filter(({ index }) => index === choice)
    .map(({ delta }) => delta.content ?? '')
    .join('');

/** Chat completions as server-sent events, with the official SDK. */
export function streamTests(bench: () => Bench): void {
  test('without include_usage no chunk has usage, and none is without choices', async () => {
    const chunks = await collect(
      await bench().client.chat.completions.create({ model: SONNET, messages: user('Tell.'), stream: true }),
    );
    assert.ok(chunks.every(({ choices }) => choices.length === 1));
    assert.ok(chunks.every((chunk) => !('usage' in chunk)));
    assert.ok(textOf(chunks));
  });

  test('with include_usage it comes once, last, and equals that of the JSON answer', async () => {
    const { client } = bench();
    const body = { model: SONNET, messages: user('Tell me of the weir.') };
    const plain = await client.chat.completions.create(body);
    const chunks = await collect(
      await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }),
    );
    const last = chunks.at(-1);
    assert.deepEqual(last?.choices, []);
    assert.equal(last?.usage?.total_tokens, plain.usage?.total_tokens);
    assert.equal(last?.usage?.completion_tokens, plain.usage?.completion_tokens);
    for (const { choices, usage } of chunks.slice(0, -1)) {
      assert.equal(choices.length, 1);
      assert.equal(usage, null);
    }
    assert.equal(textOf(chunks), plain.choices[0]?.message.content);
  });

  test('all chunks are of one answer: ids, model, the role first, the finish on an empty delta', async () => {
    const { data: stream, response } = await bench()
      .client.chat.completions.create({ model: SONNET, messages: user('Tell.'), stream: true })
      .withResponse();
    const chunks = await collect(stream);
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    assert.match(response.headers.get('cache-control') ?? '', /no-cache/);
    assert.equal(response.headers.get('x-accel-buffering'), 'no');
    const id = response.headers.get('x-generation-id') ?? '';
    assert.match(id, GENERATION_ID);
    assert.ok(response.headers.get('x-request-id'));
    for (const chunk of chunks) {
      assert.equal(chunk.id, id);
      assert.equal(chunk.model, SONNET);
      assert.equal(chunk.object, 'chat.completion.chunk');
    }
    assert.equal(chunks[0]?.choices[0]?.delta.role, 'assistant');
    const ends = chunks.filter(({ choices }) => choices[0]?.finish_reason);
    assert.deepEqual(
      ends.map(({ choices }) => [choices[0]?.finish_reason, choices[0]?.delta.content ?? '']),
      [['stop', '']],
    );
    assert.equal(ends[0], chunks.at(-1));
  });

  test('metadata comes on one late chunk, at its top as well when asked for', async () => {
    for (const headers of [{}, { 'x-gateway-metadata': 'top' }]) {
      const stream = bench().client.chat.completions.create(
        { model: SONNET, messages: user('Tell.'), stream: true },
        { headers },
      );
      const chunks = await collect(await stream);
      const holders = chunks.filter(({ choices }) => metadataOf(choices[0]?.delta));
      assert.equal(holders.length, 1);
      const [holder] = holders;
      const metadata = metadataOf(holder?.choices[0]?.delta);
      assert.equal(metadata?.gateway.generationId, holder?.id);
      assert.equal(metadata?.gateway.routing.finalProvider, 'anthropic');
      assert.match(metadata?.gateway.cost ?? '', /^\d+\.\d+$/);
      assert.ok(chunks.indexOf(holder as ChatCompletionChunk) > chunks.length / 2);
      const atTop = chunks.filter((chunk) => metadataOf(chunk));
      if ('x-gateway-metadata' in headers) assert.deepEqual(metadataOf(atTop[0]), metadata);
      else assert.deepEqual(atTop, []);
    }
  });

  test('the SDK puts a stream together to what the JSON answer is', async () => {
    const { client } = bench();
    const body = { model: SONNET, messages: user('Tell me of the lock keeper.') };
    const plain = await client.chat.completions.create(body);
    const events: string[] = [];
    const stream = client.chat.completions
      .stream({ ...body, stream_options: { include_usage: true } })
      .on('content', (delta) => events.push(delta));
    const whole = await stream.finalChatCompletion();
    assert.equal(whole.choices[0]?.message.content, plain.choices[0]?.message.content);
    assert.equal(events.join(''), plain.choices[0]?.message.content);
    assert.equal(whole.choices[0]?.finish_reason, plain.choices[0]?.finish_reason);
    assert.equal(whole.usage?.total_tokens, plain.usage?.total_tokens);
    assert.equal(whole.choices[0]?.message.role, 'assistant');
  });

  test('several tool calls in one stream: stable indexes, names once, arguments in fragments', async () => {
    const stream = bench().client.chat.completions.stream({
      model: SONNET,
      messages: user('What is the weather in Paris and in Rome?'),
      tools: [WEATHER_TOOL],
    });
    const deltas: NonNullable<ChatCompletionChunk.Choice.Delta['tool_calls']> = [];
    stream.on('chunk', (chunk) => deltas.push(...(chunk.choices[0]?.delta.tool_calls ?? [])));
    const whole = await stream.finalChatCompletion();
    const calls = whole.choices[0]?.message.tool_calls ?? [];
    assert.deepEqual(
      calls.map((call) => (call.type === 'function' ? JSON.parse(call.function.arguments).location : null)),
      ['Paris', 'Rome'],
    );
    assert.equal(whole.choices[0]?.finish_reason, 'tool_calls');
    for (const index of [0, 1]) {
      const own = deltas.filter((delta) => delta.index === index);
      assert.ok(own.length > 1);
      assert.deepEqual([own[0]?.type, own[0]?.function?.name], ['function', 'get_weather']);
      assert.ok(own.slice(1).every((delta) => delta.id === undefined && delta.function?.name === undefined));
    }
  });

  test('runTools streams, calls our function and goes on', async () => {
    const runner = bench().client.chat.completions.runTools({
      model: SONNET,
      stream: true,
      messages: user('What is the weather in Paris?'),
      tools: [weatherFunction((location) => `sunny in ${location}`)],
    });
    const results: unknown[] = [];
    runner.on('functionToolCallResult', (content) => results.push(content));
    assert.ok(await runner.finalContent());
    assert.deepEqual(results, ['sunny in Paris']);
  });

  test('several choices share one stream', async () => {
    const { client } = bench();
    const body = { model: SONNET, messages: user('[[sim tokens=6]]Count.'), n: 2 };
    const plain = await client.chat.completions.create(body);
    const chunks = await collect(await client.chat.completions.create({ ...body, stream: true }));
    for (const choice of [0, 1]) {
      assert.equal(textOf(chunks, choice), plain.choices[choice]?.message.content);
      const own = chunks.flatMap(({ choices }) => choices).filter(({ index }) => index === choice);
      assert.equal(own[0]?.delta.role, 'assistant');
      assert.deepEqual(
        own.flatMap(({ finish_reason }) => finish_reason ?? []),
        ['stop'],
      );
    }
  });

  test('length and content filter end a stream under their names', async () => {
    for (const finish of ['length', 'content_filter']) {
      const chunks = await collect(
        await bench().client.chat.completions.create({
          model: SONNET,
          messages: user(`[[sim finish=${finish}]]Tell.`),
          stream: true,
        }),
      );
      assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, finish);
    }
  });

  test('an abort, and leaving the loop early, reach the provider at once', async () => {
    const { client, stack } = bench();
    const simulator = stack.simulator();
    const since = await simulator.lastSeq();
    const body = { model: MINI, messages: user('[[sim tokens=2000 tps=50]]Go on.'), stream: true } as const;
    const controller = new AbortController();
    const aborted = async () => {
      const stream = await client.chat.completions.create(body, { signal: controller.signal });
      for await (const _ of stream) controller.abort();
    };
    // The SDK takes an abort in the middle of its own iteration for the end of it.
    await aborted().catch((error) => assert.ok(error instanceof APIUserAbortError));
    const stream = await client.chat.completions.create(body);
    for await (const _ of stream) break;
    const seen = await simulator.received({ since, aborted: true }, 2);
    assert.ok(seen.every(({ tokensSent }) => tokensSent < 1000));
  });

  test('a failure before the first token is an HTTP error, one behind it an error of the stream', async () => {
    const { client } = bench();
    const create = (content: string) =>
      client.chat.completions.create({ model: MINI, messages: user(content), stream: true });
    await assert.rejects(create('[[sim error=context_length]]Tell.'), (error) => {
      assert.ok(error instanceof APIError);
      assert.equal(error.status, 400);
      assert.equal(error.code, 'context_length_exceeded');
      return true;
    });
    const stream = await create('[[sim cut=5 tokens=20]]Tell.');
    const got: ChatCompletionChunk[] = [];
    await assert.rejects(
      async () => {
        for await (const chunk of stream) got.push(chunk);
      },
      (error) => {
        assert.ok(error instanceof APIError);
        assert.equal(error.status, undefined);
        return true;
      },
    );
    assert.ok(textOf(got));
    assert.ok(got.every(({ choices }) => choices[0]?.finish_reason === null));
  });
}
