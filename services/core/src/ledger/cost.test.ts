import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Usage } from '../chat/index.ts';
import { costUsd, fromDecimal, toDecimal } from './cost.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

const usage = (parts: Partial<Usage>): Usage => ({
  uncachedInput: 0,
  cacheRead: null,
  cacheWrite: null,
  output: 0,
  reasoning: null,
  ...parts,
});
const prices = { input: '0.000003', output: '0.000015', inputCacheRead: '0.0000003', inputCacheWrite: '0.00000375' };

describe('decimals', () => {
  it('are read and written exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), (value) => {
        const text = toDecimal(value);
        assert.equal(fromDecimal(text), value);
        assert.match(text, /^(0|[1-9]\d*)(\.\d*[1-9])?$/, 'the shortest way');
      }),
      { seed: SEED },
    );
  });

  it('that are none are refused', () => {
    for (const bad of ['', '.5', '5.', '-1', '1e-6', '1,5', ' 1', '0.0000000000000000001', 'NaN']) {
      assert.throws(() => fromDecimal(bad), RangeError, bad);
    }
  });
});

describe('costUsd', () => {
  it('prices each bucket once', () => {
    assert.equal(costUsd(usage({ uncachedInput: 1_000, output: 100 }), prices), '0.0045');
    const all = usage({ uncachedInput: 1, cacheRead: 10, cacheWrite: 100, output: 1_000, reasoning: 10_000 });
    assert.equal(costUsd(all, prices), '0.165381');
    assert.equal(costUsd(usage({}), prices), '0');
  });

  it('takes the input price for cache tokens without one of their own', () => {
    const plain = { ...prices, inputCacheRead: null, inputCacheWrite: null };
    assert.equal(costUsd(usage({ cacheRead: 1, cacheWrite: 1 }), plain), '0.000006');
  });

  it('is unknown where a price is', () => {
    assert.equal(costUsd(usage({}), null), null);
    assert.equal(costUsd(usage({ uncachedInput: 1 }), { ...prices, input: null }), null);
    assert.equal(costUsd(usage({ output: 1 }), { ...prices, output: null }), null);
    assert.equal(
      costUsd(usage({ uncachedInput: 1 }), { ...prices, output: null }),
      '0.000003',
      'an embedding has no output',
    );
  });

  it('is exact: the sum as fractions of whole numbers', () => {
    const count = fc.nat(2_000_000_000);
    const price = fc.tuple(fc.nat(50), fc.stringMatching(/^\d{1,18}$/)).map(([whole, fraction]) => ({
      text: `${whole}.${fraction}`,
      digits: BigInt(`${whole}${fraction.padEnd(18, '0')}`),
    }));
    fc.assert(
      fc.property(count, count, count, price, price, price, (input, read, output, a, b, c) => {
        const cost = costUsd(usage({ uncachedInput: input, cacheRead: read, output }), {
          input: a.text,
          inputCacheRead: b.text,
          inputCacheWrite: null,
          output: c.text,
        });
        const expected = BigInt(input) * a.digits + BigInt(read) * b.digits + BigInt(output) * c.digits;
        assert.ok(cost !== null);
        assert.equal(fromDecimal(cost), expected);
      }),
      { seed: SEED },
    );
  });
});
