import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { type Token, TokenCache } from './token-cache.ts';

const HOUR = 60 * 60_000;
const START = 1_800_000_000_000;

describe('TokenCache', () => {
  /** Exchanges that have begun and not ended. */
  let asked: { readonly issue: (token: Token) => void; readonly refuse: (why: Error) => void }[];
  let cache: TokenCache;

  beforeEach(() => {
    asked = [];
    cache = new TokenCache(() => new Promise((issue, refuse) => void asked.push({ issue, refuse })));
  });
  const issue = (value: string, expiresAt: number): void => asked.shift()?.issue({ value, expiresAt });

  it('asks once for all who come at once, and once in the life of a token', async () => {
    const waiting = [cache.get(START), cache.get(START), cache.get(START)];
    assert.equal(asked.length, 1);
    issue('first', START + HOUR);
    assert.deepEqual(await Promise.all(waiting), ['first', 'first', 'first']);
    for (let now = START; now < START + 55 * 60_000; now += 60_000) assert.equal(cache.get(now), 'first');
    assert.equal(asked.length, 0);
  });

  it('renews ahead of the end while the old one is used, and never uses one that is over', async () => {
    const got = cache.get(START);
    issue('first', START + HOUR);
    await got;
    assert.equal(cache.get(START + HOUR - 60_000), 'first');
    assert.equal(cache.get(START + HOUR - 59_000), 'first');
    assert.equal(asked.length, 1, 'in the background');
    const late = cache.get(START + HOUR - 1_000);
    assert.ok(late instanceof Promise);
    issue('second', START + 2 * HOUR);
    assert.equal(await late, 'second');
    assert.equal(cache.get(START + HOUR), 'second');
  });

  it('tells who needs it that it cannot be had, and asks again', async () => {
    const refused = cache.get(START);
    asked.shift()?.refuse(new Error('no such account'));
    assert.ok(refused instanceof Promise);
    await assert.rejects(refused, /no such account/);
    const got = cache.get(START);
    issue('first', START + HOUR);
    assert.equal(await got, 'first');
    assert.equal(cache.get(START + HOUR - 60_000), 'first');
    asked.shift()?.refuse(new Error('a moment, please'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(cache.get(START + HOUR - 50_000), 'first', 'a failed early renewal is no fault yet');
    assert.equal(asked.length, 1);
  });
});
