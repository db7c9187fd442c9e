import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64Of, entryText, jsonOf } from './vectors.ts';

const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
const base64 = (numbers: readonly number[]): string =>
  Buffer.from(Float32Array.from(numbers).buffer).toString('base64');
const json = (text: string) => ({ form: 'json', text }) as const;

test('base64 becomes decimals that read back to the same bits, and none shorter does', () => {
  fc.assert(
    fc.property(fc.array(float32, { minLength: 1, maxLength: 50 }), (numbers) => {
      const given = base64(numbers);
      const text = jsonOf({ form: 'base64', text: given });
      assert.equal(base64Of(json(text)), given);
      for (const [i, value] of numbers.entries()) {
        const shown = text.slice(1, -1).split(',')[i] ?? '';
        const digits = shown
          .replace(/e.*$/, '')
          .replace(/[-.]/g, '')
          .replace(/^0+|0+$/g, '').length;
        if (digits > 1) assert.notEqual(Math.fround(Number(value.toPrecision(digits - 1))), value, shown);
      }
    }),
    { numRuns: 500 },
  );
});

test('what needs no conversion stays letter by letter', () => {
  const text = '[0.10000000149011612, -2E-3,1.0]';
  assert.equal(entryText(json(text), 7, 'float'), `{"object":"embedding","index":7,"embedding":${text}}`);
  assert.equal(
    entryText({ form: 'base64', text: 'AACAPw==' }, 0, 'base64'),
    '{"object":"embedding","index":0,"embedding":"AACAPw=="}',
  );
});

test('base64 of what is no number is refused', () => {
  assert.throws(() => jsonOf({ form: 'base64', text: base64([Number.NaN]) }), RangeError);
});
