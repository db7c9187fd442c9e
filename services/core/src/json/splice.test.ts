import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { jsonObject, SEED } from './documents.testing.ts';
import { objectMembers } from './scan.ts';
import { type Edit, HEADROOM, removeMembers, SpliceBody, splice } from './splice.ts';

const runs = { seed: SEED, numRuns: 300 };

describe('splice', () => {
  it('inserts, replaces and removes, in any order of edits', () => {
    const edits: Edit[] = [
      { start: 6, end: 11, text: 'Erde' },
      { start: 0, end: 0, text: '¡' },
      { start: 5, end: 6, text: '' },
      { start: 11, end: 11, text: '!' },
    ];
    assert.equal(splice(Buffer.from('hello world'), edits).toString(), '¡helloErde!');
    assert.equal(splice(Buffer.from('hello world'), []).toString(), 'hello world');
  });

  it('puts an insertion before what replaces at the same place', () => {
    const edits: Edit[] = [
      { start: 1, end: 2, text: 'B' },
      { start: 1, end: 1, text: 'x' },
    ];
    assert.equal(splice(Buffer.from('abc'), edits).toString(), 'axBc');
  });
});

describe('removeMembers', () => {
  it('leaves the object without these members, for every choice of them', () => {
    fc.assert(
      fc.property(jsonObject, fc.infiniteStream(fc.boolean()), (text, choice) => {
        const bytes = Buffer.from(text);
        const members = objectMembers(bytes);
        const drops = new Map(members.map((member) => [member, choice.next().value]));
        const rest = splice(
          bytes,
          removeMembers(members, (member) => drops.get(member) === true),
        );
        const kept = members.filter((member) => !drops.get(member));
        const expected = new Map(
          kept.map(({ key, valueStart, end }) => [key, JSON.parse(bytes.toString('utf8', valueStart, end))]),
        );
        assert.deepEqual(new Map(Object.entries(JSON.parse(rest.toString()))), expected);
      }),
      runs,
    );
  });

  it('does so for every subset of six', () => {
    const whole = { a: 1, b: [2], c: { d: 3 }, e: '4', f: null, g: true };
    const bytes = Buffer.from(JSON.stringify(whole, null, 1));
    const members = objectMembers(bytes);
    for (let subset = 0; subset < 64; subset++) {
      const dropped = members.filter((_, i) => (subset >> i) & 1);
      const rest = splice(
        bytes,
        removeMembers(members, (member) => dropped.includes(member)),
      );
      const expected: Record<string, unknown> = { ...whole };
      for (const { key } of dropped) delete expected[key];
      assert.deepEqual(JSON.parse(rest.toString()), expected);
    }
  });
});

/** A body of 100 kB with short members around a long one, in a store with headroom. */
function largeBody(weight = 100_000): { text: string; store: Buffer; body: SpliceBody } {
  const text = `{"model":"a/b","n":1,"long":"${'wasser '.repeat(weight / 7)}","stream":true,"last":[1,2,3]}`;
  const store = Buffer.alloc(Buffer.byteLength(text) + 2 * HEADROOM, 0xaa);
  store.write(text, HEADROOM);
  return { text, store, body: new SpliceBody(store, HEADROOM, HEADROOM + Buffer.byteLength(text)) };
}

/** Edits of the short members: each replaced, removed, or preceded by something, or left. */
const edits = (text: string): fc.Arbitrary<Edit[]> => {
  const members = objectMembers(Buffer.from(text)).filter(({ key }) => key !== 'long');
  const one = fc.record({ kind: fc.constantFrom('set', 'insert', 'none'), text: fc.string({ maxLength: 60 }) });
  return fc.tuple(...members.map(() => one)).map((chosen) =>
    chosen.flatMap(({ kind, text: value }, i): Edit[] => {
      const member = members[i];
      if (!member || kind === 'none') return [];
      if (kind === 'set') return [{ start: member.valueStart, end: member.end, text: JSON.stringify(value) }];
      return [{ start: member.start, end: member.start, text: `"x${i}":${JSON.stringify(value)},` }];
    }),
  );
};

describe('SpliceBody', () => {
  it('gives what splice gives, attempt after attempt, and keeps the original', () => {
    const { text } = largeBody();
    fc.assert(
      fc.property(fc.array(edits(text), { minLength: 1, maxLength: 5 }), fc.boolean(), (attempts, looksBetween) => {
        const { body } = largeBody();
        for (const attempt of attempts) {
          const expected = splice(Buffer.from(text), attempt);
          assert.ok(body.rewrite(attempt).equals(expected));
          if (looksBetween) assert.ok(body.original().equals(Buffer.from(text)));
        }
        assert.ok(body.original().equals(Buffer.from(text)));
      }),
      { ...runs, numRuns: 60 },
    );
  });

  it('edits a large body in its own buffer', () => {
    const { text, store, body } = largeBody();
    const edit = { start: 9, end: 14, text: '"a-longer-name"' };
    const first = body.rewrite([edit]);
    assert.equal(first.buffer, store.buffer);
    assert.equal(first.toString(), text.replace('"a/b"', '"a-longer-name"'));
    assert.equal(body.original().buffer, store.buffer);
  });

  it('copies where an edit falls into the piece that stays, or does not fit into the headroom', () => {
    const { text, store, body } = largeBody();
    const small = { start: 9, end: 14, text: '"x"' };
    body.rewrite([small]);
    const middle = text.indexOf('wasser ') + 70_000;
    const inside = [small, { start: middle, end: middle + 1, text: 'W' }];
    const copied = body.rewrite(inside);
    assert.notEqual(copied.buffer, store.buffer);
    assert.ok(copied.equals(splice(Buffer.from(text), inside)));
    for (const at of [9, text.length - 1]) {
      const long = [{ start: at, end: at, text: 'y'.repeat(HEADROOM + 1) }];
      const grown = body.rewrite(long);
      assert.notEqual(grown.buffer, store.buffer);
      assert.ok(grown.equals(splice(Buffer.from(text), long)));
    }
    assert.equal(body.original().toString(), text);
  });

  it('does not move much: with edits far apart it copies', () => {
    const { text, store, body } = largeBody();
    const far = [15_000, 40_000, 60_000, 90_000].map((start) => ({ start, end: start + 1, text: 'Z' }));
    const out = body.rewrite(far);
    assert.notEqual(out.buffer, store.buffer);
    assert.ok(out.equals(splice(Buffer.from(text), far)));
  });

  it('leaves the store of a small body alone', () => {
    const { text, store, body } = largeBody(7_000);
    const before = Buffer.from(store);
    assert.equal(body.length, text.length);
    assert.equal(body.rewrite([]).toString(), text);
    assert.equal(body.rewrite([{ start: 9, end: 14, text: '"x"' }]).toString(), text.replace('"a/b"', '"x"'));
    assert.ok(store.equals(before));
  });

  it('writes nothing beyond its headroom', () => {
    const { store, body } = largeBody();
    const outer = Buffer.alloc(store.length + 64, 0x55);
    store.copy(outer, 32);
    const inner = outer.subarray(32, 32 + store.length);
    const guarded = new SpliceBody(inner, HEADROOM, inner.length - HEADROOM);
    guarded.rewrite([{ start: 9, end: 14, text: `"${'m'.repeat(HEADROOM)}"` }]);
    guarded.rewrite([{ start: body.length - 1, end: body.length - 1, text: 'n'.repeat(HEADROOM) }]);
    assert.ok(outer.subarray(0, 32).every((byte) => byte === 0x55));
    assert.ok(outer.subarray(-32).every((byte) => byte === 0x55));
  });
});
