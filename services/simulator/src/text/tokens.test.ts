import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { prose } from './prose.ts';
import { countTokens, tokenize } from './tokens.ts';

describe('tokens', () => {
  it('splits words with their space, digits by three, and everything else by code point', () => {
    assert.deepEqual(tokenize('The gate 12345, ok'), ['The', ' gate', ' 123', '45', ',', ' ok']);
    assert.deepEqual(tokenize('antidisestablishment'), ['antidisest', 'ablishment']);
    assert.deepEqual(tokenize('a  b\n'), ['a', ' ', ' b', '\n']);
    assert.deepEqual(tokenize(' 🌊水'), [' 🌊', '水']);
    assert.deepEqual(tokenize(''), []);
  });

  it('joins back to the text and counts what it makes, for any text', () => {
    for (let seed = 0; seed < 200; seed++) {
      const text = `${prose({ seed, multibyte: true }).join('')}\r\n\t${String.fromCharCode(seed * 300)} ${'x'.repeat(seed)}`;
      const tokens = tokenize(text);
      assert.equal(tokens.join(''), text);
      assert.equal(countTokens(text), tokens.length);
    }
  });

  it('says exactly as many tokens as asked, the same for the same seed', () => {
    for (const tokens of [0, 1, 7, 1000]) {
      const said = prose({ seed: 5, tokens, multibyte: true });
      assert.equal(said.length, tokens);
      assert.deepEqual(prose({ seed: 5, tokens, multibyte: true }), said);
    }
    assert.notDeepEqual(prose({ seed: 5 }), prose({ seed: 6 }));
  });
});
