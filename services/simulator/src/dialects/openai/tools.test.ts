import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type OpenAI from 'openai';
import { makeParseableResponseFormat } from 'openai/lib/parser';
import type {
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionFunctionTool,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
  ChatCompletionToolChoiceOption,
} from 'openai/resources/chat/completions';
import type { Simulator } from '../../server.ts';
import { collect, startWithClient } from '../../testing/sdkClient.ts';

const weather: ChatCompletionFunctionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Get the current weather in a given location',
    parameters: {
      type: 'object',
      properties: {
        location: { type: 'string', description: 'The city and state, e.g. San Francisco, CA' },
        unit: { type: 'string', enum: ['celsius', 'fahrenheit'], description: 'The unit for temperature' },
      },
      required: ['location'],
    },
  },
};
const placesOf = (calls: readonly ChatCompletionMessageFunctionToolCall[]): unknown[] =>
  calls.map((call) => JSON.parse(call.function.arguments).location);
const clock: ChatCompletionFunctionTool = { type: 'function', function: { name: 'tellTime' } };

describe('tool calls through the OpenAI SDK', () => {
  let simulator: Simulator;
  let client: OpenAI;
  before(async () => {
    ({ simulator, client } = await startWithClient());
  });
  after(() => simulator.close());

  const ask = async (content: string, params: Partial<ChatCompletionCreateParamsNonStreaming> = {}) => {
    const { choices, usage } = await client.chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content }],
      tools: [clock, weather],
      ...params,
    });
    const [choice] = choices;
    assert.ok(choice);
    const calls = (choice.message.tool_calls ?? []).filter((call) => call.type === 'function');
    return { choice, usage, calls };
  };

  it('calls the tool that the question is about, with arguments that fit its schema', async () => {
    const { choice, calls } = await ask('What is the weather like in San Francisco?', { tool_choice: 'auto' });
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.equal(choice.message.content, null);
    assert.equal(calls.length, 1);
    assert.equal(calls[0]?.function.name, 'get_weather');
    assert.deepEqual(placesOf(calls), ['San Francisco']);
    const { unit } = JSON.parse(calls[0]?.function.arguments ?? '{}');
    assert.ok(unit === 'celsius' || unit === 'fahrenheit');
  });

  it('calls once for each place, unless parallel calls are off', async () => {
    const question = 'What is the weather in Paris and in New York?';
    const { calls } = await ask(question);
    assert.deepEqual(placesOf(calls), ['Paris', 'New York']);
    assert.equal(new Set(calls.map(({ id }) => id)).size, 2);
    assert.deepEqual(placesOf((await ask(question, { parallel_tool_calls: false })).calls), ['Paris']);
    assert.equal((await ask('What is the weather? [[sim calls=3]]')).calls.length, 3);
  });

  it('answers in text when no tool fits, or none is allowed', async () => {
    assert.equal((await ask('Tell me a story.')).calls.length, 0);
    const none = await ask('What is the weather like in Rome?', { tool_choice: 'none' });
    assert.equal(none.choice.finish_reason, 'stop');
    assert.ok(none.choice.message.content);
  });

  it('calls a tool when one is required, named or allowed', async () => {
    const name = async (tool_choice: ChatCompletionToolChoiceOption) =>
      (await ask('Tell me a story.', { tool_choice })).calls.map(({ function: called }) => called.name);
    assert.deepEqual(await name('required'), ['tellTime']);
    assert.deepEqual(await name({ type: 'function', function: { name: 'get_weather' } }), ['get_weather']);
    const tools = [{ type: 'function', function: { name: 'get_weather' } }];
    assert.deepEqual(await name({ type: 'allowed_tools', allowed_tools: { mode: 'required', tools } }), [
      'get_weather',
    ]);
  });

  it('streams calls in fragments, the id and the name only once, and counts them', async () => {
    const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'Weather in Paris and in Rome?' }];
    const json = await ask('Weather in Paris and in Rome?');
    const stream = await client.chat.completions.create({
      model: 'gpt-4o',
      messages,
      tools: [weather],
      stream: true,
      stream_options: { include_usage: true },
    });
    const calls: { id: string; name: string; arguments: string; parts: number }[] = [];
    const chunks = await collect(stream);
    assert.equal(chunks[0]?.choices[0]?.delta.content, null);
    for (const call of chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? [])) {
      if (call.id !== undefined) {
        assert.equal(call.index, calls.length);
        assert.equal(call.type, 'function');
        calls.push({ id: call.id, name: call.function?.name ?? '', arguments: '', parts: 0 });
      } else {
        assert.equal(call.function?.name, undefined);
      }
      const current = calls[call.index];
      assert.ok(current);
      current.arguments += call.function?.arguments ?? '';
      current.parts++;
    }
    const expected = json.calls.map(({ id, function: called }) => ({
      id,
      name: called.name,
      arguments: called.arguments,
    }));
    assert.deepEqual(
      calls.map(({ id, name, arguments: text }) => ({ id, name, arguments: text })),
      expected,
    );
    assert.ok(calls.every(({ parts }) => parts > 3));
    const usage = chunks.at(-1)?.usage;
    assert.equal(
      usage?.completion_tokens,
      calls.reduce((sum, { parts }) => sum + parts, 0),
    );
    assert.equal(usage?.completion_tokens, json.usage?.completion_tokens);
    assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'tool_calls');
  });

  it('answers in text once the tools have answered', async () => {
    const question: ChatCompletionMessageParam = { role: 'user', content: 'What is the weather like in Rome?' };
    const { choice, calls } = await ask(String(question.content));
    const result: ChatCompletionMessageParam = {
      role: 'tool',
      tool_call_id: calls[0]?.id ?? '',
      content: '{"temperature":21}',
    };
    const answer = await ask('', { messages: [question, choice.message, result] });
    assert.equal(answer.choice.finish_reason, 'stop');
    assert.match(answer.choice.message.content ?? '', /The tool says: \{"temperature":21\}/);
  });

  it('takes part in the tool loop of the SDK', async () => {
    const asked: unknown[] = [];
    const runner = client.chat.completions.runTools({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'What is the weather like in Oslo and in Rome?' }],
      tools: [
        {
          type: 'function',
          function: {
            name: 'get_weather',
            description: 'Get the current weather in a given location',
            parameters: weather.function.parameters ?? {},
            parse: (text): { location: string } => JSON.parse(text),
            function: (args: { location: string }) => {
              asked.push(args.location);
              return `sunny in ${args.location}`;
            },
          },
        },
      ],
    });
    assert.match((await runner.finalContent()) ?? '', /sunny in Oslo.*sunny in Rome/);
    assert.deepEqual(asked, ['Oslo', 'Rome']);
  });

  it('sends arguments that are no JSON when told to, and "{}" for a tool without parameters', async () => {
    const broken: ChatCompletionMessageFunctionToolCall[] = (await ask('Weather? [[sim args=%7B%22loc]]')).calls;
    assert.equal(broken[0]?.function.arguments, '{"loc');
    assert.equal((await ask('Can you tell the time?')).calls[0]?.function.arguments, '{}');
  });

  it('cuts a call off at max_tokens', async () => {
    const { choice, calls, usage } = await ask('What is the weather in Rome?', { max_tokens: 4 });
    assert.equal(choice.finish_reason, 'length');
    assert.equal(usage?.completion_tokens, 4);
    assert.throws(() => JSON.parse(calls[0]?.function.arguments ?? ''));
  });
});

describe('structured output through the OpenAI SDK', () => {
  let simulator: Simulator;
  let client: OpenAI;
  before(async () => {
    ({ simulator, client } = await startWithClient());
  });
  after(() => simulator.close());

  const schema = {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'array', items: { type: 'integer' } } },
    required: ['city', 'days'],
    additionalProperties: false,
  };

  it('conforms to a JSON schema, parsed by the SDK', async () => {
    const completion = await client.chat.completions.parse({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Plan a trip.' }],
      response_format: makeParseableResponseFormat(
        { type: 'json_schema', json_schema: { name: 'trip', strict: true, schema } },
        (text): { city: string; days: number[] } => JSON.parse(text),
      ),
    });
    const trip = completion.choices[0]?.message.parsed;
    assert.equal(typeof trip?.city, 'string');
    assert.ok(trip?.days.every(Number.isInteger));
    assert.deepEqual(Object.keys(trip ?? {}), ['city', 'days']);
  });

  it('gives an object in JSON mode, streamed too', async () => {
    const stream = client.chat.completions.stream({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Answer as JSON.' }],
      response_format: { type: 'json_object' },
    });
    assert.equal(typeof JSON.parse((await stream.finalContent()) ?? ''), 'object');
  });

  it('refuses a strict schema that OpenAI would refuse', async () => {
    const { additionalProperties: _dropped, ...open } = schema;
    const ask = (strictSchema: Record<string, unknown>) =>
      client.chat.completions.create({
        model: 'gpt-4o',
        messages: [{ role: 'user', content: 'Plan a trip.' }],
        response_format: { type: 'json_schema', json_schema: { name: 'trip', strict: true, schema: strictSchema } },
      });
    await assert.rejects(ask(open), { status: 400, param: 'response_format' });
    await assert.rejects(ask({ ...schema, required: ['city'] }), /Missing 'days'/);
  });
});
