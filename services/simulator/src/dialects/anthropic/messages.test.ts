import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import type { Message, MessageCreateParamsNonStreaming } from '@anthropic-ai/sdk/resources/messages';
import { type Simulator, startSimulator } from '../../server.ts';
import { pdf, png } from '../../testing/media.ts';
import { clientOf, collect } from '../../testing/sdkClient.ts';

const textOf = ({ content }: Message) => content.map((block) => (block.type === 'text' ? block.text : '')).join('');
const total = ({ usage }: Message) =>
  usage.input_tokens + (usage.cache_creation_input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0);

describe("messages through Anthropic's SDK", () => {
  let simulator: Simulator;
  let client: Anthropic;
  before(async () => {
    simulator = await startSimulator();
    client = new Anthropic({ apiKey: 'sk-ant-test', baseURL: simulator.url, maxRetries: 0 });
  });
  after(() => simulator.close());

  const paramsFor = (
    content: MessageCreateParamsNonStreaming['messages'][number]['content'],
    params: Partial<MessageCreateParamsNonStreaming> = {},
  ): MessageCreateParamsNonStreaming => ({
    model: 'claude-haiku-4-5',
    max_tokens: 4096,
    messages: [{ role: 'user', content }],
    ...params,
  });
  const ask = (...args: Parameters<typeof paramsFor>) => client.messages.create(paramsFor(...args));

  it('says what the OpenAI dialect says to the same conversation, and counts the same', async () => {
    const openai = await clientOf(simulator).chat.completions.create({
      model: 'gpt-4o',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Hi.' },
        { role: 'user', content: 'Tell me' },
        { role: 'user', content: 'a story.' },
      ],
    });
    const message = await client.messages.create({
      model: 'claude-haiku-4-5',
      max_tokens: 4096,
      system: [{ type: 'text', text: 'Be brief.' }],
      messages: [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: [{ type: 'text', text: 'Hi.' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Tell me' },
            { type: 'text', text: 'a story.' },
          ],
        },
      ],
    });
    assert.equal(textOf(message), openai.choices[0]?.message.content);
    assert.ok(textOf(message).length > 20);
    assert.equal(message.stop_reason, 'end_turn');
    assert.equal(message.usage.input_tokens, openai.usage?.prompt_tokens);
    assert.equal(message.usage.output_tokens, openai.usage?.completion_tokens);
  });

  it('streams the same message, with pings, in order', async () => {
    const params = paramsFor('Hello there. [[sim emoji]]', { system: 'Be kind.' });
    const whole = await client.messages.create(params);
    const events = await collect(await client.messages.create({ ...params, stream: true }));
    const kinds = events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1]);
    // The SDK keeps pings to itself.
    assert.deepEqual(kinds, [
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    const final = await client.messages.stream(params).finalMessage();
    assert.equal(textOf(final), textOf(whole));
    assert.equal(final.stop_reason, whole.stop_reason);
    assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
    assert.equal(final.usage.input_tokens, whole.usage.input_tokens);
  });

  it('ends for every reason there is', async () => {
    const endOf = async (...args: Parameters<typeof paramsFor>) => {
      const { stop_reason: reason, stop_sequence: sequence, content } = await ask(...args);
      const streamed = await client.messages.stream(paramsFor(...args)).finalMessage();
      assert.deepEqual([streamed.stop_reason, streamed.stop_sequence], [reason, sequence]);
      assert.deepEqual(streamed.content, content);
      return [reason, sequence];
    };
    assert.deepEqual(await endOf('Hello [[sim tokens=50]]', { max_tokens: 5 }), ['max_tokens', null]);
    const stops = { stop_sequences: ['never said', 'b'] };
    assert.deepEqual(await endOf('Hello [[sim text=aaa%20bbb]]', stops), ['stop_sequence', 'b']);
    assert.deepEqual(await endOf('Hello [[sim refusal=No.]]'), ['refusal', null]);
    assert.deepEqual(await endOf('Hello [[sim stop-reason=pause_turn]]'), ['pause_turn', null]);
    assert.deepEqual(await endOf('Hello [[sim empty]]'), ['end_turn', null]);
    assert.deepEqual((await ask('Hello [[sim empty]]')).content, []);
    const refused = await ask('Hello [[sim refusal=No.]]');
    assert.equal(refused.stop_details?.explanation, 'No.');
  });

  it('thinks in the open, hidden, or not shown, and signs it', async () => {
    const thinking = { type: 'enabled', budget_tokens: 1024 } as const;
    const message = await ask('Why? [[sim think=12]]', { thinking });
    const [first, second] = message.content;
    assert.ok(first?.type === 'thinking' && first.thinking.length > 10 && first.signature.length > 40);
    assert.equal(second?.type, 'text');
    assert.equal(message.usage.output_tokens_details?.thinking_tokens, 12);
    const streamed = await client.messages.stream(paramsFor('Why? [[sim think=12]]', { thinking })).finalMessage();
    assert.deepEqual(streamed.content, message.content);
    assert.equal((await ask('Why?', { thinking })).content[0]?.type, 'thinking');
    assert.equal((await ask('Why?')).content[0]?.type, 'text');
    const adaptive = await ask('Why?', {
      model: 'claude-opus-4-6',
      thinking: { type: 'adaptive', display: 'omitted' },
      output_config: { effort: 'low' },
    });
    assert.ok(adaptive.content[0]?.type === 'thinking' && adaptive.content[0].thinking === '');
    assert.equal(adaptive.usage.output_tokens_details?.thinking_tokens, 16);
    const redacted = await ask('Why? [[sim think=5 think-as=redacted]]', { thinking });
    assert.equal(redacted.content[0]?.type, 'redacted_thinking');
  });

  it('takes its thinking back only as it gave it', async () => {
    const thinking = { type: 'enabled', budget_tokens: 1024 } as const;
    const { content } = await ask('Why? [[sim think=12]]', { thinking });
    const redacted = (await ask('Why? [[sim think=5 think-as=redacted]]', { thinking })).content;
    const goOn = (blocks: Message['content']) =>
      client.messages.create({
        model: 'claude-haiku-4-5',
        max_tokens: 4096,
        thinking,
        messages: [
          { role: 'user', content: 'Why?' },
          { role: 'assistant', content: blocks },
          { role: 'user', content: 'Go on.' },
        ],
      });
    assert.equal((await goOn(content)).type, 'message');
    assert.equal((await goOn(redacted)).type, 'message');
    const changed = content.map((block) =>
      block.type === 'thinking' ? { ...block, thinking: `${block.thinking}!` } : block,
    );
    await assert.rejects(goOn(changed), /messages\.1\.content\.0: Invalid `signature` in `thinking` block/);
  });

  it('sees images and reads documents, by bytes and by link', async () => {
    const text = textOf(
      await ask([
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
        { type: 'image', source: { type: 'url', url: 'https://example.com/cat.png' } },
        { type: 'document', title: 'draft.pdf', source: { type: 'base64', media_type: 'application/pdf', data: pdf } },
        { type: 'text', text: 'What is this?' },
      ]),
    );
    assert.match(text, /I see 2 images \(image\/png, 70 bytes; https:\/\/example.com\/cat.png\)/);
    assert.match(text, /I read 1 file \(draft.pdf, application\/pdf, 48 bytes\)/);
  });

  it('cites documents that ask for it', async () => {
    const content = [
      {
        type: 'document',
        title: 'Notes',
        source: { type: 'text', media_type: 'text/plain', data: 'The gate opens at dawn.' },
        citations: { enabled: true },
      },
      { type: 'text', text: 'When does it open?' },
    ] as const;
    const message = await ask([...content]);
    const [block] = message.content;
    assert.ok(block?.type === 'text');
    assert.deepEqual(block.citations, [
      {
        type: 'char_location',
        cited_text: 'The gate opens at dawn.',
        document_index: 0,
        document_title: 'Notes',
        file_id: null,
        start_char_index: 0,
        end_char_index: 23,
      },
    ]);
    const streamed = await client.messages.stream(paramsFor([...content])).finalMessage();
    assert.deepEqual(streamed.content, message.content);
  });

  it('writes marked prefixes to its cache, then reads them', async () => {
    const system = [
      { type: 'text', text: 'The rules of the house. '.repeat(400), cache_control: { type: 'ephemeral' } },
    ] as const;
    const cached = (content: string, ttl?: '1h') =>
      ask(content, {
        system: ttl === undefined ? [...system] : [{ ...system[0], cache_control: { type: 'ephemeral', ttl } }],
      });
    const first = await cached('One');
    const written = first.usage.cache_creation_input_tokens ?? 0;
    assert.ok(written >= 1024);
    assert.equal(first.usage.cache_creation?.ephemeral_5m_input_tokens, written);
    assert.equal(first.usage.cache_read_input_tokens, 0);
    const second = await cached('Two');
    assert.deepEqual([second.usage.cache_read_input_tokens, second.usage.cache_creation_input_tokens], [written, 0]);
    assert.equal(total(first), total(second));
    assert.ok(second.usage.input_tokens < 50);
    const unmarked = await ask('Three', { system: system[0].text });
    assert.deepEqual([unmarked.usage.cache_read_input_tokens, unmarked.usage.cache_creation_input_tokens], [0, 0]);
    assert.equal((await ask('Hello [[sim cached=3]]')).usage.cache_read_input_tokens, 3);
  });

  it('answers in the JSON that output_config asks for', async () => {
    const schema = {
      type: 'object',
      properties: { name: { type: 'string' }, age: { type: 'integer' } },
      required: ['name', 'age'],
      additionalProperties: false,
    };
    const message = await ask('Who?', { output_config: { format: { type: 'json_schema', schema } } });
    const { name, age } = JSON.parse(textOf(message));
    assert.equal(typeof name, 'string');
    assert.ok(Number.isInteger(age));
  });

  it('continues a prefill', async () => {
    const whole = textOf(await ask('Tell me.'));
    const prefill = whole.slice(0, 20).trimEnd();
    const rest = await client.messages.create({
      model: 'claude-haiku-4-5',
      max_tokens: 4096,
      messages: [
        { role: 'user', content: 'Tell me.' },
        { role: 'assistant', content: prefill },
      ],
    });
    assert.equal(prefill + textOf(rest), whole);
  });

  it('counts tokens as a message would', async () => {
    const { messages, model } = paramsFor('How many tokens have I?');
    const { input_tokens: counted } = await client.messages.countTokens({ model, messages });
    assert.equal(counted, (await ask('How many tokens have I?')).usage.input_tokens);
  });
});
