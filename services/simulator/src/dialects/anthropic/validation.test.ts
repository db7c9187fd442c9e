import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Simulator, startSimulator } from '../../server.ts';
import { pdf, png } from '../../testing/media.ts';

type Body = Readonly<Record<string, unknown>>;

const hello = [{ role: 'user', content: 'Hello' }];
const base = { model: 'claude-haiku-4-5', max_tokens: 4096, messages: hello };
const tool = { name: 'look', input_schema: { type: 'object', properties: {} } };
const saying = (...content: Body[]) => ({ messages: [{ role: 'user', content }] });
const image = (source: Body) => saying({ type: 'image', source });
const thinking = { type: 'enabled', budget_tokens: 1024 };
const ephemeral = { type: 'ephemeral' };

const refused: readonly (readonly [string, Body, RegExp])[] = [
  ['no max_tokens', { max_tokens: undefined }, /^max_tokens: Field required$/],
  ['no messages', { messages: [] }, /^messages: at least one message is required$/],
  ['unknown field', { n: 2 }, /^n: Extra inputs are not permitted$/],
  [
    'unknown field of a message',
    { messages: [{ role: 'user', content: 'a', name: 'b' }] },
    /^messages\.0\.name: Extra inputs/,
  ],
  ['system as a role', { messages: [{ role: 'system', content: 'Be' }, ...hello] }, /Unexpected role "system"/],
  [
    'other roles',
    { messages: [{ role: 'tool', content: 'x' }] },
    /^messages\.0\.role: Input should be 'user' or 'assistant'/,
  ],
  [
    'assistant first',
    { messages: [{ role: 'assistant', content: 'Hi' }, ...hello] },
    /first message must use the "user" role/,
  ],
  ['empty text', saying({ type: 'text', text: '' }), /text content blocks must be non-empty/],
  ['blank text', saying({ type: 'text', text: ' ' }), /must contain non-whitespace text/],
  ['empty content', { messages: [{ role: 'user', content: '' }] }, /must have non-empty content/],
  ['OpenAI image', saying({ type: 'image_url', image_url: { url: 'x' } }), /Input tag 'image_url' found using 'type'/],
  ['temperature above 1', { temperature: 1.5 }, /^temperature: Input should be less than or equal to 1$/],
  ['temperature and top_p', { temperature: 0.5, top_p: 0.5 }, /cannot both be specified/],
  [
    'temperature of newer models',
    { model: 'claude-opus-4-7', temperature: 0.5 },
    /`temperature` is deprecated for this model/,
  ],
  [
    'budget too small',
    { thinking: { type: 'enabled', budget_tokens: 100 } },
    /budget_tokens: Input should be greater than or equal to 1024/,
  ],
  [
    'budget too large',
    { thinking: { type: 'enabled', budget_tokens: 4096 } },
    /`max_tokens` must be greater than `thinking\.budget_tokens`/,
  ],
  [
    'temperature with thinking',
    { thinking, temperature: 0.5 },
    /`temperature` may only be set to 1 when thinking is enabled/,
  ],
  ['top_k with thinking', { thinking, top_k: 5 }, /`top_k` must be unset when thinking is enabled/],
  [
    'forced tools with thinking',
    { thinking, tools: [tool], tool_choice: { type: 'any' } },
    /Thinking may not be enabled when tool_choice forces/,
  ],
  ['adaptive thinking of older models', { thinking: { type: 'adaptive' } }, /adaptive thinking is not supported/],
  [
    'budgets of newer models',
    { model: 'claude-opus-4-7', thinking },
    /"thinking\.type\.enabled" is not supported for this model/,
  ],
  ['effort of older models', { output_config: { effort: 'low' } }, /does not support the effort parameter/],
  ['tool name', { tools: [{ ...tool, name: 'a b' }] }, /^tools\.0\.custom\.name: String should match pattern/],
  ['two tools of a name', { tools: [tool, tool] }, /Tool names must be unique/],
  ['OpenAI tool', { tools: [{ type: 'function', function: { name: 'a' } }] }, /^tools\.0\.custom\./],
  ['schema without type', { tools: [{ name: 'a', input_schema: {} }] }, /input_schema\.type: Field required/],
  ['schema of another type', { tools: [{ name: 'a', input_schema: { type: 'array' } }] }, /Input should be 'object'/],
  ['tool_choice as text', { tools: [tool], tool_choice: 'auto' }, /^tool_choice: Input should be a valid dictionary/],
  ['tool_choice without tools', { tool_choice: { type: 'any' } }, /only be specified while providing tools/],
  ['tool_choice of a stranger', { tools: [tool], tool_choice: { type: 'tool', name: 'x' } }, /'x' not found/],
  [
    'input as text',
    { messages: [...hello, { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'b', input: '{}' }] }] },
    /input: Input should be a valid dictionary/,
  ],
  [
    'id with a dot',
    { messages: [...hello, { role: 'assistant', content: [{ type: 'tool_use', id: 'a.b', name: 'b', input: {} }] }] },
    /id: String should match pattern/,
  ],
  ['blank stop sequence', { stop_sequences: [' '] }, /must contain non-whitespace/],
  ['stop as text', { stop_sequences: 'END' }, /^stop_sequences: Input should be a valid list/],
  ['other metadata', { metadata: { session: '1' } }, /^metadata\.session: Extra inputs/],
  ['service tier', { service_tier: 'flex' }, /Input should be 'auto' or 'standard_only'/],
  [
    'five breakpoints',
    saying(...Array.from({ length: 5 }, (_, i) => ({ type: 'text', text: `${i}`, cache_control: ephemeral }))),
    /maximum of 4 blocks with cache_control may be provided\. Found 5/,
  ],
  [
    'media type',
    image({ type: 'base64', media_type: 'image/bmp', data: png }),
    /media_type: Input should be 'image\/jpeg'/,
  ],
  [
    'another media type',
    image({ type: 'base64', media_type: 'image/jpeg', data: png }),
    /appears to be a image\/png image/,
  ],
  [
    'data URI as data',
    image({ type: 'base64', media_type: 'image/png', data: `data:image/png;base64,${png}` }),
    /invalid base64 data/,
  ],
  ['no image', image({ type: 'base64', media_type: 'image/png', data: 'AAAA' }), /Could not process image/],
  ['plain http', image({ type: 'url', url: 'http://example.com/a.png' }), /Only HTTPS URLs/],
  [
    'no PDF',
    saying({ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: png } }),
    /PDF specified was not valid/,
  ],
  [
    'filename',
    saying({
      type: 'document',
      filename: 'a.pdf',
      source: { type: 'base64', media_type: 'application/pdf', data: pdf },
    }),
    /filename: Extra inputs/,
  ],
  [
    'image of the assistant',
    {
      messages: [
        ...hello,
        { role: 'assistant', content: [{ type: 'image', source: { type: 'url', url: 'https://a.b' } }] },
      ],
    },
    /can only be in `user` messages/,
  ],
  [
    'prefill with a space',
    { messages: [...hello, { role: 'assistant', content: 'I ' }] },
    /cannot end with trailing whitespace/,
  ],
  [
    'prefill of newer models',
    { model: 'claude-sonnet-4-6', messages: [...hello, { role: 'assistant', content: 'I' }] },
    /does not support assistant message prefill/,
  ],
  [
    'thinking of another',
    {
      messages: [
        ...hello,
        { role: 'assistant', content: [{ type: 'thinking', thinking: 'a', signature: 'EuoC' }] },
        ...hello,
      ],
    },
    /Invalid `signature` in `thinking` block/,
  ],
  [
    'open schema',
    { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
    /'additionalProperties' must be explicitly set to false/,
  ],
  [
    'bounds in a schema',
    { output_config: { format: { type: 'json_schema', schema: { type: 'integer', minimum: 1 } } } },
    /properties minimum are not supported/,
  ],
];

const accepted: readonly (readonly [string, Body])[] = [
  ['neighbours of one role', { messages: [...hello, ...hello, { role: 'assistant', content: 'Hi' }] }],
  [
    'sampling',
    { temperature: 1, top_k: 5, stop_sequences: ['END'], metadata: { user_id: null }, service_tier: 'auto' },
  ],
  [
    'tools of its own',
    {
      tools: [
        { type: 'web_search_20250305', name: 'web_search' },
        { ...tool, strict: true, input_schema: { type: 'object', additionalProperties: false } },
      ],
    },
  ],
  ['automatic caching', { cache_control: { type: 'ephemeral', ttl: '1h' } }],
  [
    'system turns of newer models',
    { model: 'claude-opus-4-8', messages: [...hello, { role: 'system', content: 'Be brief.' }] },
  ],
  ['no thinking', { thinking: { type: 'disabled' }, temperature: 0 }],
  ['newer budgets with lenient', { model: 'claude-opus-4-7+lenient', thinking, n: 1 }],
];

describe("Anthropic's validation", () => {
  let simulator: Simulator;
  before(async () => {
    simulator = await startSimulator();
  });
  after(() => simulator.close());

  const post = async (body: unknown, headers: Record<string, string> = {}, path = '/v1/messages') => {
    const response = await fetch(simulator.url + path, {
      method: 'POST',
      headers: {
        'x-api-key': 'sk-ant-test',
        'anthropic-version': '2023-06-01',
        'content-type': 'application/json',
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
  };

  for (const [name, change, message] of refused)
    it(`refuses: ${name}`, async () => {
      const { status, body } = await post({ ...base, ...change });
      assert.equal(body.error?.type, 'invalid_request_error', JSON.stringify(body));
      assert.match(body.error.message, message);
      assert.equal(status, 400);
    });

  for (const [name, change] of accepted)
    it(`accepts: ${name}`, async () => {
      const { status, body } = await post({ ...base, ...change });
      assert.equal(status, 200, JSON.stringify(body));
    });

  it('demands a key and a version, and checks by version', async () => {
    const { body, headers, status } = await post(base, { 'x-api-key': 'sk-invalid' });
    assert.equal(status, 401);
    assert.deepEqual(body, {
      type: 'error',
      error: { type: 'authentication_error', message: 'invalid x-api-key' },
      request_id: headers.get('request-id'),
    });
    assert.equal(headers.get('x-should-retry'), 'false');
    assert.match((await post(base, { 'anthropic-version': '1999-01-01' })).body.error.message, /not a valid version/);
    const sampled = { ...base, temperature: 0.5 };
    assert.equal((await post(sampled)).status, 200);
    const newer = await post(sampled, { 'anthropic-version': '2026-10-21' });
    assert.match(newer.body.error.message, /^temperature: Extra inputs/);
    assert.equal((await post('{', {})).status, 400);
    assert.equal((await post(base, {}, '/v1/messages/nowhere')).status, 404);
  });
});
