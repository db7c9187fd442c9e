import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../../errors/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';
import { gemini } from './dialect.ts';
import { type Encoded, encode, read, USER } from './encode.testing.ts';
import { TARGET } from './play.testing.ts';

type Raw = Record<string, unknown>;

const FLASH: Target = { ...TARGET, model: 'gemini-2.5-flash' };
const send = (request: Raw, target: Target = TARGET, media?: FetchedMedia): Encoded =>
  encode(gemini, request, target, media);
const contents = (messages: readonly Raw[], target?: Target) => send({ messages }, target).body.contents;

function refusal(request: Raw, target = TARGET): GatewayError {
  try {
    send(request, target);
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    return error;
  }
  assert.fail('nothing was refused');
}

const call = (id: string, name: string, args: string, extra: Raw = {}) => ({
  id,
  type: 'function',
  function: { name, arguments: args },
  ...extra,
});
const signedBy = (signature: string) => ({ extra_content: { google: { thought_signature: signature } } });
const result = (id: string, content: string) => ({ role: 'tool', tool_call_id: id, content });

describe('where a request goes', () => {
  it('names the model and the method, and has the key in a header', () => {
    const { url, headers } = send({});
    assert.equal(url, 'https://generativelanguage.googleapis.com/v1beta/models/gemini-3-pro-preview:generateContent');
    assert.equal(headers['x-goog-api-key'], 'AIza-test-key');
    assert.equal(headers['accept-encoding'], 'identity');
  });

  it('asks for a stream of server-sent events', () => {
    assert.match(send({ stream: true }).url, /:streamGenerateContent\?alt=sse$/);
  });

  it('takes models by their full name, and needs no key', () => {
    const { url, headers } = send({}, { ...TARGET, model: 'tunedModels/mine', credentials: {} });
    assert.match(url, /\/v1beta\/tunedModels\/mine:generateContent$/);
    assert.equal(headers['x-goog-api-key'], undefined);
  });
});

describe('messages', () => {
  it('puts system and developer texts apart, wherever they stand', () => {
    const { body, warnings } = send({
      messages: [
        { role: 'system', content: 'one' },
        USER,
        { role: 'assistant', content: 'Hi' },
        { role: 'developer', content: [{ type: 'text', text: 'two' }] },
        { role: 'user', content: 'Bye' },
      ],
    });
    assert.deepEqual(body.systemInstruction, { parts: [{ text: 'one' }, { text: 'two' }] });
    assert.deepEqual(body.contents, [
      { role: 'user', parts: [{ text: 'Hello' }] },
      { role: 'model', parts: [{ text: 'Hi' }] },
      { role: 'user', parts: [{ text: 'Bye' }] },
    ]);
    assert.deepEqual(warnings, []);
  });

  it('joins turns of one role, and leaves out empty texts', () => {
    const said = contents([
      USER,
      { role: 'assistant', content: '' },
      { role: 'user', content: 'again' },
      { role: 'assistant', content: 'a' },
      { role: 'assistant', content: null, refusal: 'no' },
    ]);
    assert.deepEqual(said, [
      { role: 'user', parts: [{ text: 'Hello' }, { text: 'again' }] },
      { role: 'model', parts: [{ text: 'a' }, { text: 'no' }] },
    ]);
  });

  it("makes a request of system texts alone a user's", () => {
    const { body } = send({ messages: [{ role: 'system', content: 'one' }] });
    assert.deepEqual(body.contents, [{ role: 'user', parts: [{ text: 'one' }] }]);
    assert.equal(body.systemInstruction, undefined);
  });

  it('begins with a user', () => {
    const { body, warnings } = send({ messages: [{ role: 'assistant', content: 'Hi' }, USER] });
    assert.deepEqual(
      body.contents.map(({ role }) => role),
      ['user', 'model', 'user'],
    );
    assert.deepEqual(warnings, ['messages: the provider wants a user message first, an empty one was put there']);
  });
});

describe('tool calls and results', () => {
  it('names the function of each result, and keeps parallel results together', () => {
    const said = contents([
      USER,
      {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [call('c1', 'weather', '{"city":"Rome"}', signedBy('c2ln')), call('c2', 'time', '')],
      },
      result('c2', 'noon'),
      result('c1', '{"sky":"blue"}'),
      { role: 'user', content: 'and?' },
    ]);
    assert.deepEqual(said.slice(1), [
      {
        role: 'model',
        parts: [
          { text: 'Let me see.' },
          { functionCall: { id: 'c1', name: 'weather', args: { city: 'Rome' } }, thoughtSignature: 'c2ln' },
          { functionCall: { id: 'c2', name: 'time', args: {} } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'c2', name: 'time', response: { output: 'noon' } } },
          { functionResponse: { id: 'c1', name: 'weather', response: { sky: 'blue' } } },
          { text: 'and?' },
        ],
      },
    ]);
  });

  it('takes the legacy form', () => {
    const [, model, user] = contents([
      USER,
      { role: 'assistant', content: null, function_call: { name: 'time', arguments: '{}' } },
      { role: 'function', name: 'time', content: '[1]' },
    ]);
    assert.equal(model?.parts?.[0]?.functionCall?.name, 'time');
    assert.deepEqual(user?.parts, [{ functionResponse: { id: 'time', name: 'time', response: { output: '[1]' } } }]);
  });

  it('wraps arguments that are no JSON object, and says so', () => {
    const { body, warnings } = send({
      messages: [
        USER,
        { role: 'assistant', tool_calls: [call('c', 'f', '{"a":', signedBy('c2ln'))] },
        result('c', 'r'),
      ],
    });
    assert.deepEqual(body.contents[1]?.parts?.[0]?.functionCall?.args, { arguments: '{"a":' });
    assert.match(warnings[0] ?? '', /^messages\.1\.tool_calls\.0\.function\.arguments: /);
  });

  it('refuses a result of no call', () => {
    const error = refusal({ messages: [USER, result('c9', 'r')] });
    assert.deepEqual([error.status, error.param], [400, 'messages.1.tool_call_id']);
  });

  const unsigned = [
    USER,
    { role: 'assistant', tool_calls: [call('a', 'f', '{}'), call('b', 'f', '{}')] },
    result('a', '1'),
    result('b', '2'),
  ];

  it('lets Gemini 3 pass over a signature that the client dropped', () => {
    const { body, warnings } = send({ messages: unsigned });
    const signatures = body.contents[1]?.parts?.map(({ thoughtSignature }) => thoughtSignature);
    assert.deepEqual(signatures, ['skip_thought_signature_validator', undefined]);
    assert.match(warnings.join(), /^messages\.1\.tool_calls\.0\.extra_content\.google\.thought_signature: /);
  });

  it('does not trouble older models with it', () => {
    const { body, warnings } = send({ messages: unsigned }, FLASH);
    assert.ok(!JSON.stringify(body).includes('thoughtSignature'));
    assert.deepEqual(warnings, []);
  });
});

describe('reasoning that comes back', () => {
  const turn = (details: Raw[], more: Raw = { content: 'Hi' }) => {
    const { body, warnings } = send({
      messages: [USER, { role: 'assistant', ...more, reasoning_details: details }, USER],
    });
    return { parts: body.contents[1]?.parts, warnings };
  };
  const ours = { format: 'google-gemini-v1' };

  it('stands where it stood', () => {
    const { parts, warnings } = turn([
      { ...ours, type: 'reasoning.text', text: 'hm', index: 0 },
      { ...ours, type: 'reasoning.encrypted', data: 'c2ln', index: 1 },
    ]);
    assert.deepEqual(parts, [
      { text: 'hm', thought: true },
      { text: 'Hi', thoughtSignature: 'c2ln' },
    ]);
    assert.deepEqual(warnings, []);
  });

  it('stands alone when there is no text, and none is lost', () => {
    const details = ['QQ==', 'Qg=='].map((data) => ({ ...ours, type: 'reasoning.encrypted', data }));
    assert.deepEqual(turn(details, { content: null }).parts, [
      { text: '', thoughtSignature: 'QQ==' },
      { text: '', thoughtSignature: 'Qg==' },
    ]);
  });

  it("goes to a tool call by the call's id", () => {
    const details = [{ ...ours, type: 'reasoning.encrypted', data: 'c2ln', id: 'c1' }];
    const messages = [
      USER,
      { role: 'assistant', tool_calls: [call('c1', 'f', '{}')], reasoning_details: details },
      result('c1', 'r'),
    ];
    assert.equal(contents(messages)[1]?.parts?.[0]?.thoughtSignature, 'c2ln');
  });

  it('of another provider is dropped, with a warning', () => {
    const { parts, warnings } = turn([
      { type: 'reasoning.text', text: 'hm', signature: 's', format: 'anthropic-claude-v1' },
    ]);
    assert.deepEqual(parts, [{ text: 'Hi' }]);
    assert.deepEqual(warnings, ['messages.1.reasoning_details.0: not of this provider, dropped']);
  });
});

describe('images and files', () => {
  const part = (given: Raw, media?: FetchedMedia, target = TARGET) =>
    send({ messages: [{ role: 'user', content: [given] }] }, target, media).body.contents[0]?.parts?.[0];
  const image = (url: string) => ({ type: 'image_url', image_url: { url } });
  const file = (fields: Raw) => ({ type: 'file', file: fields });

  const cases: [string, Raw, unknown][] = [
    ['an image', image('data:image/png;base64,AAAA'), { inlineData: { mimeType: 'image/png', data: 'AAAA' } }],
    [
      'an image by its usual misnomer',
      image('data:image/jpg;base64,AAAA'),
      { inlineData: { mimeType: 'image/jpeg', data: 'AAAA' } },
    ],
    [
      'a PDF',
      file({ file_data: 'data:application/pdf;base64,AAAA' }),
      { inlineData: { mimeType: 'application/pdf', data: 'AAAA' } },
    ],
    [
      "a PDF in the seed's spelling",
      file({ data: 'AAAA', media_type: 'application/pdf' }),
      { inlineData: { mimeType: 'application/pdf', data: 'AAAA' } },
    ],
    ['text', file({ file_data: 'data:text/csv;base64,AAAA' }), { inlineData: { mimeType: 'text/csv', data: 'AAAA' } }],
    [
      'text by another name',
      file({ file_data: 'data:application/json;base64,AAAA' }),
      { inlineData: { mimeType: 'text/plain', data: 'AAAA' } },
    ],
    [
      'an image as a file',
      file({ file_data: 'data:image/webp;base64,AAAA' }),
      { inlineData: { mimeType: 'image/webp', data: 'AAAA' } },
    ],
    [
      'audio',
      { type: 'input_audio', input_audio: { data: 'AAAA', format: 'mp3' } },
      { inlineData: { mimeType: 'audio/mp3', data: 'AAAA' } },
    ],
    [
      'a file in Cloud Storage',
      image('gs://b/cat.jpg'),
      { fileData: { fileUri: 'gs://b/cat.jpg', mimeType: 'image/jpeg' } },
    ],
    [
      'a film at YouTube',
      file({ file_data: 'https://youtu.be/x' }),
      { fileData: { fileUri: 'https://youtu.be/x', mimeType: 'video/mp4' } },
    ],
    [
      'a file of the Files API',
      file({ file_id: 'files/abc' }),
      { fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc' } },
    ],
  ];
  for (const [name, given, expected] of cases) it(`sends ${name}`, () => assert.deepEqual(part(given), expected));

  it('has the gateway fetch what is not at Google', () => {
    const request = read({
      messages: [
        {
          role: 'user',
          content: [
            image('https://example.com/a.png'),
            image('https://www.youtube.com/watch?v=1'),
            image('data:image/png;base64,AAAA'),
            file({ file_data: 'https://example.com/b.pdf' }),
            file({ file_data: 'https://generativelanguage.googleapis.com/v1beta/files/x' }),
          ],
        },
      ],
    });
    assert.deepEqual(gemini.remoteMedia?.(request, TARGET), ['https://example.com/a.png', 'https://example.com/b.pdf']);
  });

  it('finds URLs also in a body of which only an outline was read', () => {
    const url = `https://example.com/${'a'.repeat(5_000)}.png`;
    const request = read({
      messages: [{ role: 'user', content: [image(url), image(`data:image/png;base64,${'A'.repeat(300_000)}`)] }],
    });
    assert.ok(request.shortened);
    assert.deepEqual(gemini.remoteMedia?.(request, TARGET), [url]);
  });

  it('sends what was fetched', () => {
    const media = new Map([['https://example.com/a', { mediaType: 'image/png; charset=x', data: 'AAAA' }]]);
    assert.deepEqual(part(image('https://example.com/a'), media), {
      inlineData: { mimeType: 'image/png', data: 'AAAA' },
    });
  });

  for (const given of [
    image('data:image/gif;base64,AAAA'),
    image('data:application/pdf;base64,AAAA'),
    image('https://example.com/not-fetched.png'),
    file({ file_data: 'data:application/zip;base64,AAAA' }),
    file({ file_id: 'file-of-openai' }),
  ]) {
    it(`refuses ${JSON.stringify(given).slice(0, 80)}`, () => {
      const error = refusal({ messages: [{ role: 'user', content: [given] }] });
      assert.deepEqual([error.status, error.code, error.param], [400, 'unsupported_content', 'messages.0.content.0']);
    });
  }
});

describe('tools', () => {
  const tool = (name: string, more: Raw = {}) => ({ type: 'function', function: { name, ...more } });
  const tools = [
    tool('a', { description: 'A', parameters: { type: 'object', properties: { x: { type: 'string' } } } }),
    tool('b'),
  ];

  it('are declared', () => {
    assert.deepEqual(send({ tools }).body.tools, [
      {
        functionDeclarations: [
          { name: 'a', description: 'A', parameters: { type: 'OBJECT', properties: { x: { type: 'STRING' } } } },
          { name: 'b' },
        ],
      },
    ]);
  });

  const choices: [unknown, unknown][] = [
    ['auto', { mode: 'AUTO' }],
    ['none', { mode: 'NONE' }],
    ['required', { mode: 'ANY' }],
    [
      { type: 'function', function: { name: 'a' } },
      { mode: 'ANY', allowedFunctionNames: ['a'] },
    ],
    [
      {
        type: 'allowed_tools',
        allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'b' } }] },
      },
      { mode: 'ANY', allowedFunctionNames: ['b'] },
    ],
  ];
  for (const [choice, expected] of choices) {
    it(`choice ${JSON.stringify(choice)}`, () => {
      const { body, warnings } = send({ tools, tool_choice: choice });
      assert.deepEqual(body.toolConfig, { functionCallingConfig: expected });
      assert.deepEqual(warnings, []);
    });
  }

  it('shows only the allowed ones where no call is forced', () => {
    const allowed = { mode: 'auto', tools: [{ type: 'function', function: { name: 'b' } }] };
    const { body } = send({ tools, tool_choice: { type: 'allowed_tools', allowed_tools: allowed } });
    assert.deepEqual(body.tools, [{ functionDeclarations: [{ name: 'b' }] }]);
    assert.deepEqual(body.toolConfig, { functionCallingConfig: { mode: 'AUTO' } });
  });

  it('warns of what cannot be had', () => {
    const { warnings } = send({
      tools: [{ ...tool('a', { strict: true }), cache_control: { type: 'ephemeral' } }],
      parallel_tool_calls: false,
    });
    assert.deepEqual(warnings, [
      'parallel_tool_calls: the provider may still call several tools at once',
      'tools.0.cache_control: the provider caches by itself, dropped',
      'tools.0.function.strict: not taken by the provider, dropped',
    ]);
  });
});

describe('structured output', () => {
  const schema = {
    type: 'object',
    properties: { a: { type: 'string' } },
    required: ['a'],
    additionalProperties: false,
  };
  const format = { type: 'json_schema', json_schema: { name: 'thing', schema, strict: true } };
  const tools = [{ type: 'function', function: { name: 'f' } }];

  it('is asked for natively', () => {
    assert.deepEqual(send({ response_format: format }).body.generationConfig, {
      responseMimeType: 'application/json',
      responseJsonSchema: { title: 'thing', ...schema },
    });
    assert.deepEqual(send({ response_format: { type: 'json_object' } }).body.generationConfig, {
      responseMimeType: 'application/json',
    });
  });

  it('stands beside tools from Gemini 3 on, and is asked for in words before', () => {
    assert.ok(send({ response_format: format, tools }).body.generationConfig?.responseJsonSchema);
    const { body, warnings } = send({ response_format: format, tools }, FLASH);
    assert.equal(body.generationConfig, undefined);
    assert.match(JSON.stringify(body.systemInstruction), /JSON Schema/);
    assert.match(warnings.join(), /^response_format: /);
  });

  it('is native where the tools may not be called', () => {
    const { body, warnings } = send({ response_format: format, tools, tool_choice: 'none' }, FLASH);
    assert.ok(body.generationConfig?.responseJsonSchema);
    assert.equal(body.tools, undefined);
    assert.deepEqual(warnings, []);
  });
});

describe('settings', () => {
  it('are carried over', () => {
    const { body, warnings } = send({
      max_completion_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      seed: 7,
      n: 2,
      stop: ['a', 'b'],
      presence_penalty: 1,
      frequency_penalty: -1,
      modalities: ['text', 'image'],
      service_tier: 'flex',
      parallel_tool_calls: true,
    });
    assert.deepEqual(body.generationConfig, {
      maxOutputTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      seed: 7,
      candidateCount: 2,
      stopSequences: ['a', 'b'],
      presencePenalty: 1,
      frequencyPenalty: -1,
      responseModalities: ['TEXT', 'IMAGE'],
    });
    assert.equal(body.serviceTier, 'flex');
    assert.deepEqual(warnings, []);
  });

  it('are bent to what the provider takes, with a warning', () => {
    const { body, warnings } = send({
      stop: ['', 'a', 'b', 'c', 'd', 'e', 'f'],
      presence_penalty: 2,
      seed: 2 ** 40 + 5,
    });
    assert.deepEqual(body.generationConfig, {
      stopSequences: ['a', 'b', 'c', 'd', 'e'],
      presencePenalty: 1.99,
      seed: 5,
    });
    assert.deepEqual(
      warnings.map((warning) => warning.split(':')[0]),
      ['seed', 'presence_penalty', 'stop', 'stop'],
    );
  });

  it('refuses more choices than the provider gives', () => {
    assert.deepEqual([refusal({ n: 9 }).param, refusal({ n: 9 }).status], ['n', 400]);
  });

  it('warns of every field that Gemini has not', () => {
    const fields = {
      logit_bias: { 1: 1 },
      logprobs: true,
      top_logprobs: 2,
      user: 'u',
      metadata: { a: 'b' },
      verbosity: 'low',
      store: true,
      prediction: {},
      web_search_options: {},
    };
    assert.deepEqual(
      send(fields)
        .warnings.map((warning) => warning.split(':')[0])
        .sort(),
      Object.keys(fields).sort(),
    );
  });
});

describe('reasoning', () => {
  const thinking = (request: Raw, model: string) => {
    const { body, warnings } = send(request, { ...TARGET, model });
    return [body.generationConfig?.thinkingConfig, warnings.length];
  };
  const shown = { includeThoughts: true };
  const cases: [string, Raw, unknown, number][] = [
    ['gemini-3-pro-preview', { reasoning_effort: 'minimal' }, { ...shown, thinkingLevel: 'LOW' }, 0],
    ['gemini-3-pro-preview', { reasoning_effort: 'medium' }, { ...shown, thinkingLevel: 'HIGH' }, 0],
    ['gemini-3.1-pro-preview', { reasoning_effort: 'medium' }, { ...shown, thinkingLevel: 'MEDIUM' }, 0],
    ['gemini-3-pro-preview', { reasoning_effort: 'none' }, { thinkingLevel: 'LOW' }, 1],
    ['gemini-3-pro-preview', { reasoning: { enabled: true } }, shown, 0],
    ['gemini-3-pro-preview', { reasoning: { max_tokens: 500, exclude: true } }, { thinkingBudget: 500 }, 0],
    ['gemini-3-flash-preview', { reasoning_effort: 'minimal' }, { ...shown, thinkingLevel: 'MINIMAL' }, 0],
    ['gemini-3-flash-preview', { reasoning_effort: 'xhigh' }, { ...shown, thinkingLevel: 'HIGH' }, 0],
    ['gemini-2.5-pro', { reasoning_effort: 'low', max_tokens: 10_000 }, { ...shown, thinkingBudget: 2_000 }, 0],
    ['gemini-2.5-pro', { reasoning_effort: 'high' }, { ...shown, thinkingBudget: 26_214 }, 0],
    ['gemini-2.5-pro', { reasoning_effort: 'none' }, { thinkingBudget: 128 }, 1],
    ['gemini-2.5-flash', { reasoning_effort: 'none' }, { thinkingBudget: 0 }, 0],
    ['gemini-2.5-flash', { reasoning: {} }, { ...shown, thinkingBudget: -1 }, 0],
    ['gemini-2.5-flash', { reasoning: { max_tokens: 100_000 } }, { ...shown, thinkingBudget: 24_576 }, 1],
    ['gemini-2.5-flash-lite', { reasoning_effort: 'minimal', max_tokens: 1_000 }, { ...shown, thinkingBudget: 512 }, 0],
    ['gemini-flash-latest', { reasoning_effort: 'low', max_tokens: 10_000 }, { ...shown, thinkingBudget: 2_000 }, 0],
    ['gemini-2.0-flash', { reasoning_effort: 'low' }, undefined, 1],
    ['gemini-2.0-flash', { reasoning_effort: 'none' }, undefined, 0],
    ['gemini-2.5-flash-image', { reasoning_effort: 'low' }, undefined, 1],
    ['gemma-3-27b-it', { reasoning_effort: 'low' }, undefined, 1],
    ['gemini-2.5-pro', {}, undefined, 0],
  ];
  for (const [model, request, expected, warnings] of cases) {
    it(`${model} ${JSON.stringify(request)}`, () => assert.deepEqual(thinking(request, model), [expected, warnings]));
  }
});

describe("the provider's own options", () => {
  it('are merged in', () => {
    const { body } = send({
      temperature: 0.5,
      reasoning_effort: 'low',
      tools: [{ type: 'function', function: { name: 'f' } }],
      tool_choice: 'auto',
      providerOptions: {
        google: {
          safetySettings: [{ category: 'c', threshold: 't' }],
          cachedContent: 'cachedContents/1',
          generationConfig: { temperature: 0.1, mediaResolution: 'MEDIA_RESOLUTION_LOW' },
          thinkingConfig: { thinkingBudget: 5 },
          tools: [{ googleSearch: {} }],
          toolConfig: { retrievalConfig: { languageCode: 'en' } },
          model: 'other',
        },
      },
    });
    assert.deepEqual(body.generationConfig, {
      temperature: 0.1,
      mediaResolution: 'MEDIA_RESOLUTION_LOW',
      // Replaced, not merged (WIRE 2.8).
      thinkingConfig: { thinkingBudget: 5 },
    });
    assert.deepEqual(body.tools, [{ functionDeclarations: [{ name: 'f' }] }, { googleSearch: {} }]);
    assert.deepEqual(body.toolConfig, {
      functionCallingConfig: { mode: 'AUTO' },
      retrievalConfig: { languageCode: 'en' },
    });
    assert.deepEqual(body.safetySettings, [{ category: 'c', threshold: 't' }]);
    assert.equal(body.cachedContent, 'cachedContents/1');
    assert.ok(!('model' in body));
  });

  it("are found under the provider's name first", () => {
    const options = { gemini: { cachedContent: 'mine' }, google: { cachedContent: 'other' } };
    assert.equal(send({ providerOptions: options }).body.cachedContent, 'mine');
  });

  it('cannot ask for arguments in pieces, which nobody would put together', () => {
    const toolConfig = { functionCallingConfig: { streamFunctionCallArguments: true } };
    const { body, warnings } = send({ providerOptions: { google: { toolConfig } } });
    assert.deepEqual(body.toolConfig, {});
    assert.equal(warnings.length, 1);
  });
});
