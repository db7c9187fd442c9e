import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { configuredPrice, listPrice, shiftDecimal } from './prices.ts';

const DATE = new Date('2025-12-01T20:00:00Z');

describe('shiftDecimal', () => {
  test('shows no binary fraction and no exponent', () => {
    const cases: readonly (readonly [number | string, number, string])[] = [
      [3, -6, '0.000003'],
      [0.3, -6, '0.0000003'],
      [3.75, -6, '0.00000375'],
      [150, -6, '0.00015'],
      [12_500_000, -6, '12.5'],
      [0, -6, '0'],
      [1e-7, 0, '0.0000001'],
      [1.5e-9, 0, '0.0000000015'],
      [1e21, 0, '1000000000000000000000'],
      ['0.000003', 0, '0.000003'],
      ['007.500', 0, '7.5'],
      [5, 2, '500'],
      [0.1 + 0.2, 0, '0.30000000000000004'],
    ];
    for (const [value, exponent, expected] of cases) assert.equal(shiftDecimal(value, exponent), expected, `${value}`);
    assert.throws(() => shiftDecimal(-1, 0), RangeError);
    assert.throws(() => shiftDecimal(Number.NaN, 0), RangeError);
  });

  test('shifting there and back is the same number, for any decimal', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.integer({ min: -12, max: 12 }), (value, by) => {
        assert.equal(Number(shiftDecimal(shiftDecimal(value, by), -by)), value);
        assert.match(shiftDecimal(value, by), /^\d+(\.\d*[1-9])?$/);
      }),
    );
  });
});

describe('prices', () => {
  test('are the list prices per token', () => {
    const { $typeName, ...sonnet } = listPrice('anthropic', 'claude-sonnet-4-20250514', DATE) ?? {};
    assert.deepEqual(sonnet, {
      input: '0.000003',
      output: '0.000015',
      inputCacheRead: '0.0000003',
      inputCacheWrite: '0.00000375',
    });
    assert.equal(listPrice('openai', 'gpt-4o-mini', DATE)?.input, '0.00000015');
    // Rises with the length of the prompt: the first step.
    assert.equal(listPrice('gemini', 'gemini-2.5-pro', DATE)?.input, '0.00000125');
    assert.equal(listPrice('voyage', 'voyage-3.5', DATE)?.output, '');
  });

  test('do not change with the hour of the day', () => {
    for (const hour of ['00', '06', '12', '18', '23']) {
      const price = listPrice('deepseek', 'deepseek-reasoner', new Date(`2025-06-01T${hour}:30:00Z`));
      assert.equal(price?.input, '0.00000055', hour);
    }
  });

  test('are absent where nobody knows them', () => {
    assert.equal(listPrice('local', 'house-model', DATE), null);
    assert.equal(listPrice('openai', 'no-such-model-at-all', DATE), null);
    assert.equal(configuredPrice({}), null);
  });

  test('from the file keep their digits', () => {
    const { $typeName, ...price } = configuredPrice({ input: '0.00000015', output: 6e-7 }) ?? {};
    assert.deepEqual(price, { input: '0.00000015', output: '0.0000006', inputCacheRead: '', inputCacheWrite: '' });
  });
});
