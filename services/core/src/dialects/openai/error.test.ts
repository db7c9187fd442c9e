import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorType, FailureClass, GatewayError } from '../../errors/index.ts';
import { decodeOpenAiError, decodeOpenAiStreamError } from './error.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

function decode(status: number, body: unknown, headers: Record<string, string> = {}): GatewayError {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return decodeOpenAiError({ status, body: bytes, provider: 'acme', now: NOW, header: (name) => headers[name] });
}

const openai = (message: string, rest: object = {}): object => ({
  error: { message, type: 'x', param: null, code: null, ...rest },
});

describe('decodeOpenAiError', () => {
  const table: [
    name: string,
    status: number,
    body: unknown,
    FailureClass,
    ErrorType,
    clientStatus: number,
    message: RegExp,
  ][] = [
    ['429', 429, openai('Slow down'), 'rate_limited', 'rate_limit_exceeded', 429, /^Slow down$/],
    ['429 without words', 429, '', 'rate_limited', 'rate_limit_exceeded', 429, /acme is rate limiting/],
    [
      "401: our key, not the caller's",
      401,
      openai('Incorrect API key provided: sk-abc123'),
      'auth',
      'upstream_error',
      502,
      /acme refused the gateway's credentials/,
    ],
    [
      '403',
      403,
      openai('Country not supported'),
      'auth',
      'upstream_error',
      502,
      /acme refused the gateway's credentials/,
    ],
    [
      '400 with the code of a bad key',
      400,
      openai('bad key', { code: 'invalid_api_key' }),
      'auth',
      'upstream_error',
      502,
      /refused the gateway's credentials/,
    ],
    ['500', 500, openai('Boom'), 'overloaded', 'upstream_error', 502, /^Boom$/],
    [
      '500 with a page',
      500,
      '<html><body>Boom at 10.0.0.1</body></html>',
      'overloaded',
      'upstream_error',
      502,
      /^The provider acme failed \(status 500\)\.$/,
    ],
    ['503', 503, openai('Busy'), 'overloaded', 'service_unavailable', 503, /^Busy$/],
    ['529', 529, openai('Overloaded'), 'overloaded', 'service_unavailable', 503, /^Overloaded$/],
    ['504', 504, '', 'overloaded', 'upstream_timeout', 504, /acme failed/],
    ['408', 408, openai('Late'), 'overloaded', 'upstream_timeout', 504, /^Late$/],
    ['409', 409, openai('Conflict'), 'overloaded', 'upstream_error', 502, /^Conflict$/],
    ['a redirect', 302, '', 'overloaded', 'upstream_error', 502, /status 302/],
    ['400', 400, openai('Bad n', { param: 'n' }), 'bad_request', 'invalid_request_error', 400, /^Bad n$/],
    ["402: our money, not the caller's", 402, openai('Pay'), 'auth', 'upstream_error', 502, /^The gateway's account/],
    [
      '429 of an exhausted account',
      429,
      openai('You exceeded your current quota', { type: 'insufficient_quota', code: 'insufficient_quota' }),
      'auth',
      'upstream_error',
      502,
      /^The gateway's account at the provider acme is exhausted\.$/,
    ],
    [
      '400 of a spending limit',
      400,
      openai('Billing hard limit has been reached', { code: 'billing_hard_limit_reached' }),
      'auth',
      'upstream_error',
      502,
      /acme is exhausted/,
    ],
    ['404', 404, openai('No such model'), 'bad_request', 'model_not_found', 404, /^No such model$/],
    ['413', 413, openai('Too big'), 'bad_request', 'request_too_large', 413, /^Too big$/],
    [
      '422 of FastAPI',
      422,
      { detail: [{ loc: ['body'], msg: 'field required' }, { msg: 'too short' }] },
      'bad_request',
      'unprocessable_entity',
      422,
      /^field required; too short$/,
    ],
    ['424', 424, openai('Dep'), 'bad_request', 'failed_dependency', 424, /^Dep$/],
    ['418', 418, '', 'bad_request', 'invalid_request_error', 400, /acme refused the request \(status 418\)/],
    [
      'too long, by code',
      400,
      openai('Long', { code: 'context_length_exceeded', param: 'messages' }),
      'context_length',
      'invalid_request_error',
      400,
      /^Long$/,
    ],
    [
      'too long, by words',
      400,
      openai("This model's maximum context length is 8192 tokens"),
      'context_length',
      'invalid_request_error',
      400,
      /8192/,
    ],
    [
      'too long, and 422',
      422,
      { detail: 'exceeds the context window' },
      'context_length',
      'invalid_request_error',
      400,
      /window/,
    ],
    [
      'the words of a long context under 500',
      500,
      openai('context window service down'),
      'overloaded',
      'upstream_error',
      502,
      /down/,
    ],
    [
      'a content filter',
      400,
      openai('Filtered', { code: 'content_filter' }),
      'content_filter',
      'invalid_request_error',
      400,
      /^Filtered$/,
    ],
    [
      'a content policy',
      400,
      openai('Policy', { code: 'content_policy_violation' }),
      'content_filter',
      'invalid_request_error',
      400,
      /^Policy$/,
    ],
    ['error as text', 400, { error: 'Plain' }, 'bad_request', 'invalid_request_error', 400, /^Plain$/],
    ['message beside', 400, { message: 'Beside', code: 7 }, 'bad_request', 'invalid_request_error', 400, /^Beside$/],
    ['detail', 400, { detail: 'Detail' }, 'bad_request', 'invalid_request_error', 400, /^Detail$/],
    ['in an array', 400, [openai('Wrapped')], 'bad_request', 'invalid_request_error', 400, /^Wrapped$/],
    ['null', 400, 'null', 'bad_request', 'invalid_request_error', 400, /refused the request/],
    [
      'a message that is no text',
      400,
      { error: { message: { a: 1 } } },
      'bad_request',
      'invalid_request_error',
      400,
      /refused the request/,
    ],
    ['an empty list', 400, '[]', 'bad_request', 'invalid_request_error', 400, /refused the request/],
  ];
  for (const [name, status, body, failure, type, clientStatus, message] of table) {
    it(name, () => {
      const error = decode(status, body);
      assert.deepEqual([error.failure, error.type, error.status], [failure, type, clientStatus]);
      assert.match(error.message, message);
    });
  }

  it('keeps param and code', () => {
    const error = decode(400, openai('Bad', { param: 'top_p', code: 'unsupported_parameter' }));
    assert.deepEqual(error.toBody(), {
      error: { message: 'Bad', type: 'invalid_request_error', param: 'top_p', code: 'unsupported_parameter' },
    });
    assert.equal(decode(400, { error: { message: 'x', code: 1234 } }).code, '1234');
    assert.equal(decode(400, openai('Long', { code: 'context_length_exceeded' })).param, 'messages');
  });

  it('names an exhausted account in a stream, too', () => {
    const error = decodeOpenAiStreamError({ message: 'quota', type: 'insufficient_quota' });
    assert.deepEqual([error.failure, error.code, error.status], ['auth', 'provider_payment_required', 502]);
  });

  it('keeps how long to wait', () => {
    const wait = (headers: Record<string, string>, status = 429): number | undefined =>
      decode(status, openai('x'), headers).retryAfterMs;
    assert.equal(wait({ 'retry-after': '2' }), 2_000);
    assert.equal(wait({ 'retry-after': '1.5' }), 1_500);
    assert.equal(wait({ 'retry-after': '2', 'retry-after-ms': '150' }), 150);
    assert.equal(wait({ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }), 30_000);
    assert.equal(wait({ 'retry-after': 'Thu, 01 Jan 2020 00:00:00 GMT' }), 0);
    assert.equal(wait({ 'retry-after': '1e300' }), 24 * 60 * 60 * 1000);
    for (const nonsense of ['', ' ', 'soon', '-1', 'NaN', 'Infinity'])
      assert.equal(wait({ 'retry-after': nonsense }), undefined, nonsense);
    assert.equal(wait({ 'retry-after': '3' }, 503), 3_000);
    assert.equal(wait({}, 503), undefined, 'what it did not say');
    assert.equal(wait({}, 500), undefined);
  });

  it("cuts keys out of the provider's words, and nothing else", () => {
    const said = (message: string): string => decode(400, openai(message)).message;
    const secrets = [
      'sk-proj-abcDEF123456',
      'gsk_a1b2c3d4e5',
      'xai-0123456789',
      'hg_live_1234567',
      'sk-****abcd',
      'AIzaSyA1234567890abc',
      'eyJhbGciOiJIUzI1NiJ9.e30.x_y',
    ];
    for (const secret of secrets) assert.equal(said(`The key ${secret} is bad.`), 'The key [redacted] is bad.', secret);
    assert.equal(said('Authorization: Bearer abc.def-123 failed'), 'Authorization: [redacted] failed');
    for (const words of [
      "Unknown key provided: 'tools'",
      'The parameter prompt_cache_key is new',
      'key-value pairs expected',
      'Use max_completion_tokens',
    ]) {
      assert.equal(said(words), words);
    }
    assert.equal(said('x'.repeat(10_000)).length, 2_000);
  });
});
