import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ThinkTags } from '../../translation/index.ts';

function split(pieces: readonly string[]): { said: string; thought: string } {
  let said = '';
  let thought = '';
  const tags = new ThinkTags({
    text: (text) => {
      said += text;
    },
    reasoning: (text) => {
      thought += text;
    },
  });
  for (const piece of pieces) tags.push(piece);
  tags.end();
  return { said, thought };
}

describe('thinking between tags', () => {
  const cases: [string, string, string][] = [
    ['<think>a b</think>c', 'c', 'a b'],
    ['\n <think>\na\n\nb\n</think>\n\nc d\n', 'c d\n', 'a\n\nb'],
    ['<thinking>a</think>b</thinking>c', 'c', 'a</think>b'],
    ['<think></think>c', 'c', ''],
    ['<think>never closed </thi', '', 'never closed </thi'],
    ['<think>a</think><think>b</think>c', 'c', 'ab'],
    ['a <think>b</think>', 'a <think>b</think>', ''],
    ['  a', '  a', ''],
    ['<thin', '<thin', ''],
    ['<thinker>a', '<thinker>a', ''],
    ['', '', ''],
    ['<think>ü€😀</think>😀', '😀', 'ü€😀'],
  ];
  for (const [text, said, thought] of cases) {
    it(JSON.stringify(text), () => assert.deepEqual(split([text]), { said, thought }));
  }

  it('is the same however the text is cut', () => {
    const piece = fc.constantFrom(
      '<',
      '<think',
      '>',
      '</',
      'think>',
      '</think>',
      '<think>',
      ' ',
      '\n',
      'a',
      'b c',
      '</thi',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1 }),
        (parts, cuts) => {
          const text = parts.join('');
          const pieces: string[] = [];
          for (let at = 0, i = 0; at < text.length; i++) {
            const length = cuts[i % cuts.length] ?? 1;
            pieces.push(text.slice(at, at + length));
            at += length;
          }
          assert.deepEqual(split(pieces), split([text]));
        },
      ),
      { numRuns: 500 },
    );
  });
});
