import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readChatRequest } from '../../../chat/index.ts';
import { HEADROOM } from '../../../json/index.ts';
import type { FetchedMedia, Target } from '../../dialect.ts';
import { openai } from '../dialect.ts';
import { shortCallId } from './history.ts';
import { presetOf } from './presets.ts';

const target = (provider: string, baseUrl = 'http://127.0.0.1:1/v1'): Target => ({
  provider,
  model: 'their-model',
  baseUrl,
  credentials: {},
  settings: {},
  maxOutputTokens: 0,
  publisher: '',
});

function request(body: object) {
  const bytes = Buffer.from(JSON.stringify({ model: 'a/b', messages: [{ role: 'user', content: 'Hi' }], ...body }));
  const store = Buffer.alloc(HEADROOM + bytes.length + HEADROOM);
  bytes.copy(store, HEADROOM);
  return readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
}

function encode(provider: string, body: object, media: FetchedMedia = new Map()) {
  const { body: sent, warnings } = openai.encodeChat(request(body), target(provider), media);
  const { model, messages, ...fields } = JSON.parse(sent.toString());
  assert.equal(model, 'their-model');
  return { messages, fields, warnings: warnings.map((warning) => warning.split(':')[0]) };
}

it('a preset is found by name, or by host under another name', () => {
  assert.equal(presetOf(target('mistral')), presetOf(target('mine', 'https://api.mistral.ai/v1')));
  assert.notEqual(presetOf(target('mine')), presetOf(target('mistral')));
  assert.equal(presetOf({ ...target('mine'), settings: { preset: 'groq' } }), presetOf(target('groq')));
});

describe('fields', () => {
  const cases: [string, object, object, string[]][] = [
    ['openai', { max_tokens: 5, store: true, seed: 1 }, { max_tokens: 5, store: true, seed: 1 }, []],
    ['mistral', { max_completion_tokens: 5, seed: 1 }, { max_tokens: 5, random_seed: 1 }, []],
    ['mistral', { max_tokens: 9, max_completion_tokens: 5 }, { max_tokens: 5 }, []],
    ['mistral', { stream: true, stream_options: { include_usage: true } }, { stream: true }, []],
    ['mistral', { user: 'u', store: null, logit_bias: { 1: 2 } }, {}, ['logit_bias', 'user']],
    ['mistral', { temperature: 2 }, { temperature: 1.5 }, ['temperature']],
    ['groq', { max_tokens: 5 }, { max_completion_tokens: 5 }, []],
    ['groq', { stream: true }, { stream: true, stream_options: { include_usage: true } }, []],
    ['vllm', { max_completion_tokens: 5, top_k: 3 }, { max_completion_tokens: 5, top_k: 3 }, []],
    ['cerebras', { frequency_penalty: 1, max_tokens: 5 }, { max_completion_tokens: 5 }, ['frequency_penalty']],
    ['moonshot', { temperature: 1.4 }, { temperature: 1 }, ['temperature']],
    ['deepseek', { reasoning_effort: 'none' }, { thinking: { type: 'disabled' } }, []],
    ['deepseek', { reasoning_effort: 'xhigh' }, { thinking: { type: 'enabled' }, reasoning_effort: 'max' }, []],
    ['deepseek', { reasoning: { max_tokens: 50 } }, { thinking: { type: 'enabled' } }, ['reasoning']],
    ['mistral', { reasoning_effort: 'high' }, {}, ['reasoning']],
    ['groq', { reasoning: { effort: 'low' } }, { reasoning_effort: 'low' }, []],
    [
      'openrouter',
      { reasoning: { max_tokens: 50, exclude: true }, reasoning_effort: 'low' },
      { reasoning: { max_tokens: 50, exclude: true } },
      [],
    ],
    ['openrouter', { reasoning_effort: 'low' }, { reasoning_effort: 'low' }, []],
    [
      'groq',
      { user: 'x', providerOptions: { groq: { max_tokens: 7, seed: 2 } } },
      { user: 'x', max_tokens: 7, seed: 2 },
      [],
    ],
  ];
  for (const [provider, body, fields, warnings] of cases) {
    it(`${provider}: ${JSON.stringify(body)}`, () => {
      const sent = encode(provider, body);
      assert.deepEqual(sent.fields, fields);
      assert.deepEqual(sent.warnings, warnings);
    });
  }

  it('a schema is told where the provider cannot hold the model to it', () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    const { messages, fields, warnings } = encode('deepseek', {
      response_format: { type: 'json_schema', json_schema: { name: 'n', schema } },
    });
    assert.deepEqual(fields, { response_format: { type: 'json_object' } });
    assert.deepEqual(warnings, ['response_format']);
    assert.equal(messages.length, 2);
    assert.equal(messages[0].role, 'system');
    assert.ok(messages[0].content.includes(JSON.stringify(schema)));
  });
});

describe('messages', () => {
  const call = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });

  it('developer is system to those that do not know it', () => {
    const messages = [
      { role: 'developer', content: 'Be brief' },
      { role: 'user', content: 'Hi' },
    ];
    assert.deepEqual(encode('openai', { messages }).messages, messages);
    assert.equal(encode('groq', { messages }).messages[0].role, 'system');
  });

  it("Mistral's ids of calls have nine characters, the same at both ends", () => {
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, tool_calls: [call('call_1'), call('abcDEF123')] },
      { role: 'tool', tool_call_id: 'call_1', content: 'x' },
      { role: 'tool', tool_call_id: 'abcDEF123', content: 'y' },
    ];
    const [, assistant, first, second] = encode('mistral', { messages }).messages;
    assert.match(assistant.tool_calls[0].id, /^[a-z0-9]{9}$/);
    assert.equal(assistant.tool_calls[0].id, first.tool_call_id);
    assert.equal(assistant.tool_calls[1].id, 'abcDEF123');
    assert.equal(second.tool_call_id, 'abcDEF123');
    assert.notEqual(shortCallId('call_1'), shortCallId('call_2'));
    assert.deepEqual(encode('openai', { messages }).messages, messages);
  });

  const thought = {
    role: 'assistant',
    content: null,
    reasoning: 'hm',
    reasoning_details: [{ type: 'reasoning.text', text: 'hm', format: 'unknown', index: 0 }],
    tool_calls: [call('c1')],
    provider_metadata: { gateway: {} },
  };
  const loop = [{ role: 'user', content: 'Hi' }, thought, { role: 'tool', tool_call_id: 'c1', content: 'x' }];
  const { reasoning: _, reasoning_details: details, provider_metadata: __, ...bare } = thought;

  it('reasoning goes back where it is wanted, under the name it has there', () => {
    assert.deepEqual(encode('deepseek', { messages: loop }).messages[1], { ...bare, reasoning_content: 'hm' });
    assert.deepEqual(encode('deepseek', { messages: loop }).warnings, []);
    assert.deepEqual(encode('openrouter', { messages: loop }).messages[1], {
      ...bare,
      reasoning: 'hm',
      reasoning_details: details,
    });
    assert.deepEqual(encode('groq', { messages: loop }).messages[1], bare);
    assert.deepEqual(encode('groq', { messages: loop }).warnings, [
      'messages.1.reasoning',
      'messages.1.reasoning_details',
    ]);
  });

  it('also from the details alone', () => {
    const messages = [{ role: 'user', content: 'Hi' }, { ...bare, reasoning_details: details }, loop[2]];
    assert.deepEqual(encode('deepseek', { messages }).messages[1], { ...bare, reasoning_content: 'hm' });
  });

  it('a provider that reasons unasked does not where the client has dropped the reasoning behind a call', () => {
    const messages = [{ role: 'user', content: 'Hi' }, bare, loop[2]];
    const silent = encode('deepseek', { messages });
    assert.deepEqual([silent.fields, silent.warnings], [{ thinking: { type: 'disabled' } }, []]);
    assert.deepEqual(encode('deepseek', { messages, reasoning_effort: 'high' }).warnings, ['reasoning']);
  });

  it('marks of caches reach only those that take them', () => {
    const cache_control = { type: 'ephemeral' };
    const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object' } } };
    const body = {
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi', cache_control }] }],
      tools: [{ ...tool, cache_control }],
    };
    const kept = encode('openrouter', body);
    assert.deepEqual([kept.messages, kept.fields.tools, kept.warnings], [body.messages, body.tools, []]);
    const dropped = encode('openai', body);
    assert.deepEqual(dropped.messages, [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]);
    assert.deepEqual(dropped.fields.tools, [tool]);
    assert.deepEqual(dropped.warnings, ['messages.0.content.0.cache_control', 'tools.0.cache_control']);
  });

  it('images are fetched for those that take bytes only', () => {
    const url = 'https://example.com/a.png';
    const messages = [{ role: 'user', content: [{ type: 'image_url', image_url: { url, detail: 'low' } }] }];
    assert.deepEqual(openai.remoteMedia?.(request({ messages }), target('openai')), []);
    assert.deepEqual(openai.remoteMedia?.(request({ messages }), target('ollama')), [url]);
    const media = new Map([[url, { mediaType: 'image/png', data: 'AAAA' }]]);
    const image_url = { url: 'data:image/png;base64,AAAA', detail: 'low' };
    assert.deepEqual(encode('ollama', { messages }, media).messages[0].content, [{ type: 'image_url', image_url }]);
  });
});

describe('errors', () => {
  const decode = (status: number, body: unknown) =>
    openai.decodeError({
      status,
      body: Buffer.from(JSON.stringify(body)),
      provider: 'p',
      now: 0,
      header: () => undefined,
    });
  const cases: [string, number, unknown, string, string][] = [
    [
      'mistral',
      422,
      {
        object: 'error',
        message: { detail: [{ type: 'extra_forbidden', loc: ['body', 'x'], msg: 'Extra inputs are not permitted' }] },
      },
      'bad_request',
      'Extra inputs are not permitted',
    ],
    ['mistral', 401, { message: 'Unauthorized', request_id: 'r' }, 'auth', 'credentials'],
    [
      'xai',
      400,
      {
        code: 'Client specified an invalid argument',
        error: "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
      },
      'context_length',
      'maximum prompt length',
    ],
    [
      'moonshot',
      400,
      {
        error: {
          message: 'Invalid request: Your request exceeded model token limit: 8192',
          type: 'invalid_request_error',
        },
      },
      'context_length',
      '8192',
    ],
    [
      'llama.cpp',
      400,
      { error: { code: 400, message: 'too large', type: 'exceed_context_size_error' } },
      'context_length',
      'too large',
    ],
    [
      'openrouter',
      400,
      {
        error: {
          code: 400,
          message: 'Provider returned error',
          metadata: { raw: 'tools are not supported', provider_name: 'X' },
        },
      },
      'bad_request',
      'tools are not supported',
    ],
    [
      'openrouter',
      403,
      { error: { code: 403, message: 'flagged', metadata: { reasons: ['violence'] } } },
      'content_filter',
      'flagged',
    ],
    ['groq', 498, { error: { message: 'Flex capacity exceeded', type: 'capacity' } }, 'overloaded', 'capacity'],
    [
      'deepseek',
      402,
      { error: { message: 'Insufficient Balance', type: 'unknown_error' } },
      'auth',
      'account at the provider p is exhausted',
    ],
    ['ollama', 404, { error: 'model "x" not found' }, 'bad_request', 'not found'],
    [
      'vllm',
      400,
      { object: 'error', message: "This model's maximum context length is 4096 tokens", code: 400 },
      'context_length',
      '4096',
    ],
  ];
  for (const [provider, status, body, failure, says] of cases) {
    it(`${provider}: ${says}`, () => {
      const error = decode(status, body);
      assert.equal(error.failure, failure);
      assert.ok(error.message.includes(says), error.message);
    });
  }
});
