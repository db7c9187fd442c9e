import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PrefixCache } from './prefixCache.ts';
import { prose } from './prose.ts';

const long = prose({ seed: 1, tokens: 1500 }).join('');

describe('prefix cache', () => {
  it('knows the longest prefix it has seen, in steps of 128 tokens from 1024 on', () => {
    const cache = new PrefixCache();
    assert.deepEqual(cache.measure(`${long} One?`), { tokens: 1502, cached: 0 });
    assert.deepEqual(cache.measure(`${long} Two!`), { tokens: 1502, cached: 1408 });
  });

  it('does not cache short prompts or other ones', () => {
    const cache = new PrefixCache();
    cache.measure(long);
    assert.equal(cache.measure(`X${long}`).cached, 0);
    const short = prose({ seed: 1, tokens: 1023 }).join('');
    cache.measure(short);
    assert.equal(cache.measure(short).cached, 0);
  });
});
