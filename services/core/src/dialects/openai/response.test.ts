import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../../errors/index.ts';
import type { ChatAnswer } from '../dialect.ts';
import { GENERATION_ID, METADATA, MODEL, TARGET } from './play.testing.ts';
import { decodeOpenAiChat } from './response.ts';

const decode = (body: unknown): ChatAnswer =>
  decodeOpenAiChat(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), {
    generationId: GENERATION_ID,
    model: MODEL,
    created: 1_700_000_000,
    target: TARGET,
  });
const rendered = (body: unknown, atTop = false): string =>
  decode(body)
    .render({ ...METADATA, atTop })
    .toString();

const message = { role: 'assistant', content: 'Hi' };
const answer = (choice: object = {}, rest: object = {}): Record<string, unknown> => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'gpt-4o-2024',
  choices: [{ index: 0, message, finish_reason: 'stop', ...choice }],
  ...rest,
});
const calling = (...tool_calls: unknown[]): object =>
  answer({ message: { role: 'assistant', content: null, tool_calls } });

describe('decodeOpenAiChat', () => {
  it("gives the provider's bytes with id, model and metadata in their places", () => {
    const text = (id: string, model: string, metadata: string): string =>
      `{\n  "choices": [ {"index":0, "message": {"content":"\\u0041 1.0","role":"assistant"${metadata}}, "finish_reason":"stop"} ],\n  "id" : "${id}", "model":"${model}", "x": 1e3 }\n`;
    assert.equal(
      rendered(text('chatcmpl-1', 'm', '')),
      text(GENERATION_ID, MODEL, `,"provider_metadata":${METADATA.json}`),
    );
  });

  it('puts the metadata into every choice, and at the top where asked for', () => {
    const two = answer(
      {},
      {
        choices: [
          { index: 0, message, finish_reason: 'stop' },
          { index: 1, message: {}, finish_reason: 'stop' },
        ],
      },
    );
    const gateway = JSON.parse(METADATA.json);
    const { choices, provider_metadata } = JSON.parse(rendered(two, true));
    assert.deepEqual(choices[0].message, { ...message, provider_metadata: gateway });
    assert.deepEqual(choices[1].message, { provider_metadata: gateway });
    assert.deepEqual(provider_metadata, gateway);
    assert.equal('provider_metadata' in JSON.parse(rendered(two)), false);
  });

  it('adds id and model where the provider has none', () => {
    const { id, model } = JSON.parse(rendered({ choices: [{ index: 0, message, finish_reason: 'stop' }] }));
    assert.deepEqual([id, model], [GENERATION_ID, MODEL]);
  });

  it('shows no id or model of the provider, however often and oddly they are written', () => {
    const body = JSON.stringify(answer()).slice(0, -1);
    const out = rendered(`${body},"mod\\u0065l":"q","id":"again","model":"last"}`);
    assert.doesNotMatch(out, /"q"|again|last|gpt-4o-2024|chatcmpl/);
    assert.deepEqual([JSON.parse(out).id, JSON.parse(out).model], [GENERATION_ID, MODEL]);
  });

  it('puts tool calls right as the stream does', () => {
    const { choices } = JSON.parse(
      rendered(
        calling(
          { function: { name: 'f' } },
          { id: '', type: 'function', function: { name: 'g', arguments: { x: 1 } } },
          { id: 'c', type: 'custom', custom: { name: 's', input: 'i' } },
          { id: 'd', type: 'function', function: { name: 'h', arguments: '' } },
        ),
      ),
    );
    const made = `call_${GENERATION_ID.slice(4)}_0_`;
    assert.deepEqual(choices[0].message.tool_calls, [
      { id: `${made}0`, type: 'function', function: { name: 'f', arguments: '{}' } },
      { id: `${made}1`, type: 'function', function: { name: 'g', arguments: '{"x":1}' } },
      { id: 'c', type: 'custom', custom: { name: 's', input: 'i' } },
      { id: 'd', type: 'function', function: { name: 'h', arguments: '{}' } },
    ]);
    assert.equal(choices[0].finish_reason, 'tool_calls');
    assert.deepEqual(
      decode(calling({ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } })).finishReasons,
      ['tool_calls'],
    );
  });

  it('tells what the relay needs to know', () => {
    const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
    const told = decode(answer({}, { usage }));
    assert.deepEqual([told.usage?.uncachedInput, told.usage?.output], [5, 2]);
    assert.deepEqual(
      [told.responseId, told.responseModel, told.finishReasons, told.hasContent],
      ['chatcmpl-1', 'gpt-4o-2024', ['stop'], true],
    );
    assert.equal(decode(answer()).usage, null);
    assert.equal(decode(answer({ message: { role: 'assistant', content: null } })).hasContent, false);
    assert.equal(decode(answer({ message: { role: 'assistant', content: null, refusal: 'no' } })).hasContent, true);
    assert.equal(decode(answer({}, { choices: [] })).hasContent, false);
  });

  it('refuses what is no answer', () => {
    for (const bad of [
      '',
      'hello',
      '<html>',
      'null',
      '5',
      '[]',
      '{}',
      '{"choices":{}}',
      answer({ finish_reason: 'because' }),
    ]) {
      assert.throws(
        () => decode(bad),
        (error: unknown) => {
          assert.ok(error instanceof GatewayError);
          return error.type === 'response_error' && error.status === 502 && error.code === 'invalid_provider_response';
        },
        String(bad),
      );
    }
  });

  it('takes an error object under status 200 for the error it is', () => {
    assert.throws(() => decode({ error: { message: 'quota', code: 429 } }), {
      failure: 'rate_limited',
      message: 'quota',
    });
    assert.doesNotThrow(() => decode(answer({}, { error: null })));
  });
});
