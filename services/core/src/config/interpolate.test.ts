// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is what is tested here

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { interpolate } from './interpolate.ts';

const text = (source: string, env: Record<string, string> = {}) => {
  const result = interpolate(source, env);
  assert.ok(result.ok, JSON.stringify(result));
  return result.text;
};

describe('interpolate', () => {
  test('values, defaults, escapes', () => {
    const env = { A: 'one', EMPTY: '' };
    assert.equal(text('${A}', env), 'one');
    assert.equal(text('x-${A}-${A}', env), 'x-one-one');
    assert.equal(text('${B:-two}', env), 'two');
    assert.equal(text('${B:-}', env), '');
    assert.equal(text('${EMPTY:-two}', env), 'two');
    assert.equal(text('${EMPTY}', env), '');
    assert.equal(text('$${A} ${A}', env), '${A} one');
    assert.equal(text('$A $ {A} $', env), '$A $ {A} $');
  });

  test('names every variable that went in, and the one that is missing', () => {
    assert.deepEqual(interpolate('${A}${B:-x}', { A: '1', B: '2' }), { ok: true, text: '12', variables: ['A', 'B'] });
    const missing = interpolate('${A}', {});
    assert.ok(!missing.ok && missing.reason.includes('variable A is not set'));
    const open = interpolate('${A', { A: '1' });
    assert.ok(!open.ok && open.reason.includes('malformed reference "${"'));
  });

  test('a value is taken as it is, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, around) => {
        const plain = around.replaceAll('$', '');
        assert.equal(text(`${plain}\${V}${plain}`, { V: value }), plain + value + plain);
      }),
    );
  });
});
