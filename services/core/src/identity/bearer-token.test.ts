import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearerToken } from './index.ts';

test('reads the token, whatever the case of the scheme and the spaces', () => {
  for (const header of ['Bearer abc', 'bearer abc', 'BEARER   abc  ', '  Bearer\tabc']) {
    assert.deepEqual(bearerToken(header), { ok: true, token: 'abc' }, header);
  }
  assert.deepEqual(bearerToken('Bearer a.b-c_d~e+f/g=='), { ok: true, token: 'a.b-c_d~e+f/g==' });
});

test('tells a missing token from a malformed one', () => {
  for (const header of [undefined, '', '   ', 'Bearer', 'bearer   ']) {
    assert.deepEqual(bearerToken(header), { ok: false, reason: 'missing' }, String(header));
  }
  for (const header of ['abc', 'Basic dTpw', 'Bearer a b', 'Bearer: abc', 'Bearer é', `Bearer ${'x'.repeat(20_000)}`]) {
    assert.deepEqual(bearerToken(header), { ok: false, reason: 'malformed' }, header.slice(0, 20));
  }
});
