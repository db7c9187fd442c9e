import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type BedrockRuntimeClient,
  type ContentBlock,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
  type Message,
  type ToolUseBlock,
} from '@aws-sdk/client-bedrock-runtime';
import { type Simulator, startSimulator } from '../../server.ts';
import { bedrockClientOf } from '../../testing/bedrockClient.ts';
import { clientOf, collect } from '../../testing/sdkClient.ts';

const modelId = 'us.anthropic.claude-haiku-4-5-20251001-v1:0';
const schema = { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] };
const description = 'Get the current weather in a given location';
const toolConfig = {
  tools: [
    { toolSpec: { name: 'get_weather', description, inputSchema: { json: schema } } },
    { toolSpec: { name: 'tell_time', inputSchema: { json: { type: 'object', properties: {} } } } },
  ],
} satisfies ConverseCommandInput['toolConfig'];

const callsIn = (content: readonly ContentBlock[] | undefined): ToolUseBlock[] =>
  (content ?? []).flatMap(({ toolUse }) => (toolUse === undefined ? [] : [toolUse]));

describe("tool calls through AWS's SDK", () => {
  let simulator: Simulator;
  let client: BedrockRuntimeClient;
  before(async () => {
    simulator = await startSimulator();
    client = bedrockClientOf(simulator);
  });
  after(async () => {
    client.destroy();
    await simulator.close();
  });

  const inputFor = (text: string, input: Partial<ConverseCommandInput> = {}): ConverseCommandInput => ({
    modelId,
    messages: [{ role: 'user', content: [{ text }] }],
    toolConfig,
    ...input,
  });
  const ask = (...args: Parameters<typeof inputFor>) => client.send(new ConverseCommand(inputFor(...args)));
  const question = 'What is the weather in Paris and in Rome?';

  it('calls in parallel, as the OpenAI dialect does', async () => {
    const answer = await ask(question);
    const calls = callsIn(answer.output?.message?.content);
    assert.equal(answer.stopReason, 'tool_use');
    assert.deepEqual(
      calls.map(({ input }) => input),
      [{ location: 'Paris' }, { location: 'Rome' }],
    );
    assert.equal(new Set(calls.map(({ toolUseId }) => toolUseId)).size, 2);
    assert.ok(calls.every(({ toolUseId }) => /^tooluse_\w+$/.test(toolUseId ?? '')));
    const openai = await clientOf(simulator).chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: question }],
      tools: [
        { type: 'function', function: { name: 'get_weather', description, parameters: schema } },
        { type: 'function', function: { name: 'tell_time', parameters: { type: 'object', properties: {} } } },
      ],
    });
    assert.equal(openai.choices[0]?.message.tool_calls?.length, 2);
    assert.equal(answer.usage?.inputTokens, openai.usage?.prompt_tokens);
    assert.equal(answer.usage?.outputTokens, openai.usage?.completion_tokens);
  });

  it('streams calls in fragments, each in its block', async () => {
    const whole = callsIn((await ask(question)).output?.message?.content);
    const { stream } = await client.send(new ConverseStreamCommand(inputFor(question)));
    assert.ok(stream);
    const events = await collect(stream);
    const starts = events.flatMap(({ contentBlockStart }) => (contentBlockStart ? [contentBlockStart] : []));
    const streamed = starts.map(({ start, contentBlockIndex }) => {
      const pieces = events.flatMap(({ contentBlockDelta }) =>
        contentBlockDelta?.contentBlockIndex === contentBlockIndex
          ? [contentBlockDelta?.delta?.toolUse?.input ?? '']
          : [],
      );
      assert.ok(pieces.length > 1);
      return { ...start?.toolUse, input: JSON.parse(pieces.join('')) };
    });
    assert.deepEqual(streamed, whole);
    assert.equal(events.find(({ messageStop }) => messageStop)?.messageStop?.stopReason, 'tool_use');
  });

  it('obeys the tool choice, and calls once where it may not call in parallel', async () => {
    const chosen = await ask('Hello', { toolConfig: { ...toolConfig, toolChoice: { tool: { name: 'tell_time' } } } });
    assert.deepEqual(
      callsIn(chosen.output?.message?.content).map(({ name, input }) => ({ name, input })),
      [{ name: 'tell_time', input: {} }],
    );
    const any = await ask('Hello', { toolConfig: { ...toolConfig, toolChoice: { any: {} } } });
    assert.equal(any.stopReason, 'tool_use');
    const auto = await ask('Hello', { toolConfig: { ...toolConfig, toolChoice: { auto: {} } } });
    assert.equal(auto.stopReason, 'end_turn');
    const single = await ask(question, {
      additionalModelRequestFields: { tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
    });
    assert.equal(callsIn(single.output?.message?.content).length, 1);
  });

  it('streams no fragment for no arguments, and any fragment that is asked for', async () => {
    const inputs = async (text: string) => {
      const { stream } = await client.send(new ConverseStreamCommand(inputFor(text)));
      assert.ok(stream);
      const events = await collect(stream);
      return events.flatMap(({ contentBlockDelta }) => contentBlockDelta?.delta?.toolUse?.input ?? []);
    };
    assert.deepEqual(await inputs('Weather? [[sim args=%7B%7D calls=1]]'), []);
    assert.equal((await inputs('Weather? [[sim args=%7B%22a%22:]]')).join(''), '{"a":');
  });

  describe('results', () => {
    const conversation = (results: ContentBlock[], more: Message[] = []): ConverseCommandInput => ({
      modelId,
      toolConfig,
      messages: [
        { role: 'user', content: [{ text: question }] },
        {
          role: 'assistant',
          content: ['a', 'b'].map((id) => ({
            toolUse: { toolUseId: `tooluse_${id}`, name: 'get_weather', input: { location: id } },
          })),
        },
        { role: 'user', content: results },
        ...more,
      ],
    });
    const result = (id: string, content = [{ text: `${id} is sunny` }]) => ({
      toolResult: { toolUseId: `tooluse_${id}`, content },
    });
    const send = (input: ConverseCommandInput) => client.send(new ConverseCommand(input));

    it('are heard', async () => {
      const { output, stopReason } = await send(conversation([result('a'), result('b')]));
      assert.equal(stopReason, 'end_turn');
      assert.match(
        output?.message?.content?.[0]?.text ?? '',
        /The tool says: a is sunny\. The tool says: b is sunny\./,
      );
    });

    const refused = (input: ConverseCommandInput, message: RegExp) =>
      assert.rejects(send(input), { name: 'ValidationException', message });

    it('must be all there, in the very next message, each once, each of a call', async () => {
      await refused(conversation([result('a')]), /Expected toolResult blocks at messages\.2\.content .* tooluse_b$/);
      await refused(conversation([{ text: 'Never mind.' }]), /Expected toolResult .*: tooluse_a, tooluse_b$/);
      await refused(conversation([result('a'), result('a')]), /contain duplicate Ids: tooluse_a/);
      await refused(
        conversation([result('a'), result('b'), result('c')]),
        /The number of toolResult blocks at messages\.2\.content exceeds the number of toolUse blocks of previous turn\./,
      );
      await refused(conversation([result('a'), result('c')]), /Expected toolResult .*: tooluse_b$/);
      await refused(conversation([result('a'), result('b', [{ text: '' }])]), /text content blocks must be non-empty/);
    });

    it('need the toolConfig', async () => {
      const { toolConfig: _tools, ...rest } = conversation([result('a'), result('b')]);
      await refused(rest, /toolConfig field must be defined when using toolUse and toolResult content blocks/);
    });

    it('need the thinking before the calls when thinking is on', async () => {
      await refused(
        {
          ...conversation([result('a'), result('b')]),
          inferenceConfig: { maxTokens: 4000 },
          additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 1024 } },
        },
        /messages\.1\.content\.0\.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`/,
      );
    });
  });
});
