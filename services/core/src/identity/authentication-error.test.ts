import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthenticationFailure, authenticationError } from './index.ts';

test('each reason is a 401 in the shape of the OpenAI API, with a code of its own', () => {
  const codes: Record<AuthenticationFailure, string> = {
    missing: 'missing_api_key',
    malformed: 'invalid_api_key',
    unknown: 'invalid_api_key',
    expired: 'expired_api_key',
    disabled: 'disabled_api_key',
    token_malformed: 'invalid_token',
    token_issuer: 'invalid_token',
    token_algorithm: 'invalid_token',
    token_key: 'invalid_token',
    token_signature: 'invalid_token',
    token_audience: 'invalid_token',
    token_expired: 'expired_token',
    token_not_yet: 'invalid_token',
    token_claims: 'invalid_token',
  };
  for (const [reason, code] of Object.entries(codes)) {
    const error = authenticationError(reason as AuthenticationFailure);
    assert.equal(error.status, 401);
    assert.equal(error.headers()['www-authenticate'], 'Bearer');
    const { message, ...rest } = error.toBody().error;
    assert.deepEqual(rest, { type: 'authentication_error', param: null, code });
    assert.ok(message.length > 20);
  }
});
