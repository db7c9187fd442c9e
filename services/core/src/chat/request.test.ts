import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../errors/index.ts';
import { HEADROOM } from '../json/index.ts';
import { type ChatRequest, fullBody, fullMember, readChatRequest } from './request.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);
const LONG = 'lang '.repeat(20_000);

function read(text: string | Buffer): ChatRequest {
  const bytes = Buffer.from(text);
  const store = Buffer.concat([Buffer.alloc(HEADROOM), bytes, Buffer.alloc(HEADROOM)]);
  return readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
}

const hello = { model: 'openai/gpt', messages: [{ role: 'user', content: 'Hi' }] };
const withMessage = (message: unknown): unknown => ({ ...hello, messages: [hello.messages[0], message] });
const withPart = (part: unknown): unknown => ({ ...hello, messages: [{ role: 'user', content: [part] }] });

function refusal(body: unknown): GatewayError {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  let thrown: unknown;
  try {
    read(text);
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof GatewayError, `refused, got ${String(thrown)}`);
  assert.equal(thrown.type, 'invalid_request_error');
  assert.equal(thrown.status, 400);
  return thrown;
}

describe('readChatRequest: what it refuses', () => {
  const table: [name: string, body: unknown, param: string | null, code: string, message: RegExp][] = [
    ['an empty body', '', null, 'empty_body', /body is empty/],
    ['white space', ' \n', null, 'invalid_json', /not valid JSON/],
    ['broken JSON', '{"model":"x",}', null, 'invalid_json', /not valid JSON \(at byte 13\)/],
    ['a string that does not end', '{"model":"x', null, 'invalid_json', /not valid JSON/],
    ['two documents', '{} {}', null, 'invalid_json', /not valid JSON/],
    ['a byte order mark', Buffer.from('\ufeff{}'), null, 'invalid_json', /not valid JSON/],
    ['bytes that are no UTF-8', Buffer.from('{"model":"\xff"}', 'latin1'), null, 'invalid_json', /not valid UTF-8/],
    ['an array', [], null, 'invalid_type', /expected object, got array/],
    ['null', null, null, 'invalid_type', /expected object, got null/],
    ['a number', 5, null, 'invalid_type', /expected object, got number/],
    ['no model', { messages: hello.messages }, 'model', 'missing_parameter', /missing required parameter 'model'$/],
    ['an empty model', { ...hello, model: '' }, 'model', 'invalid_range', /'model'/],
    ['a very long model', { ...hello, model: 'm'.repeat(300) }, 'model', 'invalid_value', /'model'/],
    ['a model of the wrong type', { ...hello, model: 5 }, 'model', 'invalid_type', /expected string, got number/],
    ['no messages', { model: 'x' }, 'messages', 'missing_parameter', /missing required parameter 'messages'$/],
    [
      'messages that are no list',
      { ...hello, messages: 'hi' },
      'messages',
      'invalid_type',
      /expected array, got string/,
    ],
    ['an empty list of messages', { ...hello, messages: [] }, 'messages', 'invalid_range', /'messages'/],
    ['a message that is no object', withMessage(5), 'messages.1', 'invalid_type', /expected object, got number/],
    [
      'a message without role',
      withMessage({ content: 'x' }),
      'messages.1.role',
      'missing_parameter',
      /messages.1.role/,
    ],
    [
      'an unknown role',
      withMessage({ role: 'boss', content: 'x' }),
      'messages.1.role',
      'invalid_value',
      /"user".*got "boss"/,
    ],
    [
      'content of the wrong type',
      withMessage({ role: 'user', content: 5 }),
      'messages.1.content',
      'invalid_type',
      /expected string or array, got 5/,
    ],
    ['no content', withMessage({ role: 'user' }), 'messages.1.content', 'missing_parameter', /messages.1.content/],
    [
      'an unknown part',
      withPart({ type: 'video' }),
      'messages.0.content.0.type',
      'invalid_value',
      /"image_url".*got "video"/,
    ],
    [
      'a part without type',
      withPart({ text: 'x' }),
      'messages.0.content.0.type',
      'missing_parameter',
      /content.0.type/,
    ],
    [
      'a text part without text',
      withPart({ type: 'text' }),
      'messages.0.content.0.text',
      'missing_parameter',
      /content.0.text/,
    ],
    [
      'an image without URL',
      withPart({ type: 'image_url', image_url: {} }),
      'messages.0.content.0.image_url.url',
      'missing_parameter',
      /url/,
    ],
    [
      'a file without data',
      withPart({ type: 'file', file: { filename: 'a.pdf' } }),
      'messages.0.content.0.file',
      'invalid_value',
      /file_data, file_id or data/,
    ],
    [
      'a tool answer without call',
      withMessage({ role: 'tool', content: 'x' }),
      'messages.1.tool_call_id',
      'missing_parameter',
      /tool_call_id/,
    ],
    ['a temperature out of range', { ...hello, temperature: 3 }, 'temperature', 'invalid_range', /got 3/],
    [
      'a stream that is no boolean',
      { ...hello, stream: 'yes' },
      'stream',
      'invalid_type',
      /expected boolean, got string/,
    ],
    ['n of zero', { ...hello, n: 0 }, 'n', 'invalid_range', /got 0/],
    [
      'a tool without name',
      { ...hello, tools: [{ type: 'function', function: {} }] },
      'tools.0.function.name',
      'missing_parameter',
      /name/,
    ],
    [
      'a bias that is no number',
      { ...hello, logit_bias: { '50256': '-100' } },
      'logit_bias',
      'invalid_value',
      /expected numbers/,
    ],
    [
      'an order that is no list',
      { ...hello, providerOptions: { gateway: { order: 'azure' } } },
      'providerOptions.gateway.order',
      'invalid_type',
      /expected array, got string/,
    ],
    [
      'a schema format without schema',
      { ...hello, response_format: { type: 'json_schema' } },
      'response_format.json_schema',
      'missing_parameter',
      /json_schema/,
    ],
  ];
  for (const [name, body, param, code, message] of table) {
    it(name, () => {
      const error = refusal(body);
      assert.equal(error.param, param);
      assert.equal(error.code, code);
      assert.match(error.message, message);
    });
  }

  it('names the first fault of several', () => {
    const bad = { role: 'user', content: [{ type: 'text' }] };
    assert.equal(refusal({ ...hello, messages: [hello.messages[0], bad, bad] }).param, 'messages.1.content.0.text');
  });

  it('tells nothing of what a long value said', () => {
    const error = refusal({ ...hello, reasoning_effort: 5, stream: 'secret prompt '.repeat(10) });
    assert.doesNotMatch(JSON.stringify(error.toBody()), /secret prompt/);
  });

  it('does not look at a million bad elements one by one', () => {
    const error = refusal(`{"model":"x","messages":[${'1,'.repeat(1_000_000)}1]}`);
    assert.equal(error.param, 'messages.0');
    const part = refusal(`{"model":"x","messages":[{"role":"user","content":[${'1,'.repeat(1_000_000)}1]}]}`);
    assert.equal(part.param, 'messages.0.content.0');
  });

  it('nesting beyond a thousand levels, and takes what is below', () => {
    const nested = (levels: number): string =>
      `{"model":"x","messages":[{"role":"user","content":"x"}],"metadata":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    assert.equal(read(nested(200)).model, 'x');
    assert.equal(read(nested(999)).model, 'x');
    assert.equal(refusal(nested(1_000)).code, 'nesting_too_deep');
    assert.equal(refusal(nested(1_000_000)).code, 'nesting_too_deep');
  });
});

describe('readChatRequest: what it takes', () => {
  it('unknown fields, and says what the relay needs to know', () => {
    const request = read(
      JSON.stringify({ ...hello, stream: true, stream_options: { include_usage: true }, n: 3, brand_new: { a: 1 } }),
    );
    assert.equal(request.model, 'openai/gpt');
    assert.equal(request.stream, true);
    assert.equal(request.includeUsage, true);
    assert.equal(request.choices, 3);
    assert.deepEqual(request.outline.brand_new, { a: 1 });
  });

  it('null where OpenAI allows it', () => {
    const request = read(
      JSON.stringify({ ...hello, stream: null, stream_options: null, n: null, stop: null, tools: null }),
    );
    assert.equal(request.stream, false);
    assert.equal(request.includeUsage, false);
    assert.equal(request.choices, 1);
  });

  it('no usage chunk without a stream', () => {
    assert.equal(read(JSON.stringify({ ...hello, stream_options: { include_usage: true } })).includeUsage, false);
  });

  it('every kind of message and part', () => {
    const messages = [
      { role: 'developer', content: [{ type: 'text', text: 'Be brief.' }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: '' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==', detail: 'low' } },
          { type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } },
          { type: 'file', file: { data: 'AA==', media_type: 'application/pdf' } },
          { type: 'file', file: { file_id: 'file-1' } },
        ],
      },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '' } }],
      },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
      { role: 'assistant' },
      { role: 'tool', tool_call_id: 'c', content: 'x' },
      { role: 'function', name: 'f', content: null },
    ];
    assert.deepEqual(read(JSON.stringify({ model: 'x', messages })).outline.messages, messages);
  });
});

describe('bytes sent are what was checked', () => {
  const sent = (request: ChatRequest): string => request.body.original().toString();

  it('an ordinary body is left as it is, to the byte', () => {
    const text =
      '{ "model" : "x",\r\n"messages":[{"role":"user","content":"\\u0048i \\ud83d\\ude00"}], "temperature":1.0e0 }';
    assert.equal(sent(read(text)), text);
  });

  it('a key that occurs twice or is escaped is written anew, with the value that was checked', () => {
    const bodies = [
      '{"model":"forbidden","messages":[{"role":"user","content":"x"}],"model":"allowed"}',
      '{"model":"allowed","messages":[{"role":"user","content":"x"}],"mod\\u0065l":"allowed"}',
      '{"mod\\u0065l":"allowed","messages":[{"role":"user","content":"x"}]}',
      '{"model":"forbidden","messages":[{"role":"user","content":"x"}],"mode\\u006c":"allowed"}',
      '{"stream":true,"model":"allowed","messages":[{"role":"user","content":"x"}],"stream":false}',
    ];
    for (const text of bodies) {
      const request = read(text);
      assert.equal(request.model, 'allowed');
      assert.equal(request.stream, false);
      assert.doesNotMatch(sent(request), /forbidden|\\u00|true/);
      assert.deepEqual(JSON.parse(sent(request)), JSON.parse(text));
      assert.deepEqual(
        request.members.map(({ key }) => key),
        Object.keys(JSON.parse(text)),
      );
    }
  });

  it('for any order and spelling of duplicates, a reader of first and of last values sees the same', () => {
    const key = fc.constantFrom('model', 'mod\\u0065l', '\\u006dodel', 'stream', 'strea\\u006d');
    const member = key.chain((name) =>
      (name.startsWith('s') ? fc.constantFrom('true', 'false') : fc.constantFrom('"a"', '"b"', '"c"')).map(
        (value) => `"${name}":${value}`,
      ),
    );
    fc.assert(
      fc.property(fc.array(member, { maxLength: 6 }), fc.nat(6), (members, at) => {
        const all = ['"model":"a"', ...members];
        all.splice(at % (all.length + 1), 0, '"messages":[{"role":"user","content":"x"}]');
        const request = read(`{${all.join(',')}}`);
        const bytes = sent(request);
        const models = [...bytes.matchAll(/"model":"(\w)"/g)].map((match) => match[1]);
        assert.deepEqual(models, [request.model]);
        assert.ok((bytes.match(/"stream":/g) ?? []).length <= 1);
        assert.doesNotMatch(bytes, /\\u/);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('a large body is not parsed whole, and has its long strings when they are asked for', () => {
    const body = { ...hello, messages: [{ role: 'user', content: LONG }], providerOptions: { openai: { note: LONG } } };
    const request = read(JSON.stringify(body));
    assert.equal(request.shortened, true);
    assert.ok(JSON.stringify(request.outline).length < 5_000);
    assert.deepEqual(fullBody(request), body);
    assert.deepEqual(fullMember(request, 'providerOptions'), body.providerOptions);
    assert.equal(fullMember(request, 'tools'), undefined);
    assert.equal(sent(request), JSON.stringify(body));
  });

  it("a bad escape in the middle of a long string is the client's fault wherever it is found", () => {
    const bad = `${LONG}\\q${LONG}`;
    const plain = `{"model":"x","messages":[{"role":"user","content":"${bad}"}]}`;
    for (const look of [fullBody, (request: ChatRequest) => fullMember(request, 'messages')]) {
      assert.throws(() => look(read(plain)), { type: 'invalid_request_error', code: 'invalid_json' });
    }
    assert.equal(refusal(plain.replace('"model"', '"mod\\u0065l"')).code, 'invalid_json');
  });

  it('holds 30 MB', () => {
    const image = 'A'.repeat(30 * 1024 * 1024);
    const text = `{"model":"x","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,${image}"}}]}],"stream":true}`;
    const request = read(text);
    assert.equal(request.stream, true);
    assert.equal(request.body.length, text.length);
  });
});
