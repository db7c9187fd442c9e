import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type BedrockRuntimeClient,
  type ContentBlock,
  ConverseCommand,
  type ConverseCommandInput,
  type ConverseCommandOutput,
  ConverseStreamCommand,
  type ConverseStreamOutput,
} from '@aws-sdk/client-bedrock-runtime';
import { type Simulator, startSimulator } from '../../server.ts';
import { bedrockClientOf } from '../../testing/bedrockClient.ts';
import { pdf, png } from '../../testing/media.ts';
import { clientOf, collect } from '../../testing/sdkClient.ts';

const modelId = 'anthropic.claude-haiku-4-5-20251001-v1:0';
const arn = 'arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0';

const blocksOf = ({ output }: ConverseCommandOutput): readonly ContentBlock[] => output?.message?.content ?? [];
const textOf = (answer: ConverseCommandOutput) =>
  blocksOf(answer)
    .map(({ text }) => text ?? '')
    .join('');
const kindsOf = (events: readonly ConverseStreamOutput[]) =>
  events
    .map((event) => Object.keys(event).find((name) => name !== '$unknown'))
    .filter((kind, index, all) => kind !== all[index - 1]);
const streamedText = (events: readonly ConverseStreamOutput[]) =>
  events.map(({ contentBlockDelta }) => contentBlockDelta?.delta?.text ?? '').join('');

describe("Converse through AWS's SDK", () => {
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

  const inputFor = (
    content: string | ContentBlock[],
    input: Partial<ConverseCommandInput> = {},
  ): ConverseCommandInput => ({
    modelId,
    messages: [{ role: 'user', content: typeof content === 'string' ? [{ text: content }] : content }],
    ...input,
  });
  const ask = (...args: Parameters<typeof inputFor>) => client.send(new ConverseCommand(inputFor(...args)));
  const listen = async (...args: Parameters<typeof inputFor>) => {
    const { stream } = await client.send(new ConverseStreamCommand(inputFor(...args)));
    assert.ok(stream);
    return collect(stream);
  };

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
    const answer = await client.send(
      new ConverseCommand({
        modelId,
        system: [{ text: 'Be brief.' }],
        messages: [
          { role: 'user', content: [{ text: 'Hello' }] },
          { role: 'assistant', content: [{ text: 'Hi.' }] },
          { role: 'user', content: [{ text: 'Tell me' }, { text: 'a story.' }] },
        ],
      }),
    );
    assert.equal(textOf(answer), openai.choices[0]?.message.content);
    assert.ok(textOf(answer).length > 20);
    assert.equal(answer.stopReason, 'end_turn');
    assert.deepEqual(answer.usage, {
      inputTokens: openai.usage?.prompt_tokens,
      outputTokens: openai.usage?.completion_tokens,
      totalTokens: openai.usage?.total_tokens,
      cacheReadInputTokens: 0,
      cacheWriteInputTokens: 0,
    });
    assert.ok((answer.metrics?.latencyMs ?? -1) >= 0);
  });

  it('streams the same answer, letters of several bytes among them, in order', async () => {
    const input: Parameters<typeof inputFor> = ['Hello there. [[sim emoji]]', { system: [{ text: 'Be kind.' }] }];
    const whole = await ask(...input);
    const events = await listen(...input);
    assert.deepEqual(kindsOf(events), [
      'messageStart',
      'contentBlockDelta',
      'contentBlockStop',
      'messageStop',
      'metadata',
    ]);
    assert.equal(streamedText(events), textOf(whole));
    const last = events.at(-1)?.metadata;
    assert.deepEqual(last?.usage, whole.usage);
    assert.equal(events.find(({ messageStop }) => messageStop)?.messageStop?.stopReason, 'end_turn');
    const deltas = events.filter(({ contentBlockDelta }) => contentBlockDelta).length;
    assert.equal(deltas, whole.usage?.outputTokens);
  });

  it('takes ARNs and inference profiles, percent-encoded, and directives in the model id', async () => {
    const plain = await ask('Hello');
    assert.equal(textOf(await ask('Hello', { modelId: arn })), textOf(plain));
    assert.equal(simulator.requests.at(-1)?.model, arn);
    const steered = await ask('Hello', { modelId: `us.${modelId}+text=Good%20day+stop-reason=guardrail_intervened` });
    assert.equal(textOf(steered), 'Good day');
    assert.equal(steered.stopReason, 'guardrail_intervened');
    assert.equal(simulator.requests.at(-1)?.model, `us.${modelId}`);
  });

  it('sees images and reads PDFs', async () => {
    const image = Buffer.from(png, 'base64');
    const report = Buffer.from(pdf, 'base64');
    const answer = await ask([
      { text: 'What are these?' },
      { image: { format: 'png', source: { bytes: image } } },
      { document: { format: 'pdf', name: 'Report (2026)', source: { bytes: report } } },
    ]);
    assert.match(textOf(answer), new RegExp(`I see 1 image \\(image/png, ${image.length} bytes\\)`));
    assert.match(
      textOf(answer),
      new RegExp(`I read 1 file \\(Report \\(2026\\), application/pdf, ${report.length} bytes\\)`),
    );
    const openai = await clientOf(simulator).chat.completions.create({
      model: 'gpt-4o',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What are these?' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
            {
              type: 'file',
              file: {
                filename: 'Report (2026)',
                file_data: `data:application/pdf;base64,${pdf}`,
              },
            },
          ],
        },
      ],
    });
    assert.equal(textOf(answer), openai.choices[0]?.message.content);
    assert.equal(answer.usage?.inputTokens, openai.usage?.prompt_tokens);
  });

  it('thinks when told to, and takes back only what it thought', async () => {
    const thinking = {
      inferenceConfig: { maxTokens: 4000 },
      additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 2000 } },
    };
    const answer = await ask('Think hard.', thinking);
    const thought = blocksOf(answer)[0]?.reasoningContent?.reasoningText;
    assert.ok(thought?.text && thought.signature);
    assert.ok(textOf(answer).length > 0);
    const events = await listen('Think hard.', thinking);
    const pieces = events.map(({ contentBlockDelta }) => contentBlockDelta?.delta?.reasoningContent);
    assert.equal(pieces.map((piece) => piece?.text ?? '').join(''), thought.text);
    assert.equal(pieces.map((piece) => piece?.signature ?? '').join(''), thought.signature);

    const goOn = (signature: string) =>
      client.send(
        new ConverseCommand({
          modelId,
          ...thinking,
          messages: [
            { role: 'user', content: [{ text: 'Think hard.' }] },
            {
              role: 'assistant',
              content: [{ reasoningContent: { reasoningText: { text: thought.text, signature } } }, { text: 'Done.' }],
            },
            { role: 'user', content: [{ text: 'Go on.' }] },
          ],
        }),
      );
    assert.equal((await goOn(thought.signature)).stopReason, 'end_turn');
    await assert.rejects(goOn('EuYBCkQYAiJA'), {
      name: 'ValidationException',
      message: /messages\.1\.content\.0: Invalid `signature` in `thinking` block/,
    });
  });

  it('hides its thinking when asked to, as bytes that it takes back', async () => {
    const answer = await ask('Hello [[sim think=3 think-as=redacted]]');
    const hidden = blocksOf(answer)[0]?.reasoningContent?.redactedContent;
    assert.ok(hidden instanceof Uint8Array && hidden.length > 0);
    const events = await listen('Hello [[sim think=3 think-as=redacted]]');
    const streamed = events.map(({ contentBlockDelta }) => contentBlockDelta?.delta?.reasoningContent?.redactedContent);
    assert.deepEqual(Buffer.concat(streamed.filter((piece) => piece !== undefined)), Buffer.from(hidden));
    const next = await client.send(
      new ConverseCommand({
        modelId,
        messages: [
          { role: 'user', content: [{ text: 'Hello' }] },
          { role: 'assistant', content: [{ reasoningContent: { redactedContent: hidden } }, { text: 'Hi.' }] },
          { role: 'user', content: [{ text: 'Go on.' }] },
        ],
      }),
    );
    assert.equal(next.stopReason, 'end_turn');
  });

  it('stops at stop sequences and token limits, refuses, and says nothing', async () => {
    const stopped = await ask('Hello [[sim text=one%20two%20three]]', {
      inferenceConfig: { stopSequences: ['two'] },
      additionalModelResponseFieldPaths: ['/stop_sequence'],
    });
    assert.equal(stopped.stopReason, 'stop_sequence');
    assert.equal(textOf(stopped), 'one ');
    assert.deepEqual(stopped.additionalModelResponseFields, { stop_sequence: 'two' });
    const cut = await ask('Hello', { inferenceConfig: { maxTokens: 3 } });
    assert.equal(cut.stopReason, 'max_tokens');
    assert.equal(cut.usage?.outputTokens, 3);
    assert.equal((await ask('Hello [[sim refusal=No.]]')).stopReason, 'content_filtered');
    const empty = await ask('Hello [[sim empty]]');
    assert.deepEqual(blocksOf(empty), []);
    assert.deepEqual(kindsOf(await listen('Hello [[sim empty]]')), ['messageStart', 'messageStop', 'metadata']);
  });

  it('answers in JSON of a schema', async () => {
    const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const answer = await ask('A city?', {
      outputConfig: {
        textFormat: {
          type: 'json_schema',
          structure: { jsonSchema: { schema: JSON.stringify(schema), name: 'city' } },
        },
      },
    });
    assert.equal(typeof JSON.parse(textOf(answer)).city, 'string');
  });

  it('caches what stands before a cachePoint, in disjoint buckets', async () => {
    const system = [{ text: 'A long rule. '.repeat(600) }, { cachePoint: { type: 'default' as const } }];
    const first = (await ask('Hello', { system })).usage;
    const second = (await ask('Good bye', { system })).usage;
    assert.ok(first?.cacheWriteInputTokens && first.cacheWriteInputTokens > 1024);
    assert.equal(first.cacheReadInputTokens, 0);
    assert.equal(second?.cacheReadInputTokens, first.cacheWriteInputTokens);
    assert.equal(second?.cacheWriteInputTokens, 0);
    for (const usage of [first, second])
      assert.equal(
        usage?.totalTokens,
        (usage?.inputTokens ?? 0) +
          (usage?.outputTokens ?? 0) +
          (usage?.cacheReadInputTokens ?? 0) +
          (usage?.cacheWriteInputTokens ?? 0),
      );
    const told = (await ask('Hello [[sim cached=5]]')).usage;
    assert.equal(told?.cacheReadInputTokens, 5);
  });
});
