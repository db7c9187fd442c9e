import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allowedOrigin, corsHeaders, preflightHeaders } from './cors.ts';

const named = (list: readonly string[]): Record<string, string> =>
  Object.fromEntries(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] ?? '']] : [])));

describe('CORS', () => {
  it('answers the origins that are allowed', () => {
    assert.equal(allowedOrigin('https://app.example', ['*']), '*');
    assert.equal(allowedOrigin('https://app.example', ['https://app.example']), 'https://app.example');
    for (const origin of ['', 'https://evil.example', 'https://app.example.evil', 'HTTPS://APP.EXAMPLE', 'null']) {
      assert.equal(allowedOrigin(origin, ['https://app.example']), '', origin);
    }
    assert.equal(allowedOrigin('https://app.example', []), '');
    assert.equal(allowedOrigin('', ['*']), '', 'no browser, no headers');
  });

  it('lets scripts read the headers that SDKs look at', () => {
    const headers = named(corsHeaders('https://app.example'));
    assert.equal(headers['access-control-allow-origin'], 'https://app.example');
    assert.equal(headers.vary, 'origin');
    for (const name of ['x-request-id', 'retry-after-ms', 'retry-after', 'x-should-retry', 'x-generation-id']) {
      assert.ok(headers['access-control-expose-headers']?.split(', ').includes(name), name);
    }
    assert.equal(named(corsHeaders('*')).vary, undefined);
    assert.deepEqual(corsHeaders(''), []);
  });

  it('allows a preflight what it asks for, and no header injection', () => {
    const asked = 'authorization, content-type, x-stainless-retry-count';
    assert.equal(named(preflightHeaders('*', asked))['access-control-allow-headers'], asked);
    for (const odd of ['', 'a\r\nx-evil: 1', 'a: b', 'x'.repeat(2_001)]) {
      assert.equal(named(preflightHeaders('*', odd))['access-control-allow-headers'], 'authorization, content-type');
    }
    assert.match(named(preflightHeaders('*', ''))['access-control-allow-methods'] ?? '', /POST/);
    assert.deepEqual(preflightHeaders('', asked), ['vary', 'origin']);
  });
});
