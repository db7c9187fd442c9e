import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import type {
  Message,
  MessageCreateParamsNonStreaming,
  MessageParam,
  Tool,
  ToolResultBlockParam,
} from '@anthropic-ai/sdk/resources/messages';
import { type Simulator, startSimulator } from '../../server.ts';
import { clientOf, collect } from '../../testing/sdkClient.ts';

const weather: Tool = {
  name: 'get_weather',
  description: 'Get the current weather in a given location',
  input_schema: {
    type: 'object',
    properties: { location: { type: 'string', description: 'The city' } },
    required: ['location'],
  },
};
const clock: Tool = { name: 'tellTime', input_schema: { type: 'object', properties: {} } };

const callsOf = ({ content }: Message) => content.flatMap((block) => (block.type === 'tool_use' ? [block] : []));

describe("tools through Anthropic's SDK", () => {
  let simulator: Simulator;
  let client: Anthropic;
  before(async () => {
    simulator = await startSimulator();
    client = new Anthropic({ apiKey: 'sk-ant-test', baseURL: simulator.url, maxRetries: 0 });
  });
  after(() => simulator.close());

  const ask = (messages: MessageParam[] | string, params: Partial<MessageCreateParamsNonStreaming> = {}) =>
    client.messages.create({
      model: 'claude-haiku-4-5',
      max_tokens: 4096,
      tools: [clock, weather],
      messages: typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages,
      ...params,
    });

  it('calls several tools at once, as the OpenAI dialect does', async () => {
    const question = 'What is the weather in Paris and in New York?';
    const message = await ask(question);
    assert.equal(message.stop_reason, 'tool_use');
    const calls = callsOf(message);
    assert.deepEqual(
      calls.map(({ name, input }) => [name, input]),
      [
        ['get_weather', { location: 'Paris' }],
        ['get_weather', { location: 'New York' }],
      ],
    );
    for (const { id } of calls) assert.match(id, /^toolu_[0-9a-z]{24}$/);
    const openai = await clientOf(simulator).chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: question }],
      tools: [clock, weather].map(({ name, description = '', input_schema: parameters }) => ({
        type: 'function',
        function: { name, description, parameters: { ...parameters } },
      })),
    });
    const called = openai.choices[0]?.message.tool_calls ?? [];
    assert.deepEqual(
      called.map((call) => (call.type === 'function' ? JSON.parse(call.function.arguments) : {})),
      calls.map(({ input }) => input),
    );
    assert.equal(openai.usage?.completion_tokens, message.usage.output_tokens);
    const one = await ask(question, { tool_choice: { type: 'auto', disable_parallel_tool_use: true } });
    assert.equal(callsOf(one).length, 1);
  });

  it('streams arguments in pieces, the first empty, and none at all for a tool without', async () => {
    const params = { model: 'claude-haiku-4-5', max_tokens: 4096, tools: [clock, weather] };
    const stream = async (content: string) =>
      await collect(await client.messages.create({ ...params, stream: true, messages: [{ role: 'user', content }] }));
    const pieces = (await stream('What is the weather in Paris?')).flatMap((event) =>
      event.type === 'content_block_delta' && event.delta.type === 'input_json_delta' ? [event.delta.partial_json] : [],
    );
    assert.equal(pieces[0], '');
    assert.ok(pieces.length > 5);
    assert.deepEqual(JSON.parse(pieces.join('')), { location: 'Paris' });
    const none = (await stream('tell time')).flatMap((event) =>
      event.type === 'content_block_delta' ? [event.delta] : [],
    );
    assert.deepEqual(none, [{ type: 'input_json_delta', partial_json: '' }]);
    const final = await client.messages
      .stream({ ...params, messages: [{ role: 'user', content: 'tell time' }] })
      .finalMessage();
    assert.deepEqual(callsOf(final)[0]?.input, {});
  });

  it('obeys tool_choice', async () => {
    assert.equal(callsOf(await ask('Hello')).length, 0);
    assert.equal(callsOf(await ask('Hello', { tool_choice: { type: 'any' } }))[0]?.name, 'tellTime');
    assert.equal(
      callsOf(await ask('Hello', { tool_choice: { type: 'tool', name: 'get_weather' } }))[0]?.name,
      'get_weather',
    );
    assert.equal(callsOf(await ask('Weather in Rome?', { tool_choice: { type: 'none' } })).length, 0);
  });

  it('goes through a tool loop with thinking, which must come back first', async () => {
    const thinking = { type: 'enabled', budget_tokens: 1024 } as const;
    const question: MessageParam = { role: 'user', content: 'What is the weather in Paris and in Rome?' };
    const called = await ask([question], { thinking });
    assert.deepEqual(
      called.content.map(({ type }) => type),
      ['thinking', 'tool_use', 'tool_use'],
    );
    const results: ToolResultBlockParam[] = callsOf(called).map(({ id }, index) => ({
      type: 'tool_result',
      tool_use_id: id,
      content: index === 0 ? '20 degrees' : [{ type: 'text', text: '30 degrees' }],
    }));
    const loop = (content: MessageParam['content']): MessageParam[] => [
      question,
      { role: 'assistant', content },
      { role: 'user', content: results },
    ];
    const answer = await ask(loop(called.content), { thinking });
    const text = answer.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    assert.match(text, /The tool says: 20 degrees\. The tool says: 30 degrees\./);
    const bare = called.content.filter(({ type }) => type !== 'thinking');
    await assert.rejects(
      ask(loop(bare), { thinking }),
      /messages\.1\.content\.0\.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`/,
    );
    assert.equal((await ask(loop(bare))).stop_reason, 'end_turn');
  });

  it('demands each result right behind its call', async () => {
    const call = { type: 'tool_use', id: 'toolu_1', name: 'tellTime', input: {} } as const;
    const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'noon' } as const;
    const ask1 = (...rest: MessageParam[]) => ask([{ role: 'user', content: 'Hi' }, ...rest]);
    const calling: MessageParam = { role: 'assistant', content: [call] };
    await assert.rejects(
      ask1(calling, { role: 'user', content: 'And?' }),
      /messages\.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1/,
    );
    await assert.rejects(
      ask1(calling, { role: 'user', content: [{ type: 'text', text: 'Here' }, result] }),
      /immediately after/,
    );
    await assert.rejects(
      ask1({ role: 'assistant', content: 'No calls' }, { role: 'user', content: [result] }),
      /messages\.2\.content\.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1/,
    );
    await assert.rejects(
      ask1(calling, { role: 'user', content: [result, result] }),
      /each tool_use must have a single result/,
    );
    await assert.rejects(ask1({ role: 'assistant', content: [call, call] }), /ids must be unique/);
    const fine = await ask1(calling, { role: 'user', content: [result, { type: 'text', text: 'So?' }] });
    assert.equal(fine.type, 'message');
  });
});
