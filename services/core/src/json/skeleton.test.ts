import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { jsonObject, SEED } from './documents.testing.ts';
import { skeleton } from './skeleton.ts';

const runs = { seed: SEED, numRuns: 200 };
/** Makes a document large enough to be shortened. */
const filler = JSON.stringify('f'.repeat(20_000));

function bonesOf(text: string): { value: unknown; depth: number; shortened: boolean; text: string } {
  const bones = skeleton(Buffer.from(text));
  assert.ok(bones, 'a skeleton');
  return { ...bones, value: JSON.parse(bones.text) };
}

/** The shape of `short` is that of `whole`; its long strings are beginnings of the whole ones. */
function assertShortened(short: unknown, whole: unknown): void {
  if (typeof whole === 'string' && typeof short === 'string') {
    if (short === whole) return;
    assert.ok(Buffer.byteLength(whole) > 150, 'a short string is kept');
    // Between the two units of a pair that is written as two escapes, half a pair may be left.
    assert.ok(whole.startsWith(short), `${short.slice(-20)} begins the whole`);
  } else if (Array.isArray(whole)) {
    assert.ok(Array.isArray(short));
    assert.equal(short.length, whole.length);
    whole.forEach((item, i) => {
      assertShortened(short[i], item);
    });
  } else if (typeof whole === 'object' && whole !== null) {
    assert.deepEqual(Object.keys(short as object), Object.keys(whole));
    for (const key of Object.keys(whole)) {
      assertShortened((short as Record<string, unknown>)[key], (whole as Record<string, unknown>)[key]);
    }
  } else assert.deepEqual(short, whole);
}

describe('skeleton', () => {
  it('is the document itself while that is small', () => {
    fc.assert(
      fc.property(jsonObject, (text) => {
        const bones = bonesOf(text);
        assert.equal(bones.text, text);
        assert.equal(bones.shortened, false);
      }),
      runs,
    );
  });

  it('keeps everything but the ends of long strings', () => {
    fc.assert(
      fc.property(jsonObject, jsonObject, (before, behind) => {
        const text = `[${before},${filler},${behind}]`;
        const bones = bonesOf(text);
        assert.equal(bones.shortened, true);
        assert.ok(bones.text.length < text.length - 15_000);
        assertShortened(bones.value, JSON.parse(text));
      }),
      runs,
    );
  });

  it('cuts between characters and outside of escapes, wherever the cut falls', () => {
    const pieces = ['x', 'é', '水', '\u{1f600}', '\\n', '\\"', '\\\\', '\\u00e9', '\\ud83d\\ude00', '\\\\\\"'];
    for (const piece of pieces) {
      for (let lead = 480; lead < 530; lead++) {
        const text = `{"a":"${'x'.repeat(lead)}${piece.repeat(300)}","b":${filler}}`;
        const whole = JSON.parse(text) as { a: string };
        const { value, shortened } = bonesOf(text);
        assert.equal(shortened, true);
        const { a } = value as { a: string };
        assert.ok(whole.a.startsWith(a) && a.length >= 128, `${piece} at ${lead}`);
        if (!piece.startsWith('\\')) assert.ok(Buffer.byteLength(a) > 500, 'no more is lost than has to be');
      }
    }
  });

  it('can leave nothing of a string that is all backslashes, and stays JSON', () => {
    const { value } = bonesOf(`{"a":"${'\\\\'.repeat(2_000)}","b":${filler}}`);
    assert.deepEqual(Object.keys(value as object), ['a', 'b']);
  });

  it('measures the depth of arrays and objects, not of what stands in strings', () => {
    assert.equal(bonesOf('1').depth, 0);
    assert.equal(bonesOf('{}').depth, 1);
    assert.equal(bonesOf('[[{"a":"[[[["}],[]]').depth, 3);
    const depth = 200_000;
    assert.equal(skeleton(Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}`))?.depth, depth);
  });

  it('is null for a string that does not end', () => {
    assert.equal(skeleton(Buffer.from('{"a":"b')), null);
    assert.equal(skeleton(Buffer.from(`{"a":${filler},"b":"\\"}`)), null);
  });
});
