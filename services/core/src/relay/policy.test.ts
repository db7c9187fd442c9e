import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type FailureClass, GatewayError } from '../errors/index.ts';
import { finalError, MAX_ATTEMPTS, nextStep, retryDelayMs, spreadMs } from './policy.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

describe('nextStep', () => {
  it('is the table of DESIGN 6', () => {
    const table: Record<FailureClass, ReturnType<typeof nextStep>> = {
      rate_limited: 'next_endpoint',
      overloaded: 'retry_here',
      silent: 'next_endpoint',
      auth: 'next_endpoint',
      context_length: 'next_model',
      content_filter: 'give_up',
      bad_request: 'give_up',
      empty_success: 'next_endpoint',
      stream_broken: 'next_endpoint',
    };
    for (const [failure, step] of Object.entries(table)) {
      assert.equal(nextStep(failure as FailureClass, false), step, failure);
      assert.equal(nextStep(failure as FailureClass, true), step === 'retry_here' ? 'next_endpoint' : step, failure);
    }
  });
});

it('retryDelayMs spreads over a quarter of a second and never is none', () => {
  for (const random of [0, 0.5, 0.999_999]) {
    const ms = retryDelayMs(random);
    assert.ok(ms >= 50 && ms < 250);
  }
  assert.notEqual(retryDelayMs(0.1), retryDelayMs(0.9));
});

it('a wait is spread by a tenth, a quarter of a second at most, and never shortened', () => {
  assert.deepEqual([spreadMs(0, 0.999), spreadMs(1_000, 0), spreadMs(1_000, 0.999)], [0, 0, 99]);
  assert.equal(spreadMs(60_000, 0.999), 249);
});

describe('finalError', () => {
  const limited = (retryAfterMs: number) =>
    new GatewayError('rate_limit_exceeded', 'slow', { failure: 'rate_limited', retryAfterMs });
  const busy = new GatewayError('service_unavailable', 'busy', {
    failure: 'overloaded',
    retryAfterMs: 1_000,
    code: 'c',
  });
  const auth = new GatewayError('upstream_error', 'auth', { failure: 'auth' });
  const bad = new GatewayError('invalid_request_error', 'bad', { failure: 'bad_request', param: 'n' });
  const deadline = new GatewayError('upstream_timeout', 'late', { shouldRetry: false });

  it('is a 429 only where all were, and says how long until the first may be asked again', () => {
    const all = [limited(5_000), limited(2_000), limited(9_000)];
    assert.equal(finalError(all, 1_500).retryAfterMs, 1_500);
    assert.deepEqual([finalError(all, 1_500).status, finalError(all, 1_500).failure], [429, 'rate_limited']);
    assert.equal(finalError([limited(5_000), auth]).type, 'upstream_error');
    assert.equal(finalError([auth, limited(5_000)], 100).type, 'upstream_error');
  });

  it('says when to come back with each 429 and 503', () => {
    const plain = new GatewayError('rate_limit_exceeded', 'slow', { failure: 'rate_limited' });
    assert.equal(finalError([plain]).retryAfterMs, 1_000);
    assert.equal(
      finalError([new GatewayError('service_unavailable', 'busy', { failure: 'overloaded' })]).retryAfterMs,
      1_000,
    );
    assert.equal(finalError([busy, busy]).retryAfterMs, 1_000);
    assert.equal(finalError([auth]), auth, 'others say nothing, and stay as they are');
  });

  it('is the last failure that says more, and tells SDKs not to multiply our retries', () => {
    const error = finalError([auth, busy]);
    assert.deepEqual(
      [error.type, error.message, error.code, error.retryAfterMs, error.shouldRetry],
      ['service_unavailable', 'busy', 'c', 1_000, false],
    );
    assert.equal(finalError([auth]).shouldRetry, undefined, 'nothing was retried');
    assert.equal(finalError([limited(1), deadline]).message, 'late');
  });

  it('tells SDKs so, too, when every attempt that may be made found a rate limit', () => {
    const list = (count: number) => Array.from({ length: count }, () => limited(500));
    assert.equal(finalError(list(MAX_ATTEMPTS - 1)).shouldRetry, undefined, 'they wait as they are asked to');
    const { status, retryAfterMs, shouldRetry } = finalError(list(MAX_ATTEMPTS));
    assert.deepEqual([status, retryAfterMs, shouldRetry], [429, 500, false]);
  });

  it("is the caller's own fault as it was found", () => {
    assert.equal(finalError([busy, bad]), bad);
  });

  it('is there even if nothing was tried', () => {
    assert.equal(finalError([]).type, 'no_provider_available');
  });

  it('never is a success, whatever failed', () => {
    const failures = fc.array(fc.constantFrom(limited(1), limited(2), busy, auth, bad, deadline), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(failures, (list) => {
        const error = finalError(list);
        assert.ok(error.status >= 400);
        assert.equal(
          error.status === 429,
          list.every(({ failure }) => failure === 'rate_limited'),
        );
        assert.ok(list.some(({ message }) => message === error.message));
      }),
      { seed: SEED },
    );
  });
});
