import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { randomFrom, seedOf } from '../text/random.ts';
import { fitText } from './fit.ts';
import { base64Of, seedTextOf, vectorOf } from './vectors.ts';

const fingerprint = (vector: Float32Array) => createHash('sha256').update(base64Of(vector)).digest('hex');

describe('vectors', () => {
  it('stay the same from version to version', () => {
    assert.equal(
      fingerprint(vectorOf('Sunny day at the beach', 1536)),
      'f2f2b6f55d79fd760ffee0d987c55d12f989251913e7f9fb6eea7285319acd23',
    );
    assert.equal(
      fingerprint(vectorOf(seedTextOf([1, 2, 3]), 256)),
      '58188491149487102483e37a88ec5d565512201cc824ca6a1e0bcb0d3133bc5c',
    );
  });

  it('are what the random numbers of the text are, made a unit vector', () => {
    const random = randomFrom(seedOf('Rain'));
    const drawn = Array.from({ length: 8 }, () => random() * 2 - 1);
    const length = Math.sqrt(drawn.reduce((sum, value) => sum + value * value, 0));
    assert.deepEqual(
      vectorOf('Rain', 8),
      Float32Array.from(drawn, (value) => value / length),
    );
  });
});

describe('texts that are too long', () => {
  it('lose whole tokens at one end', () => {
    assert.deepEqual(fitText('a b c', 3), { text: 'a b c', tokens: 3, truncated: false });
    assert.deepEqual(fitText('a b c', 2), { text: 'a b', tokens: 2, truncated: true });
    assert.deepEqual(fitText('a b c', 2, 'start'), { text: ' b c', tokens: 2, truncated: true });
  });
});
