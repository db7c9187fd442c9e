import { tinyPdf, tinyPng } from '../conformance/media.ts';

type Body = Readonly<Record<string, unknown>>;

/** One leaf of the chat request: two requests that differ in it alone. */
export interface Leaf {
  /** Where it stands, such as `messages.0.content.1.image_url.detail`. */
  readonly path: string;
  /** How the document names it. */
  readonly title: string;
  readonly without: Body;
  readonly with: Body;
  /**
   * Why no trace of it need reach the provider: the gateway itself acts on it, or it says what happens without it, too.
   * Absent: it has to be passed, mapped, warned of or rejected.
   */
  readonly settled?: 'gateway' | 'default';
}

const PNG = `data:image/png;base64,${tinyPng().toString('base64')}`;
const PDF = tinyPdf().toString('base64');
/** What `remoteMedia` of a dialect may ask for. */
export const REMOTE_IMAGE = 'https://pictures.example/canal.png';
export const REMOTE_IMAGE_DATA = tinyPng().toString('base64');

const user = (content: unknown, more: Body = {}) => ({ role: 'user', content, ...more });
const text = (words: string, more: Body = {}) => ({ type: 'text', text: words, ...more });
const BASE: Body = { model: 'a/b', messages: [user('Hello.')] };
const WEATHER = {
  name: 'get_weather',
  description: 'Tells the weather',
  parameters: { type: 'object', properties: {} },
};
const TOOL = { type: 'function', function: WEATHER };
const OBJECT = { type: 'object', properties: {} };
const CLOCK = { type: 'function', function: { name: 'read_clock', description: 'Tells the time' } };
const CALL = { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"location":"Oslo"}' } };
const RESULT = { role: 'tool', tool_call_id: 'call_1', content: 'Snow.' };
const SCHEMA = {
  type: 'object',
  properties: { answer: { type: 'string' } },
  required: ['answer'],
  additionalProperties: false,
};

interface Options {
  /** Laid over the base request, in both. */
  readonly context?: Body;
  /** Told in the title behind the path. */
  readonly say?: string;
  readonly settled?: Leaf['settled'];
  /** What stands there without the leaf; default nothing. */
  readonly instead?: unknown;
}

function leaf(path: string, value: unknown, { context = {}, say, settled, instead }: Options = {}): Leaf {
  const base = { ...BASE, ...context };
  const where = path.replaceAll(/\.\d+/g, '[]');
  return {
    path,
    title: say === undefined ? where : `${where}: ${say}`,
    without: instead === undefined ? base : setAt(base, path, instead),
    with: setAt(base, path, value),
    ...(settled === undefined ? {} : { settled }),
  };
}

/** A copy with `value` at the path; objects on the way are made where they are missing. */
function setAt<T>(target: T, path: string, value: unknown): T {
  const [key = '', ...rest] = path.split('.');
  const copy = (Array.isArray(target) ? [...target] : { ...target }) as Record<string, unknown>;
  copy[key] = rest.length === 0 ? value : setAt(copy[key] ?? {}, rest.join('.'), value);
  return copy as T;
}

/** One leaf for each value of an enumeration. */
const values = (
  path: string,
  list: readonly unknown[],
  options: Options & { readonly defaults?: readonly unknown[] } = {},
): Leaf[] =>
  list.map((value) =>
    leaf(path, value, {
      say: JSON.stringify(value),
      ...options,
      ...(options.defaults?.includes(value) ? { settled: 'default' as const } : {}),
    }),
  );

const first = (message: Body, ...more: readonly Body[]): Options => ({ context: { messages: [message, ...more] } });
const part = (content: Body): Options => first(user([text('Look.'), content]));
const assistant = (message: Body, ...after: readonly Body[]): Options => ({
  context: { messages: [user('Hello.'), { role: 'assistant', ...message }, ...after] },
});
const withTools: Options = { context: { tools: [TOOL, CLOCK] } };

const MESSAGES: readonly Leaf[] = [
  leaf('messages.0.content', 'You are a lock keeper.', {
    ...first({ role: 'system', content: 'S.' }, user('Hello.')),
    say: 'of system',
  }),
  leaf('messages.0.content', 'You are a lock keeper.', {
    ...first({ role: 'developer', content: 'S.' }, user('Hello.')),
    say: 'of developer',
  }),
  leaf('messages.0.content.0.text', 'You are a lock keeper.', {
    ...first({ role: 'system', content: [text('S.')] }, user('Hello.')),
    say: 'of system',
  }),
  leaf('messages.2.content', 'From now on be brief.', {
    ...first(user('Hello.'), { role: 'assistant', content: 'Hi.' }, { role: 'system', content: 'S.' }, user('And?')),
    say: 'of system, later',
  }),
  leaf('messages.0.content', 'What is a lock?', { say: 'of user' }),
  leaf('messages.0.content.1.text', 'What is a lock?', { ...part(text('T.')), say: 'of user' }),
  leaf('messages.1.content', 'A lock lifts boats.', {
    ...assistant({ content: 'A.' }, user('And?')),
    say: 'of assistant',
  }),
  leaf('messages.1.content.0.text', 'A lock lifts boats.', {
    ...assistant({ content: [text('A.')] }, user('And?')),
    say: 'of assistant',
  }),
  leaf('messages.2.content', 'Sun.', { ...assistant({ content: null, tool_calls: [CALL] }, RESULT), say: 'of tool' }),
  leaf('messages.2.content.0.text', 'Sun.', {
    ...assistant({ content: null, tool_calls: [CALL] }, { ...RESULT, content: [text('T.')] }),
    say: 'of tool',
  }),
  leaf('messages.0.name', 'keeper', { ...first({ role: 'system', content: 'S.' }, user('Hello.')), say: 'of system' }),
  leaf('messages.0.name', 'keeper', {
    ...first({ role: 'developer', content: 'S.' }, user('Hello.')),
    say: 'of developer',
  }),
  leaf('messages.0.name', 'Ann', { say: 'of user' }),
  leaf('messages.1.name', 'Bob', { ...assistant({ content: 'A.' }, user('And?')), say: 'of assistant' }),
  ...['system', 'user', 'assistant', 'tool'].map((role) => {
    const index = role === 'assistant' ? 1 : role === 'tool' ? 2 : 0;
    const messages = {
      system: [{ role, content: 'S.' }, user('Hello.')],
      user: [user('Hello.')],
      assistant: [user('Hello.'), { role, content: 'A.' }, user('And?')],
      tool: [user('Hello.'), { role: 'assistant', content: null, tool_calls: [CALL] }, RESULT],
    }[role];
    return leaf(`messages.${index}.cache_control`, { type: 'ephemeral' }, { context: { messages }, say: `of ${role}` });
  }),
  leaf('messages.0.content.0.cache_control', { type: 'ephemeral' }, first(user([text('Look.')]))),
  leaf(
    'messages.0.content.0.cache_control.ttl',
    '1h',
    first(user([text('Look.', { cache_control: { type: 'ephemeral' } })])),
  ),
  leaf('messages.0.content.0.prompt_cache_breakpoint', { mode: 'explicit' }, first(user([text('Look.')]))),
];

const MEDIA: readonly Leaf[] = [
  leaf(
    'messages.0.content.1',
    { type: 'image_url', image_url: { url: PNG } },
    { ...first(user([text('Look.')])), say: 'image_url, data URI' },
  ),
  leaf(
    'messages.0.content.1',
    { type: 'image_url', image_url: { url: REMOTE_IMAGE } },
    { ...first(user([text('Look.')])), say: 'image_url, https' },
  ),
  ...values('messages.0.content.1.image_url.detail', ['auto', 'low', 'high'], {
    ...part({ type: 'image_url', image_url: { url: PNG } }),
    defaults: ['auto'],
  }),
  ...['wav', 'mp3'].map((format) =>
    leaf(
      'messages.0.content.1',
      { type: 'input_audio', input_audio: { data: 'UklGRg==', format } },
      { ...first(user([text('Listen.')])), say: `input_audio, ${format}` },
    ),
  ),
  leaf(
    'messages.0.content.1',
    { type: 'file', file: { file_data: `data:application/pdf;base64,${PDF}` } },
    { ...first(user([text('Read.')])), say: 'file with file_data' },
  ),
  leaf(
    'messages.0.content.1',
    { type: 'file', file: { data: PDF, media_type: 'application/pdf' } },
    { ...first(user([text('Read.')])), say: 'file with data, media_type' },
  ),
  leaf(
    'messages.0.content.1',
    { type: 'file', file: { file_data: 'data:text/plain;base64,QSBjYW5hbC4=' } },
    { ...first(user([text('Read.')])), say: 'file of text' },
  ),
  leaf(
    'messages.0.content.1',
    { type: 'file', file: { file_id: 'file-123' } },
    { ...first(user([text('Read.')])), say: 'file with file_id' },
  ),
  leaf(
    'messages.0.content.1.file.filename',
    'canal.pdf',
    part({ type: 'file', file: { file_data: `data:application/pdf;base64,${PDF}` } }),
  ),
];

const ASSISTANT: readonly Leaf[] = [
  leaf('messages.1.refusal', 'I will not.', assistant({ content: 'A.' }, user('And?'))),
  leaf(
    'messages.1.content.0',
    { type: 'refusal', refusal: 'I will not.' },
    { ...assistant({ content: [text('A.')] }, user('And?')), say: 'refusal' },
  ),
  leaf('messages.1.tool_calls', [CALL], assistant({ content: 'A.' }, user('And?'))),
  leaf(
    'messages.1.tool_calls.0.function.arguments',
    '{"location":"Rome"}',
    assistant({ content: null, tool_calls: [CALL] }, RESULT),
  ),
  leaf(
    'messages.1.tool_calls.0.extra_content',
    { google: { thought_signature: 'c2lnbmF0dXJl' } },
    assistant({ content: null, tool_calls: [CALL] }, RESULT),
  ),
  leaf(
    'messages.1.tool_calls.0',
    { id: 'call_1', type: 'custom', custom: { name: 'grep', input: 'x' } },
    { ...assistant({ content: null, tool_calls: [CALL] }, RESULT), say: 'custom' },
  ),
  leaf(
    'messages.1.function_call',
    { name: 'get_weather', arguments: '{"location":"Oslo"}' },
    assistant({ content: 'A.' }, user('And?')),
  ),
  leaf('messages.1.audio', { id: 'audio_1' }, assistant({ content: 'A.' }, user('And?'))),
  leaf(
    'messages.1.annotations',
    [{ type: 'url_citation', url_citation: { url: 'https://a.example', title: 'A', start_index: 0, end_index: 1 } }],
    assistant({ content: 'A.' }, user('And?')),
  ),
  leaf(
    'messages.1.images',
    [{ type: 'image_url', image_url: { url: PNG } }],
    assistant({ content: 'A.' }, user('And?')),
  ),
  leaf('messages.1.reasoning', 'Thinking of boats.', assistant({ content: 'A.' }, user('And?'))),
  leaf('messages.1.reasoning_content', 'Thinking of boats.', assistant({ content: 'A.' }, user('And?'))),
  leaf(
    'messages.1.reasoning_details',
    [{ type: 'reasoning.text', text: 'Thinking.', signature: 'c2ln', format: 'anthropic-claude-v1', index: 0 }],
    { ...assistant({ content: 'A.' }, user('And?')), say: 'text, of Claude' },
  ),
  leaf(
    'messages.1.reasoning_details',
    [{ type: 'reasoning.encrypted', data: 'ZGF0YQ==', format: 'anthropic-claude-v1', index: 0 }],
    { ...assistant({ content: 'A.' }, user('And?')), say: 'encrypted, of Claude' },
  ),
  leaf(
    'messages.1.reasoning_details',
    [{ type: 'reasoning.text', text: 'Thinking.', signature: 'c2ln', format: 'google-gemini-v1', index: 0 }],
    { ...assistant({ content: 'A.' }, user('And?')), say: 'text, of Gemini' },
  ),
  leaf(
    'messages.1.reasoning_details',
    [{ type: 'reasoning.summary', summary: 'Thinking.', format: 'openai-responses-v1', index: 0 }],
    { ...assistant({ content: 'A.' }, user('And?')), say: 'summary, of OpenAI' },
  ),
  leaf(
    'messages.1.provider_metadata',
    { gateway: { generationId: 'gen_1' } },
    { ...assistant({ content: 'A.' }, user('And?')), settled: 'gateway' },
  ),
];

const TOOLS: readonly Leaf[] = [
  leaf('tools', [TOOL]),
  leaf('tools.0.function.description', 'Tells the weather of a place', withTools),
  leaf(
    'tools.0.function.parameters',
    { type: 'object', properties: { location: { type: 'string', description: 'A place' } }, required: ['location'] },
    withTools,
  ),
  leaf('tools.0.function.parameters.additionalProperties', false, { ...withTools, say: 'false', settled: 'default' }),
  leaf(
    'tools.0.function.parameters',
    { ...OBJECT, properties: { at: { $ref: '#/$defs/place' } }, $defs: { place: { type: 'string' } } },
    { ...withTools, say: '$ref, $defs' },
  ),
  leaf('tools.0.function.strict', true, {
    context: { tools: [{ type: 'function', function: { ...WEATHER, parameters: SCHEMA } }] },
  }),
  leaf('tools.0.function.strict', false, { ...withTools, say: 'false', settled: 'default' }),
  leaf('tools.0.cache_control', { type: 'ephemeral' }, withTools),
  leaf(
    'tools.1',
    { type: 'custom', custom: { name: 'grep', description: 'Greps' } },
    { context: { tools: [TOOL] }, say: 'custom' },
  ),
  ...values('tool_choice', ['none', 'auto', 'required'], { ...withTools, defaults: ['auto'] }),
  leaf('tool_choice', { type: 'function', function: { name: 'read_clock' } }, { ...withTools, say: 'a function' }),
  leaf(
    'tool_choice',
    { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [CLOCK] } },
    { ...withTools, say: 'allowed_tools, auto' },
  ),
  leaf(
    'tool_choice',
    { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [CLOCK] } },
    { ...withTools, say: 'allowed_tools, required' },
  ),
  leaf('tool_choice', { type: 'custom', custom: { name: 'grep' } }, { ...withTools, say: 'custom' }),
  leaf('parallel_tool_calls', false, withTools),
  leaf('parallel_tool_calls', true, { ...withTools, say: 'true', settled: 'default' }),
  leaf('functions', [WEATHER]),
  ...values('function_call', ['none', 'auto'], { context: { functions: [WEATHER] }, defaults: ['auto'] }),
  leaf('function_call', { name: 'get_weather' }, { context: { functions: [WEATHER] }, say: 'a function' }),
];

const JSON_SCHEMA = { type: 'json_schema', json_schema: { name: 'reply', schema: SCHEMA } };

/** What generators of schemas write beside types, properties and required; as the keyword on a string, a number or a list. */
const KEYWORDS: readonly (readonly [string, Body])[] = [
  ['description', { type: 'string', description: 'A place' }],
  ['title', { type: 'string', title: 'Place' }],
  ['default', { type: 'string', default: 'Oslo' }],
  ['examples', { type: 'string', examples: ['Oslo'] }],
  ['enum', { type: 'string', enum: ['Oslo', 'Rome'] }],
  ['const', { type: 'string', const: 'Oslo' }],
  ['pattern', { type: 'string', pattern: '^[A-Z]' }],
  ['format', { type: 'string', format: 'date-time' }],
  ['format: email', { type: 'string', format: 'email' }],
  ['minLength', { type: 'string', minLength: 1 }],
  ['maxLength', { type: 'string', maxLength: 9 }],
  ['minimum', { type: 'number', minimum: 1 }],
  ['maximum', { type: 'number', maximum: 9 }],
  ['exclusiveMinimum', { type: 'number', exclusiveMinimum: 1 }],
  ['multipleOf', { type: 'number', multipleOf: 2 }],
  ['items', { type: 'array', items: { type: 'number' } }],
  ['prefixItems', { type: 'array', prefixItems: [{ type: 'number' }], items: { type: 'string' } }],
  ['minItems', { type: 'array', items: { type: 'string' }, minItems: 2 }],
  ['maxItems', { type: 'array', items: { type: 'string' }, maxItems: 9 }],
  ['uniqueItems', { type: 'array', items: { type: 'string' }, uniqueItems: true }],
  ['a list of types', { type: ['string', 'null'] }],
  ['anyOf', { anyOf: [{ type: 'string' }, { type: 'number' }] }],
  ['oneOf', { oneOf: [{ type: 'string' }, { type: 'number' }] }],
  ['allOf', { allOf: [{ type: 'string' }, { minLength: 2 }] }],
  ['not', { type: 'string', not: { const: 'Rome' } }],
  ['additionalProperties', { type: 'object', properties: {}, additionalProperties: { type: 'string' } }],
  ['patternProperties', { type: 'object', properties: {}, patternProperties: { '^x': { type: 'string' } } }],
  [
    'minProperties',
    { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false, minProperties: 1 },
  ],
];

/** The property without the keyword is of the plain type. */
const bare = ({ type }: Body): Body => {
  if (type === 'array') return { type, items: { type: 'string' } };
  return type === 'object' ? { type, properties: {} } : { type: type === 'number' ? 'number' : 'string' };
};

const SCHEMAS: readonly Leaf[] = KEYWORDS.flatMap(([keyword, schema]) => [
  leaf('tools.0.function.parameters.properties.at', schema, { ...withTools, instead: bare(schema), say: keyword }),
  leaf('response_format.json_schema.schema.properties.answer', schema, {
    context: { response_format: JSON_SCHEMA },
    instead: bare(schema),
    say: keyword,
  }),
]);

const ANSWER: readonly Leaf[] = [
  leaf('response_format', { type: 'text' }, { say: 'text', settled: 'default' }),
  leaf('response_format', { type: 'json_object' }, { say: 'json_object' }),
  leaf('response_format', JSON_SCHEMA, { say: 'json_schema' }),
  leaf('response_format', { type: 'json' }, { say: 'json (legacy)' }),
  leaf('response_format', { type: 'json', schema: SCHEMA, name: 'reply' }, { say: 'json with schema (legacy)' }),
  leaf('response_format.json_schema.name', 'profile', { context: { response_format: JSON_SCHEMA } }),
  leaf('response_format.json_schema.description', 'Who it is', { context: { response_format: JSON_SCHEMA } }),
  leaf('response_format.json_schema.strict', true, {
    settled: 'default',
    context: { response_format: JSON_SCHEMA },
  }),
  leaf('max_tokens', 77),
  leaf('max_completion_tokens', 77),
  leaf('stop', 'END', { say: 'a string' }),
  leaf('stop', ['END', 'FIN'], { say: 'a list' }),
  leaf('n', 2),
  leaf('n', 1, { say: '1', settled: 'default' }),
  leaf('modalities', ['text'], { say: '["text"]', settled: 'default' }),
  leaf('modalities', ['text', 'audio'], { say: '["text", "audio"]' }),
  leaf('modalities', ['text', 'image'], { say: '["text", "image"]' }),
  leaf('audio', { voice: 'alloy', format: 'wav' }),
  leaf('verbosity', 'low'),
  leaf('prediction', { type: 'content', content: 'A lock lifts boats.' }),
  leaf('logprobs', true),
  leaf('top_logprobs', 3, { context: { logprobs: true } }),
  leaf('stream', true),
  leaf('stream_options.include_usage', true, { context: { stream: true }, settled: 'gateway' }),
  leaf('stream_options.include_obfuscation', true, { context: { stream: true } }),
  leaf('stream_options.include_obfuscation', false, { context: { stream: true }, say: 'false', settled: 'default' }),
];

const SAMPLING: readonly Leaf[] = [
  leaf('temperature', 0.5),
  leaf('temperature', 1.7, { say: 'above 1' }),
  leaf('top_p', 0.5),
  leaf('top_k', 40, { say: 'not OpenAI’s' }),
  leaf('frequency_penalty', 0.5),
  leaf('presence_penalty', 0.5),
  leaf('logit_bias', { 50256: -100 }),
  leaf('seed', 7),
];

const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];
const room: Options = { context: { max_tokens: 20_000 } };
const REASONING: readonly Leaf[] = [
  ...values('reasoning_effort', EFFORTS, { ...room, defaults: ['none'] }),
  ...values('reasoning.effort', EFFORTS, { ...room, defaults: ['none'] }),
  leaf('reasoning.enabled', true, room),
  leaf('reasoning.enabled', false, { ...room, say: 'false', settled: 'default' }),
  leaf('reasoning.max_tokens', 4_096, room),
  leaf('reasoning.exclude', true, { context: { max_tokens: 20_000, reasoning: { effort: 'low' } } }),
];

const SERVICE: readonly Leaf[] = [
  ...values('service_tier', ['auto', 'default', 'flex', 'scale', 'priority', 'fast'], {
    defaults: ['auto', 'default'],
  }),
  leaf('store', true),
  leaf('store', false, { say: 'false', settled: 'default' }),
  leaf('metadata', { ticket: '7' }),
  leaf('user', 'user-7'),
  leaf('safety_identifier', 'user-7'),
  leaf('prompt_cache_key', 'canal'),
  leaf('prompt_cache_retention', '24h'),
  leaf('prompt_cache_options', { mode: 'explicit' }),
  leaf('moderation', { model: 'omni-moderation-latest' }),
  leaf('web_search_options', { search_context_size: 'low' }),
  leaf('web_search_options', {}, { say: '{}' }),
  leaf('a_field_of_next_year', 7, { say: 'unknown to everybody' }),
];

const GATEWAY: readonly Leaf[] = [
  leaf('models', ['a/c'], { settled: 'gateway' }),
  leaf('provider', { order: ['openai'] }, { settled: 'gateway' }),
  leaf('providerOptions.gateway', { order: ['openai'], only: ['openai'] }, { say: 'order, only', settled: 'gateway' }),
  leaf('providerOptions.gateway.models', ['a/c'], { settled: 'gateway' }),
  leaf('providerOptions.gateway.tags', ['t'], { settled: 'gateway' }),
  leaf('providerOptions.gateway.user', 'user-7', { settled: 'gateway' }),
  ...values('providerOptions.gateway.serviceTier', ['flex', 'priority']),
  leaf('providerOptions.gateway.safetyIdentifier', 'user-7'),
  leaf('providerOptions.gateway.strict', true, { settled: 'gateway' }),
  leaf('providerOptions.gateway.caching', 'auto', {
    context: { messages: [{ role: 'system', content: 'S.' }, user('Hello.')] },
    settled: 'gateway',
  }),
];

/** Sections of the document, in order: every leaf of WIRE 2.2, of its nested objects and of the extensions. */
export const SECTIONS: readonly { readonly title: string; readonly leaves: readonly Leaf[] }[] = [
  { title: 'Messages', leaves: MESSAGES },
  { title: 'Images, files, sound', leaves: MEDIA },
  { title: 'Assistant messages sent back', leaves: ASSISTANT },
  { title: 'Tools', leaves: TOOLS },
  { title: 'The answer', leaves: ANSWER },
  { title: 'JSON Schema', leaves: SCHEMAS },
  { title: 'Sampling', leaves: SAMPLING },
  { title: 'Reasoning', leaves: REASONING },
  { title: 'Service', leaves: SERVICE },
  { title: 'The gateway’s own', leaves: GATEWAY },
];
