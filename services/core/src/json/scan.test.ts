import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { jsonArray, jsonObject, jsonString, jsonValue, SEED } from './documents.testing.ts';
import { arrayElements, findMember, isAmbiguous, objectMembers, skipSpace, stringEnd, valueEnd } from './scan.ts';

const runs = { seed: SEED, numRuns: 400 };

describe('stringEnd', () => {
  it('finds the closing quote of any string, whatever follows', () => {
    fc.assert(
      fc.property(jsonString, jsonString, (first, second) => {
        const bytes = Buffer.from(`${first}${second}`);
        assert.equal(stringEnd(bytes, 0), Buffer.byteLength(first) - 1);
      }),
      runs,
    );
  });

  it('counts backslashes also beyond the part that it reads byte by byte', () => {
    for (let length = 0; length < 120; length++) {
      for (let slashes = 0; slashes < 6; slashes++) {
        const text = JSON.stringify(`${'x'.repeat(length)}${'\\'.repeat(slashes)}"${'y'.repeat(60)}`);
        assert.equal(stringEnd(Buffer.from(`${text}"`), 0), text.length - 1, `${length} ${slashes}`);
      }
    }
  });

  it('says -1 for a string that does not end', () => {
    for (const text of ['"', '"abc', '"abc\\', '"abc\\"', `"${'x'.repeat(200)}`, `"${'x'.repeat(200)}\\"`]) {
      assert.equal(stringEnd(Buffer.from(text), 0), -1, text);
    }
  });
});

describe('valueEnd', () => {
  it('ends where the value does', () => {
    fc.assert(
      fc.property(jsonValue, fc.constantFrom('', ' ', ',1', ']', '}', '\n'), (text, behind) => {
        const trimmed = text.trim();
        const bytes = Buffer.from(`${trimmed}${behind}`);
        assert.equal(bytes.toString('utf8', 0, valueEnd(bytes, 0)), trimmed);
      }),
      runs,
    );
  });

  it('takes the rest of a text that is cut off', () => {
    for (const text of ['{"a":[1', '"abc', '[[]', '{"a":"b', '12']) {
      assert.equal(valueEnd(Buffer.from(text), 0), text.length, text);
    }
  });
});

describe('objectMembers', () => {
  it('sees what JSON.parse sees', () => {
    fc.assert(
      fc.property(jsonObject, fc.constantFrom('', ' ', '\r\n\t'), (text, before) => {
        const bytes = Buffer.from(`${before}${text}`);
        const members = objectMembers(bytes);
        // Not `Object.fromEntries`: a key `__proto__` is a key like any other.
        const read = new Map(
          members.map(({ key, valueStart, end }) => [key, JSON.parse(bytes.toString('utf8', valueStart, end))]),
        );
        assert.deepEqual(read, new Map(Object.entries(JSON.parse(text))));
        for (const { key, start, valueStart, escaped } of members) {
          const written = bytes.toString('utf8', start, valueStart).replace(/\s*:\s*$/, '');
          assert.equal(JSON.parse(written), key);
          assert.equal(escaped, written.includes('\\'));
        }
      }),
      runs,
    );
  });

  it('knows the ambiguous objects: keys that occur twice, or are escaped', () => {
    const ambiguous = (text: string): boolean => isAmbiguous(objectMembers(Buffer.from(text)));
    assert.equal(ambiguous('{"model":1,"stream":2}'), false);
    assert.equal(ambiguous('{"model":1,"stream":2,"model":3}'), true);
    assert.equal(ambiguous('{"mod\\u0065l":1}'), true);
    assert.equal(ambiguous('{"a":{"b":1,"b":2}}'), false, 'only its own members');
    assert.equal(ambiguous('{}'), false);
  });

  it('is quick with very many members', () => {
    const text = `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":1`).join(',')}}`;
    const members = objectMembers(Buffer.from(text));
    assert.equal(members.length, 100_000);
    assert.equal(isAmbiguous(members), false);
  });

  it('finds the last of duplicates, as JSON.parse does', () => {
    const bytes = Buffer.from('{"a":1,"b":2,"a":3}');
    const found = findMember(objectMembers(bytes), 'a');
    assert.equal(found && bytes.toString('utf8', found.valueStart, found.end), '3');
    assert.equal(findMember(objectMembers(bytes), 'c'), undefined);
  });

  it('has none where there is no object, and stops at what is no JSON', () => {
    for (const text of ['', '[]', '"a"', '{', '{"a', '{"a"', '{"a" 1}', '{a:1}']) {
      assert.deepEqual(objectMembers(Buffer.from(text)), [], text);
    }
    assert.equal(objectMembers(Buffer.from('{"a":1 "b":2}')).length, 1);
  });
});

describe('arrayElements', () => {
  it('sees what JSON.parse sees', () => {
    fc.assert(
      fc.property(jsonArray, (text) => {
        const bytes = Buffer.from(text);
        const elements = arrayElements(bytes, 0).map(({ start, end }) =>
          JSON.parse(bytes.toString('utf8', start, end)),
        );
        assert.deepEqual(elements, JSON.parse(text));
      }),
      runs,
    );
  });

  it('has none where there is no array', () => {
    assert.deepEqual(arrayElements(Buffer.from('{"a":1}'), 0), []);
    assert.deepEqual(arrayElements(Buffer.from('['), 0), []);
  });

  it('goes through deep nesting without recursion', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    assert.deepEqual(arrayElements(Buffer.from(deep), 0), [{ start: 1, end: deep.length - 1 }]);
  });
});

it('skipSpace passes the four kinds of JSON space and nothing else', () => {
  assert.equal(skipSpace(Buffer.from(' \t\r\n\fx'), 0), 4);
  assert.equal(skipSpace(Buffer.from('  '), 0), 2);
});
