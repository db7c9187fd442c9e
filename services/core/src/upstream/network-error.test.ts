import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../errors/index.ts';
import { networkError } from './network-error.ts';

const coded = (code: string, cause?: unknown): Error =>
  Object.assign(new Error(`connect ${code} 10.1.2.3:443 Bearer sk-secret`, { cause }), { code, address: '10.1.2.3' });

describe('networkError', () => {
  const table: [thrown: unknown, failure: string, status: number, code: string, message: RegExp][] = [
    [coded('ECONNREFUSED'), 'overloaded', 502, 'connection_error', /connection refused/],
    [coded('ECONNRESET'), 'overloaded', 502, 'connection_error', /connection reset/],
    [coded('EPIPE'), 'overloaded', 502, 'connection_error', /connection closed/],
    [coded('UND_ERR_SOCKET'), 'overloaded', 502, 'connection_error', /connection closed/],
    [coded('UND_ERR_SOCKET', coded('ECONNRESET')), 'overloaded', 502, 'connection_error', /connection reset/],
    [coded('EHOSTUNREACH'), 'overloaded', 502, 'connection_error', /host unreachable/],
    [coded('ENOTFOUND'), 'overloaded', 502, 'dns_error', /host name not found/],
    [coded('EAI_AGAIN'), 'overloaded', 502, 'dns_error', /lookup failed/],
    [
      new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')]),
      'overloaded',
      502,
      'connection_error',
      /connection refused/,
    ],
    [coded('UND_ERR_CONNECT_TIMEOUT'), 'silent', 504, 'connect_timeout', /did not accept a connection in time/],
    [coded('ETIMEDOUT'), 'silent', 504, 'connect_timeout', /did not accept/],
    [coded('CERT_HAS_EXPIRED'), 'overloaded', 502, 'tls_error', /CERT_HAS_EXPIRED/],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'overloaded', 502, 'tls_error', /No secure connection/],
    [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'overloaded', 502, 'tls_error', /No secure connection/],
    [coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'overloaded', 502, 'tls_error', /No secure connection/],
    [coded('HPE_INVALID_CONSTANT'), 'overloaded', 502, 'connection_error', /malformed HTTP response/],
    [new Error('outer', { cause: coded('ECONNRESET') }), 'overloaded', 502, 'connection_error', /connection reset/],
    [new Error('plain'), 'overloaded', 502, 'connection_error', /connection failed/],
    ['text', 'overloaded', 502, 'connection_error', /connection failed/],
    [null, 'overloaded', 502, 'connection_error', /connection failed/],
  ];
  for (const [thrown, failure, status, code, message] of table) {
    it(`${thrown instanceof Error && 'code' in thrown ? thrown.code : String(thrown)}: ${failure}, ${code}`, () => {
      const error = networkError(thrown, 'acme');
      assert.deepEqual([error.failure, error.status, error.code], [failure, status, code]);
      assert.match(error.message, message);
      assert.match(error.message, /acme/);
      assert.doesNotMatch(
        JSON.stringify(error.toBody()),
        /10\.1\.2\.3|secret|\bat /,
        'no address, credential or stack',
      );
    });
  }

  it('leaves an error of the gateway as it is', () => {
    const error = new GatewayError('rate_limit_exceeded', 'x');
    assert.equal(networkError(error, 'acme'), error);
  });
});
