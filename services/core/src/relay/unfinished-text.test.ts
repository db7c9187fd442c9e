import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isPlainlyUnfinished } from './unfinished-text.ts';

const CODE = '```js\nlet x = 1;\n';

describe('isPlainlyUnfinished', () => {
  const unfinished = [
    'The capital of Fran',
    'It costs 1',
    'First, ',
    'Here are the steps:\n\n',
    'He said “',
    'a list (',
    'well-',
    'für Ä',
    '## A heading\n\n',
    '首先，',
    CODE,
    `${CODE}}\n`,
    '~~~\nfoo.',
  ];
  for (const text of unfinished)
    it(`so is ${JSON.stringify(text)}`, () => assert.equal(isPlainlyUnfinished(text), true));

  const finished = [
    'Paris.',
    'Is it? ',
    'Yes!\n',
    'He said “no.”',
    "'quoted'",
    '(in brackets)',
    '完了。',
    '**bold**',
    `${CODE}\`\`\``,
    'Use ``` inline.',
    '{"a": 1}',
    'Done 🎉',
    '',
  ];
  for (const text of finished)
    it(`so is not ${JSON.stringify(text)}`, () => assert.equal(isPlainlyUnfinished(text), false));
});
