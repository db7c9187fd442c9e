import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { describe, mock, test } from 'node:test';
import type { ApiKey } from '@headgate/proto/api_key';
import fc from 'fast-check';
import type { ConfigKey } from '../config/index.ts';
import { configuredKeys, KeyTable } from './index.ts';

const SECRET = 'a secret of the deployment';
const NOW = Date.parse('2026-06-01T12:00:00Z');

type Extras = Omit<ConfigKey, 'name' | 'disabled'> & { readonly disabled?: boolean };

function stored(extras: Extras, name = 'app'): ApiKey[] {
  return configuredKeys([{ name, disabled: false, ...extras }], SECRET);
}

function table(extras: Extras): KeyTable {
  return new KeyTable(SECRET, stored(extras));
}

function principal(keys: KeyTable, token: string) {
  const found = keys.find(token, NOW);
  assert.ok(found.ok, JSON.stringify(found));
  return found.principal;
}

describe('find', () => {
  test('knows a key by itself and by its hash in the file', () => {
    assert.equal(principal(table({ key: 'secret-key' }), 'secret-key').name, 'app');
    const keyHash = crypto.createHash('sha256').update('secret-key').digest('hex').toUpperCase();
    assert.equal(principal(table({ keyHash }), 'secret-key').name, 'app');
  });

  test('is the same principal at every use, also from the memory of the table', () => {
    const keys = table({ key: 'k' });
    assert.equal(principal(keys, 'k'), principal(keys, 'k'));
  });

  test('refuses what it does not know, and what no key can look like', () => {
    const keys = table({ key: 'k' });
    assert.deepEqual(keys.find('other', NOW), { ok: false, reason: 'unknown' });
    for (const token of ['', ' k', 'k\n', 'é', 'x'.repeat(1025)]) {
      assert.deepEqual(keys.find(token, NOW), { ok: false, reason: 'malformed' }, JSON.stringify(token));
    }
  });

  test('knows no key under another secret', () => {
    assert.deepEqual(new KeyTable('another secret', stored({ key: 'k' })).find('k', NOW), {
      ok: false,
      reason: 'unknown',
    });
  });

  test('checks the expiry at every use', () => {
    const keys = table({ key: 'k', expiresAt: '2026-06-01T12:00:01+00:00' });
    assert.ok(keys.find('k', NOW).ok);
    assert.ok(keys.find('k', NOW + 999).ok);
    assert.deepEqual(keys.find('k', NOW + 1000), { ok: false, reason: 'expired' });
    const dated = table({ key: 'k', expiresAt: '2026-06-02' });
    assert.ok(dated.find('k', Date.parse('2026-06-01T23:59:59.999Z')).ok);
    assert.deepEqual(dated.find('k', Date.parse('2026-06-02T00:00:00Z')), { ok: false, reason: 'expired' });
  });

  test('refuses a disabled key, before its expiry and after', () => {
    const keys = table({ key: 'k', disabled: true, expiresAt: '2020-01-01' });
    assert.deepEqual(keys.find('k', NOW), { ok: false, reason: 'disabled' });
  });

  test('finds the holder of a key by its id, as it is now', () => {
    const keys = table({ key: 'k', expiresAt: '2026-06-01T12:00:01+00:00' });
    const { id } = principal(keys, 'k');
    assert.equal(keys.findById(id, NOW), keys.find('k', NOW));
    assert.deepEqual(keys.findById(id, NOW + 1000), { ok: false, reason: 'expired' });
    assert.deepEqual(keys.findById('another', NOW), { ok: false, reason: 'unknown' });
    const disabled = stored({ key: 'k', disabled: true });
    const again = new KeyTable(SECRET, disabled).findById(disabled[0]?.id ?? '', NOW);
    assert.deepEqual(again, { ok: false, reason: 'disabled' });
  });

  test('compares the whole keyed hash in constant time, once a key', () => {
    const compare = mock.method(crypto, 'timingSafeEqual');
    const hmac = mock.method(crypto, 'createHmac');
    syncBuiltinESMExports();
    try {
      const [key] = stored({ key: 'k' });
      assert.ok(key !== undefined);
      const keys = new KeyTable(SECRET, [key]);
      hmac.mock.resetCalls();
      for (let use = 0; use < 100; use += 1) assert.ok(keys.find('k', NOW).ok);
      assert.equal(compare.mock.callCount(), 1);
      assert.equal(hmac.mock.callCount(), 1);
      const [expected, offered] = compare.mock.calls[0]?.arguments ?? [];
      assert.deepEqual(
        [Buffer.from(expected as Buffer), Buffer.from(offered as Buffer)],
        [Buffer.from(key.hash), Buffer.from(key.hash)],
      );

      // The same first half, as only a broken hash could make it: found by it, refused by the comparison.
      const forged = { ...key, hash: Uint8Array.from(key.hash, (byte, at) => (at < 16 ? byte : byte ^ 1)) };
      assert.deepEqual(new KeyTable(SECRET, [forged]).find('k', NOW), { ok: false, reason: 'unknown' });
      assert.equal(compare.mock.callCount(), 2);
    } finally {
      mock.restoreAll();
      syncBuiltinESMExports();
    }
  });

  test('any set of keys: each is found as itself, nothing else is found', () => {
    const token = fc.stringMatching(/^[!-~]{1,40}$/);
    fc.assert(
      fc.property(fc.uniqueArray(token, { minLength: 1, maxLength: 20 }), token, (tokens, stranger) => {
        fc.pre(!tokens.includes(stranger));
        const entries = tokens.map((key, index) => ({ name: `n${index}`, key, disabled: false }));
        const keys = new KeyTable(SECRET, configuredKeys(entries, SECRET));
        for (const [index, key] of tokens.entries()) assert.equal(principal(keys, key).name, `n${index}`);
        assert.equal(keys.find(stranger, NOW).ok, false);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the principal', () => {
  test('may use what its patterns say', () => {
    const cases: readonly (readonly [string[] | undefined, string, boolean])[] = [
      [undefined, 'any/model', true],
      [['anthropic/*'], 'anthropic/claude-sonnet-4', true],
      [['anthropic/*'], 'openai/gpt-4o', false],
      [['anthropic/*'], 'xanthropic/a', false],
      [['openai/gpt-4o'], 'openai/gpt-4o', true],
      [['openai/gpt-4o'], 'openai/gpt-4o-mini', false],
      [['openai/gpt-4.1'], 'openai/gpt-4x1', false],
      [['*/llama-*', 'openai/*-mini'], 'meta/llama-3.3-70b', true],
      [['*/llama-*', 'openai/*-mini'], 'openai/gpt-4o-mini', true],
      [['*'], 'a/b/c', true],
      [['a/(b|c)'], 'a/b', false],
    ];
    for (const [models, id, allowed] of cases) {
      const keys = table({ key: 'k', ...(models === undefined ? {} : { models }) });
      assert.equal(principal(keys, 'k').allows(id), allowed, `${models} ${id}`);
    }
  });

  test('carries limits, budget and group', () => {
    const { limits, budget, group, id } = principal(
      table({
        key: 'k',
        group: 'shop',
        limits: { requestsPerMinute: 600, concurrency: 50 },
        budget: { usd: '99.50', window: 'week', mode: 'soft' },
      }),
      'k',
    );
    assert.deepEqual(limits, {
      requestsPerMinute: 600,
      tokensPerMinute: null,
      requestsPerDay: null,
      tokensPerDay: null,
      concurrency: 50,
    });
    assert.deepEqual(budget, { usd: '99.50', window: 'week', mode: 'soft' });
    assert.equal(group, 'shop');
    assert.match(id, /^cfg_[0-9a-f]{16}$/);
  });

  test('keeps its id when the key is renamed, and nothing stored tells the key', () => {
    const [before] = stored({ key: 'the-key' }, 'old');
    const [after] = stored({ key: 'the-key' }, 'new');
    assert.equal(before?.id, after?.id);
    const plain = crypto.createHash('sha256').update('the-key').digest();
    assert.notDeepEqual(Buffer.from(before?.hash ?? []), plain);
  });
});
