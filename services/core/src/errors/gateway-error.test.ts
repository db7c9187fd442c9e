import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ERROR_STATUS, GatewayError, toGatewayError } from './gateway-error.ts';

describe('GatewayError', () => {
  it('has the status of its type, unless told otherwise', () => {
    assert.equal(new GatewayError('rate_limit_exceeded', 'x').status, 429);
    assert.equal(new GatewayError('upstream_error', 'x', { status: 500 }).status, 500);
    for (const status of Object.values(ERROR_STATUS)) assert.ok(status >= 400 && status < 600);
  });

  it('has a body of four fields, always', () => {
    assert.deepEqual(new GatewayError('not_found', 'x').toBody(), {
      error: { message: 'x', type: 'not_found', param: null, code: null },
    });
    const full = new GatewayError('model_not_found', 'x', {
      param: { modelId: 'm' },
      code: 'c',
      cause: new Error('inner 10.0.0.1'),
    });
    assert.deepEqual(full.toBody(), {
      error: { message: 'x', type: 'model_not_found', param: { modelId: 'm' }, code: 'c' },
    });
  });

  it('tells SDKs what to do next (WIRE 2.12)', () => {
    const headers = (options: ConstructorParameters<typeof GatewayError>[2]) =>
      new GatewayError('service_unavailable', 'x', options).headers();
    assert.deepEqual(headers({ retryAfterMs: 1_500.5 }), { 'retry-after-ms': '1501', 'retry-after': '2' });
    assert.deepEqual(headers({ retryAfterMs: -5 }), { 'retry-after-ms': '0', 'retry-after': '0' });
    assert.deepEqual(headers({ shouldRetry: false }), { 'x-should-retry': 'false' });
    assert.deepEqual(headers({ headers: { allow: 'GET' } }), { allow: 'GET' });
    assert.equal(headers({ retryAfterMs: 60_000 })['x-should-retry'], undefined);
    assert.equal(headers({ retryAfterMs: 60_001 })['x-should-retry'], 'false');
    assert.equal(headers({ retryAfterMs: 90_000, shouldRetry: true })['x-should-retry'], 'true');
  });

  it('cuts credentials out of what a provider said, but not short words', () => {
    const error = new GatewayError('upstream_error', 'bad key 0123456789abcdef (0123456789abcdef), none given');
    assert.equal(error.cutOut(['0123456789abcdef', 'none', '']).message, 'bad key [redacted] ([redacted]), none given');
  });
});

describe('toGatewayError', () => {
  it('shows nothing of an unknown error', () => {
    const error = toGatewayError(new TypeError('secret is not a function at /app/x.js'));
    assert.equal(error.status, 500);
    assert.equal(JSON.stringify(error.toBody()).includes('secret'), false);
    assert.ok(error.cause instanceof TypeError);
    assert.equal(toGatewayError(error), error);
    assert.equal(toGatewayError(null).status, 500);
  });
});
