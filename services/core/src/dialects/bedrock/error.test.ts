import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeBedrockError } from './error.ts';

function decode(status: number, body: unknown, headers: Record<string, string> = {}) {
  return decodeBedrockError({
    status,
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    provider: 'bedrock',
    now: 0,
    header: (name) => headers[name],
  });
}

const named = (status: number, type: string, message: string) =>
  decode(status, { message }, { 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` });

describe('exceptions', () => {
  const cases: [number, string, string, string, number, string | null][] = [
    [429, 'ThrottlingException', 'Too many requests', 'rate_limited', 429, 'ThrottlingException'],
    [
      400,
      'ThrottlingException',
      'Too many tokens, please wait before trying again.',
      'rate_limited',
      429,
      'ThrottlingException',
    ],
    [400, 'ServiceQuotaExceededException', 'Quota', 'rate_limited', 429, 'ServiceQuotaExceededException'],
    [429, 'ModelNotReadyException', 'The model is not ready', 'overloaded', 503, 'ModelNotReadyException'],
    [503, 'ServiceUnavailableException', 'Busy', 'overloaded', 503, 'ServiceUnavailableException'],
    [500, 'InternalServerException', 'Oops', 'overloaded', 502, 'InternalServerException'],
    [424, 'ModelErrorException', 'Oops', 'overloaded', 502, 'ModelErrorException'],
    [408, 'ModelTimeoutException', 'Took too long.', 'silent', 504, 'ModelTimeoutException'],
    [403, 'AccessDeniedException', "You don't have access", 'auth', 502, 'provider_auth_failed'],
    [403, 'UnrecognizedClientException', 'The security token is invalid', 'auth', 502, 'provider_auth_failed'],
    [400, 'ExpiredTokenException', 'Expired', 'auth', 502, 'provider_auth_failed'],
    [403, 'InvalidSignatureException', 'The request signature', 'auth', 502, 'provider_auth_failed'],
    [404, 'ResourceNotFoundException', 'Could not resolve the model', 'bad_request', 404, 'ResourceNotFoundException'],
    [400, 'ValidationException', 'The text field is blank', 'bad_request', 400, 'ValidationException'],
    [
      400,
      'ValidationException',
      'Input is too long for requested model.',
      'context_length',
      400,
      'context_length_exceeded',
    ],
    [
      400,
      'ValidationException',
      'prompt is too long: 200001 tokens > 200000 maximum',
      'context_length',
      400,
      'context_length_exceeded',
    ],
    [
      400,
      'ValidationException',
      'Too many input tokens. Max input tokens: 8192',
      'context_length',
      400,
      'context_length_exceeded',
    ],
    [
      400,
      'ValidationException',
      'The maximum tokens you requested exceeds the model limit of 4096.',
      'bad_request',
      400,
      'ValidationException',
    ],
    [400, 'ValidationException', 'Output blocked by content filtering policy', 'content_filter', 400, 'content_filter'],
  ];
  for (const [status, type, message, failure, shown, code] of cases) {
    it(`${type}: ${message}`, () => {
      const error = named(status, type, message);
      assert.deepEqual([error.failure, error.status, error.code], [failure, shown, code]);
      // Our credentials are no business of the client's.
      assert.equal(error.message.includes(message), failure !== 'auth');
    });
  }
});

describe('bodies', () => {
  it('name the exception where no header does', () => {
    assert.equal(
      decode(400, { __type: 'com.amazon.coral.service#ThrottlingException', Message: 'slow' }).failure,
      'rate_limited',
    );
    assert.equal(
      decode(404, { Output: { __type: 'com.amazon.coral.service#UnknownOperationException' }, Version: '1.0' }).status,
      404,
    );
  });

  it('of others have their status to go by', () => {
    assert.equal(decode(502, '<html>Bad gateway</html>').failure, 'overloaded');
    assert.equal(decode(403, '{"message":"Forbidden"}').failure, 'auth');
    assert.equal(decode(402, '').code, 'provider_payment_required');
    assert.equal(decode(429, '').failure, 'rate_limited');
    assert.equal(decode(400, '{"message":"What?"}').message, 'What?');
    assert.equal(decode(400, 'null').failure, 'bad_request');
  });

  it('come with the wait that is asked for', () => {
    assert.equal(decode(429, { message: 'x' }, { 'retry-after': '2' }).retryAfterMs, 2_000);
  });
});

describe('a permission that is missing', () => {
  const denied = (action: string) =>
    named(
      403,
      'AccessDeniedException',
      `User: arn:aws:iam::1:user/u is not authorized to perform: ${action} on resource: r`,
    );

  it('says when it is that for streams, and keeps the rest to itself', () => {
    const { failure, param, message } = denied('bedrock:InvokeModelWithResponseStream');
    assert.deepEqual([failure, param], ['auth', 'stream']);
    assert.ok(!message.includes('arn:'));
    assert.equal(denied('bedrock:InvokeModel').param, null);
  });
});
