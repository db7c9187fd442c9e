import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CredentialSeal, requireSecret } from './index.ts';

const seal = new CredentialSeal('the secret of this deployment');

describe('sealed credentials', () => {
  test('open to what they were, for any credentials', () => {
    const credentials = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true });
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), credentials, (provider, values) => {
        fc.pre(!Object.hasOwn(values, '__proto__'));
        assert.deepEqual({ ...seal.open(provider, seal.seal(provider, values)) }, values);
      }),
      { numRuns: 50 },
    );
  });

  test('do not show what is in them', () => {
    const sealed = Buffer.from(seal.seal('openai', { apiKey: 'sk-visible' }));
    assert.ok(!sealed.includes('sk-visible') && !sealed.includes('apiKey'));
  });

  test('are equal for equal credentials in any order, different for anything else', () => {
    const one = seal.seal('p', { a: '1', b: '2' });
    assert.deepEqual(one, seal.seal('p', { b: '2', a: '1' }));
    assert.notDeepEqual(one, seal.seal('p', { a: '1', b: '3' }));
    assert.notDeepEqual(one, seal.seal('q', { a: '1', b: '2' }));
    const nonce = (bytes: Uint8Array) => Buffer.from(bytes.subarray(1, 13)).toString('hex');
    assert.notEqual(nonce(one), nonce(seal.seal('q', { a: '1', b: '2' })));
  });

  test('do not open under another secret, and say so', () => {
    const sealed = new CredentialSeal('some other secret here').seal('openai', { apiKey: 'sk-LEAK' });
    assert.throws(
      () => seal.open('openai', sealed),
      /^Error: the credentials of provider openai were sealed under another HEADGATE_SECRET; give every process the same one$/,
    );
  });

  test('do not open for another provider, changed, cut or in an unknown format', () => {
    const sealed = Buffer.from(seal.seal('openai', { apiKey: 'k' }));
    assert.throws(() => seal.open('azure', sealed));
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(sealed.readUInt8(at) ^ 1, at);
      assert.throws(() => seal.open('openai', changed), `byte ${at}`);
      assert.throws(() => seal.open('openai', sealed.subarray(0, at)), `cut at ${at}`);
    }
  });
});

test('requireSecret says how to make one', () => {
  assert.throws(() => requireSecret({}), /HEADGATE_SECRET is not set; expected .*openssl rand -hex 32/);
  assert.throws(() => requireSecret({ HEADGATE_SECRET: 'short' }), /at least 16 characters/);
  assert.equal(requireSecret({ HEADGATE_SECRET: '0123456789abcdef' }), '0123456789abcdef');
});
