import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readChatRequest } from '../../chat/index.ts';
import { HEADROOM } from '../../json/index.ts';
import { SseParser } from '../../upstream/index.ts';
import type { Target } from '../dialect.ts';
import { azure } from './dialect.ts';
import { deploymentUrl } from './url.ts';

const target = (apiVersion?: string, baseUrl = 'https://r.openai.azure.com'): Target => ({
  provider: 'my-azure',
  model: 'my deployment',
  baseUrl,
  credentials: { apiKey: 'secret-of-azure' },
  settings: apiVersion === undefined ? {} : { apiVersion },
  maxOutputTokens: 0,
  publisher: '',
});
const context = { generationId: 'gen_01K8KPJ0FZA7172X6CSGNZGDWY', model: 'a/b', created: 0, target: target() };
const METADATA = { json: '{}', atTop: false };

function encode(body: object, to: Target) {
  const bytes = Buffer.from(JSON.stringify({ model: 'a/b', messages: [{ role: 'user', content: 'Hi' }], ...body }));
  const store = Buffer.alloc(HEADROOM + bytes.length + HEADROOM);
  bytes.copy(store, HEADROOM);
  const request = readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
  return azure.encodeChat(request, to, new Map());
}

describe('the address', () => {
  const dated = '/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21';
  const cases: [string | undefined, string | undefined, string][] = [
    ['2024-10-21', undefined, dated],
    ['2024-10-21', 'https://r.openai.azure.com/openai', dated],
    [undefined, undefined, '/openai/v1/chat/completions'],
    ['v1', 'https://r.openai.azure.com/openai/v1', '/openai/v1/chat/completions'],
    ['preview', undefined, '/openai/v1/chat/completions?api-version=preview'],
  ];
  for (const [version, baseUrl, path] of cases) {
    it(`${version ?? 'no version'} at ${baseUrl ?? 'the resource'}`, () => {
      assert.equal(deploymentUrl(target(version, baseUrl), 'chat/completions'), `https://r.openai.azure.com${path}`);
    });
  }
});

describe('requests', () => {
  it('name the deployment, and leave the key to be written in its own header', () => {
    const { body, headers } = encode({ store: true }, target());
    const { model, store } = JSON.parse(body.toString());
    assert.deepEqual([model, store], ['my deployment', true]);
    assert.equal(headers.includes('authorization'), false);
    assert.equal(headers.join(' ').includes('secret-of-azure'), false);
  });

  it('ask for usage where the version knows how', () => {
    const asked = (version?: string): unknown =>
      JSON.parse(encode({ stream: true }, target(version)).body.toString()).stream_options;
    assert.deepEqual(asked('2024-10-21'), { include_usage: true });
    assert.deepEqual(asked(), { include_usage: true });
    assert.equal(asked('2024-06-01'), undefined);
  });
});

describe('answers', () => {
  const recorded = JSON.parse(readFileSync(new URL('./fixtures/azure-text.json', import.meta.url), 'utf8'));

  it(recorded.title, () => {
    const answer = azure.decodeChat(Buffer.from(recorded.upstream.blocks.join('')), context);
    const { choices, usage } = JSON.parse(answer.render(METADATA).toString());
    assert.equal(choices[0].message.content, recorded.expect.text);
    assert.equal(choices[0].finish_reason, recorded.expect.finish);
    assert.equal(usage.total_tokens, recorded.expect.usage.total);
    assert.equal(answer.usage?.reasoning, recorded.expect.usage.reasoning);
  });

  it('in a stream begin with the filter, and text between tags is text', () => {
    const choice = (delta: object, finish_reason: string | null = null) => ({
      id: 'x',
      object: 'chat.completion.chunk',
      model: 'gpt',
      choices: [{ index: 0, delta, finish_reason, content_filter_results: {}, logprobs: null }],
    });
    const chunks = [
      { id: '', object: '', model: '', created: 0, choices: [], prompt_filter_results: [{ prompt_index: 0 }] },
      choice({ role: 'assistant', content: '', refusal: null }),
      choice({ content: '<think>' }),
      choice({ content: 'x' }),
      choice({}, 'stop'),
      { id: 'x', choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } },
    ];
    const decoder = azure.streamDecoder({ ...context, includeUsage: false, choices: 1 });
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
    for (const chunk of chunks) parser.feed(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`));
    parser.feed(Buffer.from('data: [DONE]\n\n'));
    decoder.finish(METADATA, out);
    const frames = sent
      .split('\n\n')
      .slice(0, -2)
      .map((frame) => JSON.parse(frame.slice('data: '.length)));
    assert.ok(frames.every(({ choices }) => choices.length === 1));
    assert.equal(frames.map(({ choices }) => choices[0].delta.content ?? '').join(''), '<think>x');
    assert.equal(decoder.progress.usage?.uncachedInput, 3);
  });
});

describe('errors', () => {
  const decode = (status: number, body: unknown) =>
    azure.decodeError({
      status,
      body: Buffer.from(JSON.stringify(body)),
      provider: 'my-azure',
      now: 0,
      header: () => undefined,
    });
  const filtered = { code: 'ResponsibleAIPolicyViolation', content_filter_result: { hate: { filtered: true } } };
  const cases: [string, number, unknown, string, number, string | null][] = [
    [
      'the content filter',
      400,
      { error: { message: 'Filtered.', code: 'content_filter', status: 400, innererror: filtered } },
      'content_filter',
      400,
      'content_filter',
    ],
    [
      'the content filter by its inner error alone',
      400,
      { error: { message: 'Filtered.', code: '400', innererror: filtered } },
      'content_filter',
      400,
      'content_filter',
    ],
    [
      'no such deployment',
      404,
      { error: { code: 'DeploymentNotFound', message: 'The API deployment for this resource does not exist.' } },
      'bad_request',
      404,
      'DeploymentNotFound',
    ],
    [
      'an exhausted account',
      429,
      { error: { code: 'insufficient_quota', message: 'You exceeded your current quota.' } },
      'auth',
      502,
      'provider_payment_required',
    ],
    [
      'a wrong key',
      401,
      { error: { code: '401', message: 'Access denied due to invalid subscription key.' } },
      'auth',
      502,
      'provider_auth_failed',
    ],
    [
      'a wrong key, by the gateway in front',
      401,
      { statusCode: 401, message: 'Unauthorized. Access token is missing.' },
      'auth',
      502,
      'provider_auth_failed',
    ],
    [
      'too many requests',
      429,
      { error: { code: '429', message: 'Requests have exceeded call rate limit.' } },
      'rate_limited',
      429,
      '429',
    ],
    [
      'too long',
      400,
      { error: { code: 'context_length_exceeded', message: "This model's maximum context length is 8192 tokens." } },
      'context_length',
      400,
      'context_length_exceeded',
    ],
    ['an unknown version', 404, { error: { code: '404', message: 'Resource not found' } }, 'bad_request', 404, '404'],
  ];
  for (const [what, status, body, failure, shown, code] of cases) {
    it(what, () => {
      const error = decode(status, body);
      assert.deepEqual([error.failure, error.status, error.code], [failure, shown, code]);
    });
  }
});
