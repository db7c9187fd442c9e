import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { promptTokens } from '../../../chat/index.ts';
import { GatewayError } from '../../../errors/index.ts';
import { SseParser } from '../../../upstream/index.ts';
import type { Target } from '../../dialect.ts';
import { openai } from '../dialect.ts';

const target = (provider: string): Target => ({
  provider,
  model: 'm',
  baseUrl: 'http://127.0.0.1:1/v1',
  credentials: {},
  settings: {},
  maxOutputTokens: 0,
  publisher: '',
});
const context = (provider: string) => ({
  generationId: 'gen_01K8KPJ0FZA7172X6CSGNZGDWY',
  model: 'a/b',
  created: 0,
  target: target(provider),
});
const METADATA = { json: '{}', atTop: false };

interface Answer {
  content: string | null;
  reasoning: string | null;
  details: unknown;
  finish: string | null;
  usage: Record<string, unknown> | undefined;
}

function whole(provider: string, message: object, rest: object = {}, finish = 'stop'): Answer {
  const body = {
    id: 'x',
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, message, finish_reason: finish }],
    ...rest,
  };
  const answer = openai.decodeChat(Buffer.from(JSON.stringify(body)), context(provider));
  const { choices, usage } = JSON.parse(answer.render(METADATA).toString());
  assert.equal('reasoning_content' in choices[0].message, false);
  const { content = null, reasoning = null, reasoning_details: details } = choices[0].message;
  return { content: content || null, reasoning, details, finish: choices[0].finish_reason, usage };
}

function stream(provider: string, chunks: readonly object[], cuts: readonly number[] = [1_000]): Answer {
  const decoder = openai.streamDecoder({ ...context(provider), includeUsage: true, choices: 1 });
  let sent = '';
  const out = {
    bytes: (piece: Buffer, start = 0, end = piece.length) => {
      sent += piece.toString('utf8', start, end);
    },
    text: (piece: string) => {
      sent += piece;
    },
  };
  const parser = new SseParser({ onEvent: (data, name) => decoder.event(data, name, out) });
  const bytes = Buffer.from(`${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = cuts[i % cuts.length] ?? 1;
    parser.feed(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  assert.ok(decoder.progress.complete && decoder.progress.ended);
  decoder.finish(METADATA, out);
  const answer: Answer = { content: null, reasoning: null, details: undefined, finish: null, usage: undefined };
  let details = '';
  for (const frame of sent.split('\n\n').slice(0, -2)) {
    const { choices, usage } = JSON.parse(frame.slice('data: '.length));
    if (usage) answer.usage = usage;
    for (const { delta, finish_reason } of choices) {
      // A null may pass: chunks of text go on as they came.
      assert.equal(delta.reasoning_content ?? null, null);
      if (delta.content) answer.content = (answer.content ?? '') + delta.content;
      if (delta.reasoning) answer.reasoning = (answer.reasoning ?? '') + delta.reasoning;
      for (const detail of delta.reasoning_details ?? []) details += detail.text;
      answer.finish = finish_reason ?? answer.finish;
    }
  }
  if (details !== '') answer.details = [{ type: 'reasoning.text', text: details, format: 'unknown', index: 0 }];
  return answer;
}

const chunk = (delta: object, finish_reason: string | null = null, rest: object = {}) => ({
  id: 'x',
  object: 'chat.completion.chunk',
  model: 'm',
  choices: [{ index: 0, delta, finish_reason }],
  ...rest,
});

const detail = (text: string) => [{ type: 'reasoning.text', text, format: 'unknown', index: 0 }];

describe('reasoning comes out the same, however it is said', () => {
  const spelled: [string, string, object, object[]][] = [
    [
      'deepseek',
      'reasoning_content',
      { role: 'assistant', content: 'Hi.', reasoning_content: 'Let me see.' },
      [
        { role: 'assistant', content: null, reasoning_content: 'Let me ' },
        { content: null, reasoning_content: 'see.' },
        { content: 'H', reasoning_content: null },
        { content: 'i.', reasoning_content: null },
      ],
    ],
    [
      'groq',
      'reasoning',
      { role: 'assistant', content: 'Hi.', reasoning: 'Let me see.' },
      [{ role: 'assistant', reasoning: 'Let me ' }, { reasoning: 'see.' }, { content: 'H' }, { content: 'i.' }],
    ],
    [
      'vllm',
      'both names at once',
      { role: 'assistant', content: 'Hi.', reasoning: 'Let me see.', reasoning_content: 'Let me see.' },
      [{ reasoning: 'Let me see.', reasoning_content: 'Let me see.' }, { content: 'Hi.' }],
    ],
    [
      'ollama',
      'tags',
      { role: 'assistant', content: '<think>\nLet me see.\n</think>\n\nHi.' },
      [
        { role: 'assistant', content: '<th' },
        { content: 'ink>\nLet' },
        { content: ' me see.\n</' },
        { content: 'think>\n' },
        { content: '\nH' },
        { content: 'i.' },
      ],
    ],
    [
      'of-the-operator',
      'tags from a provider that is not known',
      { role: 'assistant', content: '<think>Let me see.</think>Hi.' },
      [{ content: '<think>Let me see.</think>Hi.' }],
    ],
    [
      'mistral',
      'parts',
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: [{ type: 'text', text: 'Let me see.' }] },
          { type: 'text', text: 'Hi.' },
        ],
      },
      [
        { role: 'assistant', content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Let me ' }] }] },
        { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'see.' }] }] },
        { content: [{ type: 'text', text: 'H' }] },
        { content: 'i.' },
      ],
    ],
  ];
  for (const [provider, how, message, deltas] of spelled) {
    it(`${provider}: ${how}`, () => {
      const expected = {
        content: 'Hi.',
        reasoning: 'Let me see.',
        details: detail('Let me see.'),
        finish: 'stop',
        usage: undefined,
      };
      assert.deepEqual(whole(provider, message), expected);
      const chunks = [...deltas.map((delta) => chunk(delta)), chunk({}, 'stop')];
      for (const cut of [1, 3, 1_000]) assert.deepEqual(stream(provider, chunks, [cut]), expected);
    });
  }

  it("details of the provider's own stay as they are", () => {
    const own = [{ type: 'reasoning.encrypted', data: 'abc', format: 'openai-responses-v1', index: 0 }];
    const { details } = whole('openrouter', { content: 'x', reasoning: 'y', reasoning_details: own });
    assert.deepEqual(details, own);
  });

  it("OpenAI's own text is never taken apart", () => {
    const text = '<think>quoted</think>';
    assert.equal(whole('openai', { role: 'assistant', content: text }).content, text);
    assert.equal(stream('openai', [chunk({ role: 'assistant', content: text }), chunk({}, 'stop')]).content, text);
  });

  it('a thought that is cut off by the limit is none of the text', () => {
    const chunks = [chunk({ content: '<think>a' }), chunk({ content: ' b</thi' }), chunk({}, 'length')];
    const expected = {
      content: null,
      reasoning: 'a b</thi',
      details: detail('a b</thi'),
      finish: 'length',
      usage: undefined,
    };
    assert.deepEqual(stream('together', chunks), expected);
    assert.deepEqual(whole('together', { content: '<think>a b</thi' }, {}, 'length'), expected);
  });

  it('text behind the tags passes as its own bytes again', () => {
    const chunks = [
      chunk({ content: '<think>a</think>' }),
      ...['b', 'c', '<think>', 'd'].map((content) => chunk({ content })),
    ];
    assert.equal(stream('vllm', [...chunks, chunk({}, 'stop')]).content, 'bc<think>d');
  });
});

it('law 1: the stream is the whole answer, whatever the text is cut into', () => {
  const piece = fc.constantFrom('<think>', '</think>', '<', 'think>', '\n', ' ', 'a', 'ü', '"', '😀');
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 10 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
      (pieces, cuts) => {
        const streamed = stream('vllm', [...pieces.map((content) => chunk({ content })), chunk({}, 'stop')], cuts);
        assert.deepEqual(streamed, whole('vllm', { content: pieces.join('') }));
      },
    ),
    { numRuns: 200 },
  );
});

describe('finish reasons', () => {
  const known: [string, string][] = [
    ['eos', 'stop'],
    ['end_turn', 'stop'],
    ['model_length', 'length'],
    ['max_tokens', 'length'],
    ['sensitive', 'content_filter'],
  ];
  for (const [theirs, ours] of known) {
    it(`${theirs} is ${ours}`, () => {
      assert.equal(whole('together', { content: 'x' }, {}, theirs).finish, ours);
      assert.equal(stream('together', [chunk({ content: 'x' }), chunk({}, theirs)]).finish, ours);
    });
  }
  for (const reason of ['error', 'insufficient_system_resource', 'abort', 'constructor']) {
    it(`${reason} is an error`, () => {
      assert.throws(() => whole('deepseek', { content: 'x' }, {}, reason), GatewayError);
      assert.throws(() => stream('deepseek', [chunk({ content: 'x' }), chunk({}, reason)]), GatewayError);
    });
  }
});

describe('usage in disjoint buckets', () => {
  const counts: [string, object, object, object][] = [
    [
      'deepseek: hits of the cache',
      {
        prompt_tokens: 100,
        completion_tokens: 7,
        total_tokens: 107,
        prompt_cache_hit_tokens: 64,
        prompt_cache_miss_tokens: 36,
      },
      { uncachedInput: 36, cacheRead: 64, cacheWrite: null, output: 7, reasoning: null },
      { prompt_tokens: 100, completion_tokens: 7, total_tokens: 107 },
    ],
    [
      'moonshot: cached_tokens',
      { prompt_tokens: 100, completion_tokens: 7, total_tokens: 107, cached_tokens: 10 },
      { uncachedInput: 90, cacheRead: 10, cacheWrite: null, output: 7, reasoning: null },
      { prompt_tokens: 100, completion_tokens: 7, total_tokens: 107 },
    ],
    [
      'xai: reasoning beside the completion',
      {
        prompt_tokens: 32,
        completion_tokens: 9,
        total_tokens: 135,
        prompt_tokens_details: { text_tokens: 32, cached_tokens: 6 },
        completion_tokens_details: { reasoning_tokens: 94 },
      },
      { uncachedInput: 26, cacheRead: 6, cacheWrite: null, output: 9, reasoning: 94 },
      { prompt_tokens: 32, completion_tokens: 103, total_tokens: 135 },
    ],
    [
      'openai: reasoning within the completion',
      {
        prompt_tokens: 8,
        completion_tokens: 271,
        total_tokens: 279,
        completion_tokens_details: { reasoning_tokens: 192 },
      },
      { uncachedInput: 8, cacheRead: null, cacheWrite: null, output: 79, reasoning: 192 },
      { prompt_tokens: 8, completion_tokens: 271, total_tokens: 279 },
    ],
  ];
  for (const [name, raw, buckets, shown] of counts) {
    it(name, () => {
      const provider = name.split(':')[0] ?? '';
      const body = { choices: [{ index: 0, message: { content: 'x' }, finish_reason: 'stop' }], usage: raw };
      const answer = openai.decodeChat(Buffer.from(JSON.stringify(body)), context(provider));
      assert.deepEqual(answer.usage, buckets);
      const { usage } = whole(provider, { content: 'x' }, { usage: raw });
      assert.deepEqual({ ...usage, ...shown }, usage);
      // On the last content chunk, and on one of its own.
      for (const chunks of [
        [chunk({ content: 'x' }), chunk({}, 'stop', { usage: raw })],
        [chunk({ content: 'x' }), chunk({}, 'stop'), { choices: [], usage: raw }],
      ]) {
        assert.deepEqual(stream(provider, chunks).usage, usage);
      }
    });
  }

  it("is found in Groq's and Moonshot's places", () => {
    const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
    const groq = [chunk({ content: 'x' }), chunk({}, 'stop', { x_groq: { id: 'r', usage } })];
    assert.deepEqual(stream('groq', groq).usage, usage);
    const last = { ...chunk({}, 'stop'), choices: [{ index: 0, delta: {}, finish_reason: 'stop', usage }] };
    assert.deepEqual(stream('moonshot', [chunk({ content: 'x' }), last]).usage, usage);
  });

  it('law 4: the buckets add up to what is shown', () => {
    const nat = fc.nat(1_000);
    fc.assert(
      fc.property(nat, nat, nat, nat, fc.boolean(), (miss, hit, said, thought, beside) => {
        const raw = {
          prompt_tokens: miss + hit,
          prompt_cache_hit_tokens: hit,
          completion_tokens: beside ? said : said + thought,
          total_tokens: miss + hit + said + thought,
          completion_tokens_details: { reasoning_tokens: thought },
        };
        const body = { choices: [{ message: { content: 'x' }, finish_reason: 'stop' }], usage: raw };
        const { usage } = openai.decodeChat(Buffer.from(JSON.stringify(body)), context('xai'));
        assert.ok(usage);
        assert.deepEqual(
          [usage.uncachedInput, usage.cacheRead, usage.output, usage.reasoning],
          [miss, hit, said, thought],
        );
        assert.equal(promptTokens(usage), miss + hit);
      }),
    );
  });
});
