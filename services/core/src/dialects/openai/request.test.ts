import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readChatRequest } from '../../chat/index.ts';
import { HEADROOM } from '../../json/index.ts';
import type { EncodedRequest, Target } from '../dialect.ts';
import { encodeOpenAiChat } from './request.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

const target = {
  provider: 'openai',
  model: 'gpt-4o-mini',
  baseUrl: 'http://127.0.0.1:1/v1',
  credentials: { apiKey: 'sk-test-1' },
  settings: {},
  maxOutputTokens: 4_096,
  publisher: '',
} satisfies Target;

function encode(body: unknown, to: Target = target): EncodedRequest {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const store = Buffer.concat([Buffer.alloc(HEADROOM), bytes, Buffer.alloc(HEADROOM)]);
  return encodeOpenAiChat(readChatRequest(store, HEADROOM, HEADROOM + bytes.length), to, new Map());
}

const encoded = (body: unknown, to?: Target): Record<string, unknown> => JSON.parse(encode(body, to).body.toString());

const messages = [{ role: 'user', content: 'Hi' }];
const plain = { model: 'openai/gpt-4o-mini', messages };

describe('encodeOpenAiChat', () => {
  it('goes to the chat completions of the base URL, with the key', () => {
    const { url, headers } = encode(plain);
    assert.equal(url, 'http://127.0.0.1:1/v1/chat/completions');
    const list = new Headers(
      headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] ?? '']] : [])) as [string, string][],
    );
    assert.equal(list.get('authorization'), 'Bearer sk-test-1');
    assert.equal(list.get('content-type'), 'application/json');
    assert.equal(list.get('accept'), 'application/json');
    assert.ok(encode({ ...plain, stream: true }).headers.includes('text/event-stream'));
  });

  it('sends no key where there is none', () => {
    for (const credentials of [{}, { apiKey: '' }, { apiKey: 'none' }]) {
      assert.ok(!encode(plain, { ...target, credentials }).headers.includes('authorization'));
    }
  });

  it('changes the model and not another byte', () => {
    const text = (model: string): string =>
      `{ "temperature" : 1.0,\r\n\t"messages":[ {"content":"\\u0048\\u00e9 \\ud83d\\ude00 水\\/","role":"user"} ],"model" :  "${model}", "seed":1e3,"x":[ ] }`;
    assert.equal(encode(text('openai/gpt')).body.toString(), text('gpt-4o-mini'));
  });

  it('keeps everything but the model, for any fields, order and spacing', () => {
    const fields = fc.dictionary(fc.stringMatching(/^x[a-z]{1,6}$/), fc.jsonValue(), { maxKeys: 6 });
    fc.assert(
      fc.property(fields, fc.nat(6), fc.constantFrom(0, 1, 2), (extra, at, indent) => {
        const entries = Object.entries({ ...extra });
        entries.splice(at, 0, ['model', 'a/b'], ['messages', messages]);
        const body = Object.fromEntries(entries);
        const out = encode(JSON.stringify(body, null, indent)).body.toString();
        assert.equal(out, JSON.stringify({ ...body, model: 'gpt-4o-mini' }, null, indent));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it("takes the gateway's own fields out, wherever they stand", () => {
    const own: [string, unknown][] = [
      ['models', ['a/b']],
      ['providerOptions', { gateway: { order: ['x'] }, anthropic: { thinking: {} } }],
      ['provider', { order: ['x'] }],
      ['reasoning', {}],
    ];
    for (let at = 0; at < 5; at++) {
      const entries: [string, unknown][] = [...own];
      entries.splice(at, 0, ['model', 'a/b'], ['messages', messages]);
      const { body, warnings } = encode(Object.fromEntries(entries));
      assert.deepEqual(JSON.parse(body.toString()), { model: 'gpt-4o-mini', messages });
      assert.deepEqual(warnings, []);
    }
  });
});

describe('stream_options', () => {
  it('always ask for usage in a stream, and keep what else the client asked for', () => {
    const streamOptions = (options: unknown): unknown =>
      encoded({ ...plain, stream: true, stream_options: options }).stream_options;
    assert.deepEqual(encoded({ ...plain, stream: true }).stream_options, { include_usage: true });
    assert.deepEqual(streamOptions(null), { include_usage: true });
    assert.deepEqual(streamOptions({}), { include_usage: true });
    assert.deepEqual(streamOptions({ include_usage: false }), { include_usage: true });
    assert.deepEqual(streamOptions({ include_usage: true }), { include_usage: true });
    assert.deepEqual(streamOptions({ include_obfuscation: false }), {
      include_obfuscation: false,
      include_usage: true,
    });
  });

  it('cannot be read in two ways: what was checked replaces duplicates', () => {
    const out = encode(
      '{"model":"a/b","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":false,"include_usage":true}}',
    );
    assert.doesNotMatch(out.body.toString(), /false/);
  });

  it('are left alone without a stream', () => {
    assert.deepEqual(encoded({ ...plain, stream_options: { include_usage: false } }).stream_options, {
      include_usage: false,
    });
    assert.equal('stream_options' in encoded(plain), false);
  });
});

describe('providerOptions.<provider>', () => {
  it('is merged in, over what stands at the top level', () => {
    const out = encoded({
      ...plain,
      temperature: 1,
      providerOptions: { openai: { temperature: 0.5, store: true, 'a"b': [1] } },
    });
    assert.deepEqual(out, { ...plain, model: 'gpt-4o-mini', temperature: 0.5, store: true, 'a"b': [1] });
  });

  it('of another provider is not', () => {
    assert.deepEqual(encoded({ ...plain, providerOptions: { azure: { store: true } } }), {
      ...plain,
      model: 'gpt-4o-mini',
    });
  });

  it('keeps long strings whole, also in a body too large to be parsed whole', () => {
    const note = 'note '.repeat(2_000);
    const long = [{ role: 'user', content: 'x'.repeat(100_000) }];
    const out = encoded({
      model: 'a/b',
      messages: long,
      providerOptions: { openai: { prediction: { content: note } } },
    });
    assert.deepEqual(out, { model: 'gpt-4o-mini', messages: long, prediction: { content: note } });
  });

  it('may not replace what the gateway has checked', () => {
    const { body, warnings } = encode({
      ...plain,
      stream: true,
      providerOptions: {
        openai: { model: 'secret', n: 5, stream: false, stream_options: {}, messages: [], models: [], store: true },
      },
    });
    const { model, stream, n, messages: sent, store } = JSON.parse(body.toString());
    assert.deepEqual([model, stream, n, sent, store], ['gpt-4o-mini', true, undefined, messages, true]);
    assert.deepEqual(
      warnings.map((warning) => /^providerOptions\.openai\.(\w+): may not be set here/.exec(warning)?.[1]),
      ['model', 'n', 'stream', 'stream_options', 'messages', 'models'],
    );
  });

  it('says so when it is no object', () => {
    for (const own of ['x', 5, ['a'], null]) {
      const { body, warnings } = encode({ ...plain, providerOptions: { openai: own } });
      assert.deepEqual(JSON.parse(body.toString()), { ...plain, model: 'gpt-4o-mini' });
      assert.deepEqual(warnings, ['providerOptions.openai: expected an object, dropped']);
    }
  });

  it('with a reasoning entry replaces all that stands at the top level (WIRE 2.8)', () => {
    const own = { effort: 'low', summary: 'auto' };
    for (const top of [
      {},
      { reasoning: { effort: 'high' } },
      { reasoning_effort: 'high' },
      { reasoning: { effort: 'high' }, reasoning_effort: 'low' },
    ]) {
      const out = encoded({ ...plain, ...top, providerOptions: { openai: { reasoning: own } } });
      assert.deepEqual(out, { ...plain, model: 'gpt-4o-mini', reasoning: own });
    }
  });
});

describe('reasoning', () => {
  const effortOf = (fields: object): [unknown, readonly string[]] => {
    const { body, warnings } = encode({ ...plain, ...fields });
    const out = JSON.parse(body.toString());
    assert.equal('reasoning' in out, false);
    return [out.reasoning_effort, warnings.map((warning) => warning.split(':')[0] ?? '')];
  };

  it('becomes reasoning_effort, and wins over it', () => {
    assert.deepEqual(effortOf({ reasoning: { effort: 'high' } }), ['high', []]);
    assert.deepEqual(effortOf({ reasoning: { effort: 'high' }, reasoning_effort: 'low' }), ['high', []]);
    assert.deepEqual(effortOf({ reasoning: { enabled: false } }), ['none', []]);
    assert.deepEqual(effortOf({ reasoning: { enabled: false, effort: 'high' } }), ['none', []]);
    assert.deepEqual(effortOf({ reasoning: {}, reasoning_effort: 'low' }), ['low', []]);
    assert.deepEqual(
      effortOf({ reasoning_effort: 'brand-new' }),
      ['brand-new', []],
      'the provider judges its own field',
    );
  });

  it('names the wishes that it cannot carry', () => {
    assert.deepEqual(effortOf({ reasoning: { max_tokens: 2_000 } }), [undefined, ['reasoning.max_tokens']]);
    assert.deepEqual(effortOf({ reasoning: { effort: 'low', exclude: true } }), ['low', ['reasoning.exclude']]);
    assert.deepEqual(effortOf({ reasoning: { enabled: true } }), [undefined, ['reasoning.enabled']]);
  });

  it('refuses wishes that exclude each other', () => {
    assert.throws(() => encode({ ...plain, reasoning: { effort: 'low', max_tokens: 10 } }), {
      status: 400,
      param: 'reasoning',
      failure: 'bad_request',
    });
  });
});

describe('response_format', () => {
  const formatOf = (format: unknown, filler = ''): unknown =>
    encoded({ ...plain, user: filler, response_format: format }).response_format;
  const schema = { type: 'object', properties: { a: { type: 'string', description: 'd'.repeat(5_000) } } };

  it('of the legacy type json becomes json_schema or json_object', () => {
    assert.deepEqual(formatOf({ type: 'json' }), { type: 'json_object' });
    assert.deepEqual(formatOf({ type: 'json', schema }), {
      type: 'json_schema',
      json_schema: { name: 'response', schema },
    });
    assert.deepEqual(formatOf({ type: 'json', name: 'n', description: 'd', schema }), {
      type: 'json_schema',
      json_schema: { name: 'n', description: 'd', schema },
    });
    assert.deepEqual(formatOf({ type: 'json', schema }, 'x'.repeat(100_000)), {
      type: 'json_schema',
      json_schema: { name: 'response', schema },
    });
  });

  it('of the present types is left alone', () => {
    for (const format of [
      { type: 'text' },
      { type: 'json_object' },
      { type: 'json_schema', json_schema: { name: 'n', schema, strict: true } },
    ]) {
      assert.deepEqual(formatOf(format), format);
    }
  });
});

describe('messages', () => {
  const sentMessages = (list: unknown): { messages: unknown; warnings: readonly string[] } => {
    const { body, warnings } = encode({ model: 'a/b', messages: list });
    return { messages: JSON.parse(body.toString()).messages, warnings };
  };
  const filePart = (file: unknown): unknown =>
    (
      sentMessages([{ role: 'user', content: [{ type: 'file', file }] }]).messages as [{ content: [{ file: unknown }] }]
    )[0].content[0].file;

  it('lose what answers of the gateway carry, and say so', () => {
    const { messages: sent, warnings } = sentMessages([
      { role: 'user', content: 'a' },
      {
        provider_metadata: { gateway: {} },
        role: 'assistant',
        reasoning: 'hm',
        content: 'b',
        reasoning_details: [],
        images: [],
      },
      { role: 'user', content: 'c' },
    ]);
    assert.deepEqual(sent, [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'c' },
    ]);
    assert.deepEqual(
      warnings.map((warning) => warning.split(':')[0]),
      ['messages.1.reasoning', 'messages.1.reasoning_details', 'messages.1.images'],
    );
  });

  it('lose cache marks, on the message and on parts', () => {
    const cache_control = { type: 'ephemeral' };
    const { messages: sent, warnings } = sentMessages([
      { role: 'system', content: 'a', cache_control },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'b' },
          { cache_control, type: 'text', text: 'c' },
        ],
      },
    ]);
    assert.deepEqual(sent, [
      { role: 'system', content: 'a' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'b' },
          { type: 'text', text: 'c' },
        ],
      },
    ]);
    assert.deepEqual(
      warnings.map((warning) => warning.split(':')[0]),
      ['messages.0.cache_control', 'messages.1.content.1.cache_control'],
    );
  });

  it('keep the bytes beside that', () => {
    const text = (mark: string): string =>
      `{"model":"gpt-4o-mini","messages":[ {"role":"user",  "content":"\\u0041 1.0"} , {"role":"user","content":"x"${mark}}]}`;
    assert.equal(encode(text(', "cache_control":{"type":"ephemeral"}')).body.toString(), text(''));
  });

  it('do not drown the answer in warnings', () => {
    const { warnings } = sentMessages(
      Array.from({ length: 5_000 }, () => ({ role: 'user', content: 'x', cache_control: {} })),
    );
    assert.equal(warnings.length, 21);
    assert.match(warnings.at(-1) ?? '', /4980 more fields/);
  });

  it("have files in OpenAI's spelling", () => {
    assert.deepEqual(filePart({ data: 'AA==', media_type: 'application/pdf', filename: 'a.pdf' }), {
      file_data: 'data:application/pdf;base64,AA==',
      filename: 'a.pdf',
    });
    assert.deepEqual(filePart({ media_type: 'text/plain', data: 'AA==', filename: 'a.txt' }), {
      file_data: 'data:text/plain;base64,AA==',
      filename: 'a.txt',
    });
    assert.deepEqual(filePart({ data: 'data:application/pdf;base64,AA==' }), {
      file_data: 'data:application/pdf;base64,AA==',
      filename: 'document.pdf',
    });
    assert.deepEqual(filePart({ filename: 'b.pdf', data: 'AA==' }), {
      filename: 'b.pdf',
      file_data: 'data:application/pdf;base64,AA==',
    });
    for (const file of [
      { file_id: 'f' },
      { file_data: 'data:;base64,AA==', filename: 'x' },
      { file_data: 'a', data: 'b' },
    ]) {
      assert.deepEqual(filePart(file), file, "what has OpenAI's spelling is left alone");
    }
  });

  it('are right again for the next provider, in a large body that is rewritten in place', () => {
    const list = [
      { role: 'user', content: 'first', cache_control: { type: 'ephemeral' } },
      { role: 'user', content: [{ type: 'file', file: { data: 'AA==', media_type: 'application/pdf' } }] },
      { role: 'user', content: 'long '.repeat(40_000) },
      { role: 'user', content: 'last', cache_control: { type: 'ephemeral' } },
    ];
    const bytes = Buffer.from(
      JSON.stringify({ model: 'a/b', messages: list, stream: true, reasoning: { effort: 'low' } }),
    );
    const store = Buffer.concat([Buffer.alloc(HEADROOM), bytes, Buffer.alloc(HEADROOM)]);
    const request = readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
    for (const model of ['m', 'a-much-longer-model-name-than-before', 'a/b']) {
      const sent = encodeOpenAiChat(request, { ...target, model }, new Map()).body;
      assert.equal(sent.buffer, store.buffer, 'in place');
      assert.deepEqual(JSON.parse(sent.toString()), {
        model,
        stream: true,
        stream_options: { include_usage: true },
        reasoning_effort: 'low',
        messages: [
          { role: 'user', content: 'first' },
          {
            role: 'user',
            content: [
              { type: 'file', file: { file_data: 'data:application/pdf;base64,AA==', filename: 'document.pdf' } },
            ],
          },
          list[2],
          { role: 'user', content: 'last' },
        ],
      });
    }
  });
});

/** Every request field of the OpenAI API (WIRE 2.2), one value each. */
const OPENAI_FIELDS: Record<string, unknown> = {
  audio: { voice: 'alloy', format: 'mp3' },
  frequency_penalty: 0.5,
  function_call: 'auto',
  functions: [{ name: 'f' }],
  logit_bias: { '50256': -100 },
  logprobs: true,
  max_completion_tokens: 10,
  max_tokens: 10,
  metadata: { a: 'b' },
  modalities: ['text'],
  moderation: { mode: 'auto' },
  n: 2,
  parallel_tool_calls: false,
  prediction: { type: 'content', content: 'x' },
  presence_penalty: -0.5,
  prompt_cache_key: 'k',
  prompt_cache_options: { ttl: '24h' },
  prompt_cache_retention: '24h',
  reasoning_effort: 'low',
  response_format: { type: 'json_object' },
  safety_identifier: 's',
  seed: 7,
  service_tier: 'flex',
  stop: ['a', 'b'],
  store: true,
  temperature: 0,
  tool_choice: { type: 'function', function: { name: 'f' } },
  tools: [
    { type: 'function', function: { name: 'f', strict: null } },
    { type: 'custom', custom: { name: 'c' } },
  ],
  top_logprobs: 3,
  top_p: 0.1,
  user: 'u',
  verbosity: 'low',
  web_search_options: {},
};

it('nothing of the OpenAI request vanishes (DESIGN 5, law 2)', () => {
  const { body, warnings } = encode({ ...plain, ...OPENAI_FIELDS });
  assert.deepEqual(JSON.parse(body.toString()), { ...plain, ...OPENAI_FIELDS, model: 'gpt-4o-mini' });
  assert.deepEqual(warnings, []);
});
