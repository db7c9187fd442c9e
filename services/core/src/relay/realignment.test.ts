import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Transcript } from '../dialects/index.ts';
import type { RealignmentOptions } from './choice-realignment.ts';
import { Realignment } from './realignment.ts';

const SEED = Number(process.env.FC_SEED ?? 20_262);
const REPEAT: RealignmentOptions = { mode: 'repeat', cutOff: '', freeReasoning: false };

interface Answer {
  readonly reasoning: string;
  readonly content: string;
  readonly calls: readonly { readonly name: string; readonly arguments: string }[];
}

interface Piece {
  readonly index: number;
  readonly delta: Record<string, unknown>;
}

const text = fc.string({
  unit: fc.constantFrom('a', 'b', ' ', '\n', '"', '\\', 'é', '漢', '😀', 'data: '),
  maxLength: 14,
});
const answer: fc.Arbitrary<Answer> = fc.record({
  reasoning: fc.oneof(fc.constant(''), text),
  content: text,
  calls: fc.array(fc.record({ name: fc.constantFrom('f', 'g'), arguments: text.map((x) => JSON.stringify({ x })) }), {
    maxLength: 2,
  }),
});

/** A text in pieces of these lengths, over and over. */
function split(whole: string, lengths: readonly number[]): string[] {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < whole.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    pieces.push(whole.slice(at, at + length));
    at += length;
  }
  return pieces;
}

/** An answer as the deltas of one stream; `id` begins the ids that this provider gives its calls. */
function deltas({ reasoning, content, calls }: Answer, lengths: readonly number[], id: string, index = 0): Piece[] {
  const pieces: Record<string, unknown>[] = [
    ...split(reasoning, lengths).map((one) => ({ reasoning: one })),
    ...split(content, lengths).map((one) => ({ content: one })),
  ];
  calls.forEach((call, at) => {
    pieces.push({
      tool_calls: [{ index: at, id: `${id}${at}`, type: 'function', function: { name: call.name, arguments: '' } }],
    });
    for (const one of split(call.arguments, lengths)) {
      pieces.push({ tool_calls: [{ index: at, function: { arguments: one } }] });
    }
  });
  return [{ role: 'assistant', content: '' }, ...pieces].map((delta) => ({ index, delta }));
}

const frameOf = ({ index, delta }: Piece, finish_reason: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'gen_x', model: 'm', choices: [{ index, delta, finish_reason }] })}\n\n`;

interface Heard {
  roles: number;
  reasoning: string;
  content: string;
  calls: { id: string; name: string; arguments: string }[];
  finishes: number;
}

/** What a client makes of frames, one entry a choice. */
function hear(frames: string): Map<number, Heard> {
  const choices = new Map<number, Heard>();
  for (const frame of frames.split('\n\n').filter((one) => one.startsWith('data: {'))) {
    const chunk = JSON.parse(frame.slice(6)) as {
      choices: { index: number; delta: Record<string, never>; finish_reason: string | null }[];
    };
    for (const { index, delta, finish_reason } of chunk.choices) {
      const heard = choices.get(index) ?? { roles: 0, reasoning: '', content: '', calls: [], finishes: 0 };
      choices.set(index, heard);
      const { role, reasoning, content, tool_calls } = delta as {
        role?: string;
        reasoning?: string;
        content?: string;
        tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
      };
      if (role) heard.roles++;
      heard.reasoning += reasoning ?? '';
      heard.content += content ?? '';
      for (const call of tool_calls ?? []) {
        const known = heard.calls[call.index] ?? { id: '', name: '', arguments: '' };
        heard.calls[call.index] = known;
        known.id += call.id ?? '';
        known.name += call.function?.name ?? '';
        known.arguments += call.function?.arguments ?? '';
      }
      if (finish_reason) heard.finishes++;
    }
  }
  return choices;
}

interface Played {
  readonly heard: Map<number, Heard>;
  /** Null: it went on to its end. */
  readonly parted: string | null;
}

/** Plays `told` pieces of a first stream, then a second one from its beginning. */
function play(
  first: readonly Piece[],
  told: number,
  second: readonly Piece[],
  choices: number,
  options = REPEAT,
): Played {
  const transcript = new Transcript();
  const sent = first.slice(0, told);
  for (const { index, delta } of sent) transcript.delta(index, delta);
  let out = sent.map((piece) => frameOf(piece)).join('');
  const realignment = new Realignment(transcript, options);
  try {
    for (const piece of second) {
      out += realignment.pass(frameOf(piece));
      realignment.commit();
    }
    if (!realignment.covered) return { heard: hear(out), parted: 'shorter' };
    for (let index = 0; index < choices; index++) out += realignment.pass(frameOf({ index, delta: {} }, 'stop'));
    out += realignment.pass('data: [DONE]\n\n');
  } catch (error) {
    return { heard: hear(out), parted: String(error) };
  }
  assert.ok(out.endsWith('data: [DONE]\n\n'));
  return { heard: hear(out), parted: null };
}

const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

describe('Realignment', () => {
  it('of the same answer, cut anywhere, in any pieces: what the client hears is that answer', () => {
    fc.assert(
      fc.property(answer, lengths, lengths, fc.nat(60), (said, a, b, cut) => {
        const first = deltas(said, a, 'first');
        const told = 1 + (cut % first.length);
        const { heard, parted } = play(first, told, deltas(said, b, 'second'), 1);
        assert.equal(parted, null);
        const [one] = heard.values();
        assert.ok(one);
        assert.equal(one.content, said.content);
        assert.equal(one.reasoning, said.reasoning);
        assert.deepEqual(
          one.calls.map(({ name, arguments: args }) => ({ name, arguments: args })),
          said.calls.map((call) => ({ ...call })),
        );
        for (const [i, { id }] of one.calls.entries()) assert.ok([`first${i}`, `second${i}`].includes(id), id);
        assert.deepEqual([one.roles, one.finishes], [1, 1]);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('of several choices that come mixed', () => {
    fc.assert(
      fc.property(answer, answer, lengths, lengths, fc.nat(60), (x, y, a, b, cut) => {
        const mix = (id: string, by: readonly number[]): Piece[] => {
          const [left, right] = [deltas(x, by, id, 0), deltas(y, by, id, 1)];
          return Array.from({ length: Math.max(left.length, right.length) }, (_, i) => [left[i], right[i]])
            .flat()
            .filter((piece) => piece !== undefined);
        };
        const first = mix('first', a);
        const { heard, parted } = play(first, 1 + (cut % first.length), mix('second', b), 2);
        assert.equal(parted, null);
        assert.deepEqual([heard.get(0)?.content, heard.get(1)?.content], [x.content, y.content]);
        assert.deepEqual([heard.get(0)?.roles, heard.get(1)?.roles], [1, 1]);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('of another answer: parted, or everything told before stands at its beginning', () => {
    fc.assert(
      fc.property(answer, answer, lengths, fc.nat(60), (x, y, by, cut) => {
        const first = deltas(x, by, 'first');
        const told = 1 + (cut % first.length);
        const before = hear(
          first
            .slice(0, told)
            .map((piece) => frameOf(piece))
            .join(''),
        ).get(0);
        const { heard, parted } = play(first, told, deltas(y, by, 'second'), 1);
        const after = heard.get(0);
        assert.ok(before && after);
        assert.ok(after.content.startsWith(before.content));
        if (parted !== null) return;
        assert.equal(after.content, y.content);
        assert.deepEqual(
          after.calls.map((call) => call.arguments),
          y.calls.map((call) => call.arguments),
        );
        assert.ok(y.content.startsWith(before.content));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  const told = (...list: Record<string, unknown>[]): Piece[] => list.map((delta) => ({ index: 0, delta }));
  const call = (args: string, more: object = {}): Record<string, unknown> => ({
    tool_calls: [{ index: 0, ...more, function: { arguments: args, ...('id' in more ? { name: 'f' } : {}) } }],
  });
  const cases: [name: string, first: Piece[], second: Piece[], parted: RegExp | null][] = [
    ['a shorter answer', told({ content: 'abc' }), told({ content: 'ab' }), /shorter/],
    ['other arguments', told(call('{"a":', { id: 'x' })), told(call('{"b":1}', { id: 'y' })), /other arguments/],
    ['no call', told(call('{"a":', { id: 'x' })), told({ content: 'Sorry' }), /before it calls/],
    [
      'a call that was not made',
      told({ content: 'abc' }),
      told({ content: 'ab' }, call('{}', { id: 'y' })),
      /says less/,
    ],
    ['less thought', told({ reasoning: 'hmm' }), told({ reasoning: 'hm' }, { content: 'a' }), /thought less/],
    [
      'other thoughts before the same text',
      told({ reasoning: 'hmm' }, { content: 'a' }),
      told({ reasoning: 'oh' }, { content: 'ab' }),
      null,
    ],
    [
      'a remark repeated',
      told({ content: 'a' }, { annotations: [1] }),
      told({ annotations: [1], content: 'a' }, { content: 'b' }),
      null,
    ],
  ];
  for (const [name, first, second, parted] of cases) {
    it(`of ${name}`, () => {
      const played = play(first, first.length, second, 1);
      if (parted === null) assert.equal(played.parted, null);
      else assert.match(played.parted ?? '', parted);
    });
  }

  /** The deltas that come through behind these, of a stream that says the second ones. */
  const passed = (first: object[], second: object[], options = REPEAT): Record<string, unknown>[] => {
    const transcript = new Transcript();
    for (const delta of first) transcript.delta(0, delta);
    const realignment = new Realignment(transcript, options);
    return told(...(second as Record<string, unknown>[]))
      .map((piece) => realignment.pass(frameOf(piece)))
      .filter((frame) => frame !== '')
      .map((frame) => JSON.parse(frame.slice(6)).choices[0].delta);
  };

  it('says thoughts behind the beginning of the answer once, or not at all where they were broken off', () => {
    const thoughts = [{ reasoning: 'Hm. ' }, { content: 'a' }, { reasoning: 'So ' }, { reasoning: 'what?' }];
    assert.deepEqual(passed(thoughts.slice(0, 2), [...thoughts, { content: 'b' }]), [
      { reasoning: 'So ' },
      { reasoning: 'what?' },
      { content: 'b' },
    ]);
    assert.deepEqual(passed(thoughts.slice(0, 3), [...thoughts, { content: 'b' }]), [{ content: 'b' }]);
  });

  it('numbers new details behind those that were told, and names calls as the client knows them', () => {
    const opened = (id: string, index: number): object => ({
      tool_calls: [{ index, id, type: 'function', function: { name: 'f', arguments: '' } }],
    });
    const detail = { type: 'reasoning.encrypted', data: 'AAAA', index: 0 };
    const second = [opened('y', 1), call('{}', {}), opened('z', 3), { reasoning_details: [{ ...detail, id: 'y' }] }];
    (second[1] as { tool_calls: { index: number }[] }).tool_calls[0] = {
      index: 1,
      ...{ function: { arguments: '{}' } },
    };
    assert.deepEqual(passed([{ reasoning_details: [detail] }, opened('x', 0)], second), [
      { tool_calls: [{ index: 0, function: { arguments: '{}' } }] },
      opened('z', 3),
      { reasoning_details: [{ ...detail, id: 'x', index: 1 }] },
    ]);
    assert.deepEqual(
      passed([opened('x', 1)], [opened('y', 0), opened('z', 1)]),
      [opened('z', 2)],
      'calls are the same by their order',
    );
  });

  it('makes the same remark once, also right behind what was repeated', () => {
    const first = [{ content: 'a' }, { annotations: [1] }];
    assert.deepEqual(passed(first, [...first, { annotations: [2] }, { content: 'b' }, { annotations: [1] }]), [
      { annotations: [2] },
      { content: 'b' },
      { annotations: [1] },
    ]);
    assert.deepEqual(passed(first, [{ content: 'a' }, { content: 'b' }, { annotations: [2] }]), [
      { content: 'b' },
      { annotations: [2] },
    ]);
  });

  it('leaves an encrypted thought the only one: two would be joined to one that nobody can read', () => {
    const thought = (data: string): object => ({
      reasoning_details: [{ type: 'reasoning.encrypted', data, index: 0 }],
    });
    assert.deepEqual(passed([thought('AA')], [thought('BB'), { content: 'a' }]), [{ content: 'a' }]);
    assert.deepEqual(passed([thought('AA')], [thought('BB'), { content: 'a' }], { ...REPEAT, freeReasoning: true }), [
      { reasoning_details: [{ type: 'reasoning.encrypted', data: 'BB', index: 1 }] },
      { content: 'a' },
    ]);
  });

  it('parts before a word of another answer gets out', () => {
    assert.throws(() => passed([{ refusal: 'No' }], [{ content: 'Yes' }]), /something else/);
    assert.throws(() => passed([{ content: 'Yes' }], [{ refusal: 'No' }]), /something else/);
  });

  it('lets thinking go on in other words where that was asked for', () => {
    const first = told({ reasoning: 'Let me' });
    const second = told({ reasoning: 'Well, ' }, { reasoning: 'so.' }, { content: 'Yes' });
    const free = play(first, 1, second, 1, { ...REPEAT, freeReasoning: true });
    assert.deepEqual(
      [free.parted, free.heard.get(0)?.reasoning, free.heard.get(0)?.content],
      [null, 'Let meWell, so.', 'Yes'],
    );
    assert.match(play(first, 1, second, 1).parted ?? '', /something else/);
  });

  it('goes on from a prefix that was given, but for white space at its end', () => {
    const goOn = (cutOff: string, ...second: string[]): Played =>
      play(told({ content: `Hello${cutOff}` }), 1, told(...second.map((content) => ({ content }))), 1, {
        mode: 'continue',
        cutOff,
        freeReasoning: false,
      });
    assert.equal(goOn('', ' wor', 'ld').heard.get(0)?.content, 'Hello world');
    assert.equal(goOn(' ', ' world').heard.get(0)?.content, 'Hello world');
    assert.equal(goOn(' \n', ' ', '\nworld').heard.get(0)?.content, 'Hello \nworld');
    assert.equal(goOn(' ', 'world').heard.get(0)?.content, 'Hello world', 'white space need not be repeated');
    assert.equal(goOn('\n\n', '\nworld').heard.get(0)?.content, 'Hello\n\nworld', 'nor in the same measure');
    assert.equal(goOn('. ').parted, null, 'nor at all');
    assert.equal(goOn('.').parted, null, 'nothing was left to say');
    for (const rest of [[], [''], [' \n']]) {
      assert.match(goOn(' ', ...rest).parted ?? '', /shorter/, 'half a sentence is not the end');
    }
  });

  it('goes on behind a prefix that was given and is said again, but for white space at its end', () => {
    const goOn = (cutOff: string, ...second: string[]): Played =>
      play(told({ content: `Hello, my${cutOff}` }), 1, told(...second.map((content) => ({ content }))), 1, {
        mode: 'echo',
        cutOff,
        freeReasoning: false,
      });
    const dear = (cutOff: string, ...second: string[]) => goOn(cutOff, ...second).heard.get(0)?.content;
    assert.equal(dear('', 'Hello, my', ' dear'), 'Hello, my dear');
    assert.equal(dear(' ', 'Hello, my', ' dear'), 'Hello, my dear', 'the space comes with the next piece');
    assert.equal(dear(' ', 'Hello, my', 'dear'), 'Hello, my dear', 'or not');
    assert.equal(dear('\n\n', 'Hello, my', ' dear'), 'Hello, my\n\n dear', 'or as another one');
    assert.equal(dear(' ', 'Hello, my dear'), 'Hello, my dear', 'in one piece');
    assert.equal(dear('\n', 'Hello, my dear'), 'Hello, my\n dear');
    assert.equal(dear(' ', 'He', 'llo, m', 'y d', 'ear'), 'Hello, my dear', 'in any pieces');
    for (const parted of [['dear'], ['Hello, dear'], ['Hello,', ' you']]) {
      assert.match(goOn(' ', ...parted).parted ?? '', /something else/, parted.join(''));
    }
    for (const short of [[], ['Hello'], ['Hello, my'], ['Hello, my', ' ']]) {
      assert.match(goOn(' ', ...short).parted ?? '', /shorter/, short.join(''));
    }
  });

  it('keeps probabilities only where nothing was cut', () => {
    const transcript = new Transcript();
    transcript.delta(0, { content: 'ab' });
    const realignment = new Realignment(transcript, REPEAT);
    const chunk = (content: string): string =>
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, logprobs: { content: [1] }, finish_reason: null }] })}\n\n`;
    assert.equal(realignment.pass(chunk('a')), '');
    assert.match(realignment.pass(chunk('bc')), /"content":"c".*"logprobs":null/);
    assert.match(realignment.pass(chunk('d')), /"logprobs":\{"content":\[1\]\}/);
  });
});
