import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type OpenAI from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import type { Simulator } from '../../server.ts';
import { collect, startWithClient } from '../../testing/sdkClient.ts';
import { prose } from '../../text/prose.ts';
import { countTokens } from '../../text/tokens.ts';

describe('chat completions through the OpenAI SDK', () => {
  let simulator: Simulator;
  let client: OpenAI;
  before(async () => {
    ({ simulator, client } = await startWithClient());
  });
  after(() => simulator.close());

  const ask = (params: Partial<ChatCompletionCreateParamsNonStreaming> = {}) =>
    client.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello!' }], ...params });

  it('answers with text, deterministically, and with usage that adds up', async () => {
    const first = await ask();
    const second = await ask({ model: 'another-model+ttft=1' });
    const content = first.choices[0]?.message.content ?? '';
    assert.ok(content.length > 20);
    assert.equal(second.choices[0]?.message.content, content);
    assert.equal(second.model, 'another-model');
    assert.notEqual((await ask({ model: 'gpt-4o+salt=x' })).choices[0]?.message.content, content);
    assert.notEqual((await ask({ seed: 7 })).choices[0]?.message.content, content);
    assert.equal(first.choices[0]?.finish_reason, 'stop');
    assert.equal(first.usage?.completion_tokens, countTokens(content));
    assert.equal(first.usage?.total_tokens, first.usage.prompt_tokens + first.usage.completion_tokens);
    assert.ok(first._request_id?.startsWith('req_'));
  });

  it('streams what the JSON answer says, one token an event, usage in a chunk of its own when asked', async () => {
    const json = await ask();
    const stream = await client.chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Hello!' }],
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '', refusal: null });
    const content = chunks.slice(1, -2).map((chunk) => chunk.choices[0]?.delta.content);
    assert.equal(content.join(''), json.choices[0]?.message.content);
    assert.deepEqual(chunks.at(-2)?.choices[0]?.delta, {});
    assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'stop');
    assert.deepEqual(chunks.at(-1)?.choices, []);
    assert.deepEqual(chunks.at(-1)?.usage, json.usage);
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
    assert.equal(content.length, json.usage?.completion_tokens);
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
  });

  it('with prefill=echo goes on with a message as Mistral does: marked, and said again', async () => {
    const whole = (await ask()).choices[0]?.message.content ?? '';
    const askWith = (content: string, mark: object, model = 'mistral-large+prefill=echo') =>
      ask({
        model,
        messages: [
          { role: 'user', content: 'Hello!' },
          { role: 'assistant', content, ...mark },
        ],
      });
    const prefix = whole.slice(0, whole.indexOf(' ', 20) + 1);
    assert.equal((await askWith(prefix, { prefix: true })).choices[0]?.message.content, whole);
    const other = (await askWith('Well,', { prefix: true })).choices[0]?.message.content;
    assert.equal(other, `Well,${whole}`);
    const last = /Expected last role User or Tool/;
    await assert.rejects(askWith(prefix, {}), last);
    await assert.rejects(askWith(prefix, { prefix: false }), last);
    await assert.rejects(askWith(prefix, { prefix: true }, 'gpt-4o'), /prefix/, 'OpenAI does not know it');
    assert.equal((await ask({ model: 'mistral-large+prefill=echo' })).choices[0]?.message.content, whole);
  });

  it('sends no usage in a stream that did not ask for it', async () => {
    const stream = await client.chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Hello!' }],
      stream: true,
    });
    const chunks = await collect(stream);
    assert.ok(chunks.every((chunk) => !('usage' in chunk) && chunk.choices.length === 1));
  });

  it('stops at max_tokens and at stop sequences', async () => {
    const whole = (await ask()).choices[0]?.message.content ?? '';
    for (const limit of [{ max_tokens: 5 }, { max_completion_tokens: 5 }]) {
      const { choices, usage } = await ask(limit);
      assert.equal(choices[0]?.finish_reason, 'length');
      assert.equal(usage?.completion_tokens, 5);
      assert.ok(whole.startsWith(choices[0]?.message.content ?? 'missing'));
    }
    const stopped = await ask({ stop: ['.', 'never said'] });
    assert.equal(stopped.choices[0]?.message.content, whole.slice(0, whole.indexOf('.')));
    assert.equal(stopped.choices[0]?.finish_reason, 'stop');
  });

  it('gives n different choices, streamed side by side', async () => {
    const json = await ask({ n: 3 });
    const texts = json.choices.map(({ message }) => message.content ?? '');
    assert.equal(new Set(texts).size, 3);
    assert.equal(
      json.usage?.completion_tokens,
      texts.reduce((sum, text) => sum + countTokens(text), 0),
    );
    const streamed = ['', '', ''];
    const stream = await client.chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Hello!' }],
      n: 3,
      stream: true,
    });
    for await (const chunk of stream) {
      for (const { index, delta } of chunk.choices) streamed[index] += delta.content ?? '';
    }
    assert.deepEqual(streamed, texts);
  });

  it('counts hidden reasoning and lets it use up max_completion_tokens', async () => {
    const { usage, choices } = await ask({ model: 'gpt-5', reasoning_effort: 'low' });
    const reasoning = usage?.completion_tokens_details?.reasoning_tokens;
    assert.equal(reasoning, 16);
    assert.equal(usage?.completion_tokens, 16 + countTokens(choices[0]?.message.content ?? ''));
    const short = await ask({ model: 'gpt-5', reasoning_effort: 'low', max_completion_tokens: 10 });
    assert.equal(short.choices[0]?.message.content, '');
    assert.equal(short.choices[0]?.finish_reason, 'length');
    assert.equal(short.usage?.completion_tokens, 10);
  });

  it('thinks in the open when told to, in the spelling that was asked for', async () => {
    const json = await ask({ model: 'deepseek+think=6' });
    const message: object | undefined = json.choices[0]?.message;
    assert.ok(message && 'reasoning_content' in message && typeof message.reasoning_content === 'string');
    assert.equal(countTokens(message.reasoning_content), 6);
    assert.equal(json.usage?.completion_tokens_details?.reasoning_tokens, 6);
    const tagged = await ask({ model: 'deepseek+think=6+think-as=tag+text=Done' });
    assert.equal(tagged.choices[0]?.message.content, `<think>${message.reasoning_content}</think>Done`);
    assert.equal(tagged.usage?.completion_tokens, 7);
    const stream = await client.chat.completions.create({
      model: 'deepseek+think=6+think-as=reasoning+text=Done',
      messages: [{ role: 'user', content: 'Hello!' }],
      stream: true,
    });
    const deltas = (await collect(stream)).map((chunk): object => chunk.choices[0]?.delta ?? {});
    const thought = deltas.map((delta) => ('reasoning' in delta ? delta.reasoning : ''));
    assert.equal(thought.join(''), message.reasoning_content);
  });

  it('gives log probabilities when asked', async () => {
    const { choices, usage } = await ask({ logprobs: true, top_logprobs: 2 });
    const rated = choices[0]?.logprobs?.content ?? [];
    assert.equal(rated.length, usage?.completion_tokens);
    assert.equal(rated.map(({ token }) => token).join(''), choices[0]?.message.content);
    assert.ok(rated.every((item) => item.logprob <= 0 && item.top_logprobs.length === 2));
    const stream = await client.chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Hello!' }],
      logprobs: true,
      top_logprobs: 2,
      stream: true,
    });
    const streamed = (await collect(stream)).flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? []);
    assert.deepEqual(streamed, rated);
  });

  it('refuses when told to', async () => {
    const { choices } = await ask({ model: 'gpt-4o+refusal=Not%20today.' });
    assert.equal(choices[0]?.message.refusal, 'Not today.');
    assert.equal(choices[0]?.message.content, null);
    const stream = await client.chat.completions.create({
      model: 'gpt-4o+refusal=Not%20today.',
      messages: [{ role: 'user', content: 'Hello!' }],
      stream: true,
    });
    const refusal = (await collect(stream)).map((chunk) => chunk.choices[0]?.delta.refusal ?? '');
    assert.equal(refusal.join(''), 'Not today.');
  });

  it('says exact texts, token counts, sizes, letters of several bytes, and nothing', async () => {
    const text = async (model: string) => (await ask({ model })).choices[0]?.message.content;
    assert.equal(await text('m+text=Hi%20%F0%9F%8C%8A!'), 'Hi 🌊!');
    assert.equal((await ask({ model: 'm+tokens=60' })).usage?.completion_tokens, 60);
    assert.equal((await text('m+tokens=3+pad=1000'))?.length, 3000);
    assert.match((await text('m+emoji+tokens=100')) ?? '', /\P{ASCII}/u);
    assert.equal(await text('m+empty'), '');
    assert.equal((await ask({ model: 'm+finish=content_filter' })).choices[0]?.finish_reason, 'content_filter');
  });

  it('takes directives out of the prompt, so that a fault does not change the answer', async () => {
    const plain = await ask();
    const steered = await ask({ messages: [{ role: 'user', content: '[[sim ttft=1]] Hello!' }] });
    assert.equal(steered.choices[0]?.message.content, plain.choices[0]?.message.content);
    assert.deepEqual(steered.usage, plain.usage);
  });

  it('reports cached tokens for a long prefix that it has seen', async () => {
    const content = prose({ seed: 9, tokens: 2000 }).join('');
    const prompt = {
      messages: [
        { role: 'system' as const, content },
        { role: 'user' as const, content: 'One' },
      ],
    };
    assert.equal((await ask(prompt)).usage?.prompt_tokens_details?.cached_tokens, 0);
    const again = await ask(prompt);
    assert.ok((again.usage?.prompt_tokens_details?.cached_tokens ?? 0) >= 1920);
    assert.equal((await ask({ model: 'm+cached=5' })).usage?.prompt_tokens_details?.cached_tokens, 5);
  });

  it('continues, refuses or ignores a prefill', async () => {
    const user = { role: 'user' as const, content: 'Hello!' };
    const whole = (await ask()).choices[0]?.message.content ?? '';
    const prefill = { role: 'assistant' as const, content: whole.slice(0, 12) };
    const continued = await ask({ model: 'm+prefill=continue', messages: [user, prefill] });
    assert.equal(prefill.content + continued.choices[0]?.message.content, whole);
    await assert.rejects(ask({ model: 'm+prefill=reject', messages: [user, prefill] }), { status: 400 });
    const ignored = await ask({ messages: [user, prefill] });
    assert.ok(!whole.endsWith(ignored.choices[0]?.message.content ?? whole));
  });

  it('lists models and describes any', async () => {
    const models = await collect(client.models.list());
    assert.ok(models.some(({ id }) => id === 'gpt-4o'));
    assert.equal((await client.models.retrieve('creator/any')).id, 'creator/any');
  });
});
