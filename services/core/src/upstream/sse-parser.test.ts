import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SseParser } from './sse-parser.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

type Event = [data: string, name: string];

/** Feeds the bytes in pieces of these lengths, over and over. */
function parse(bytes: Buffer | string, cuts: readonly number[] = [Number.MAX_SAFE_INTEGER]): Event[] {
  const events: Event[] = [];
  const parser = new SseParser({ onEvent: (data, name) => void events.push([data.toString(), name]) });
  const all = Buffer.from(bytes);
  for (let at = 0, i = 0; at < all.length; i++) {
    const piece = Buffer.from(all.subarray(at, at + (cuts[i % cuts.length] ?? 1)));
    at += piece.length;
    parser.feed(piece);
  }
  return events;
}

/** The algorithm of the HTML standard (9.2.6), word for word, on text. */
function reference(text: string): Event[] {
  const events: Event[] = [];
  let data = '';
  let name = '';
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  // What follows the last line end is an unfinished line.
  for (const line of lines.slice(0, -1)) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (line === '') {
      // A buffer that is "" is the same as none.
      if (data !== '' && data !== '\n') events.push([data.slice(0, -1), name]);
      data = '';
      name = '';
    } else if (field === 'data') data += `${value}\n`;
    else if (field === 'event') name = value;
  }
  return events;
}

const newline = fc.constantFrom('\n', '\r\n', '\r');
const value = fc.string({
  unit: fc.constantFrom('a', ' ', ':', 'é', '水', '\u{1f600}', '\ufeff', '{', '"'),
  maxLength: 8,
});
const line = fc.oneof(
  value.map((text) => `data:${text}`),
  value.map((text) => `data: ${text}`),
  fc.constant(''),
  fc.constantFrom(
    'data',
    'datax:1',
    'dat:1',
    ' data: 1',
    'event',
    'eventual: 1',
    'id: 7',
    'retry: 100',
    ': comment',
    ':',
  ),
  value.map((text) => `event: ${text}`),
);
const stream = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(line, newline), { maxLength: 30 }), value)
  .map(([bom, lines, rest]) => `${bom ? '\ufeff' : ''}${lines.map((parts) => parts.join('')).join('')}${rest}`);
const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });

describe('SseParser', () => {
  it('does what the standard says, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(stream, cuts, (text, lengths) => {
        const expected = reference(text);
        assert.deepEqual(parse(text), expected);
        assert.deepEqual(parse(text, lengths), expected);
        assert.deepEqual(parse(text, [1]), expected);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("joins data lines, takes off one space, keeps the event's name", () => {
    assert.deepEqual(parse('event: ping\ndata: a\ndata:  b\ndata:c\n\n'), [['a\n b\nc', 'ping']]);
    assert.deepEqual(parse('data: a\n\nevent: x\n\ndata: b\n\n'), [
      ['a', ''],
      ['b', ''],
    ]);
  });

  it('says nothing of an event that has not ended', () => {
    for (const text of ['data: a', 'data: a\n', 'data: a\r', ': c\n\n', '\n\n\n', 'data:\n\n'])
      assert.deepEqual(parse(text), []);
  });

  it('takes a byte order mark at the beginning only', () => {
    assert.deepEqual(parse('\ufeffdata: a\n\n', [1]), [['a', '']]);
    assert.deepEqual(parse('data: a\n\n\ufeffdata: b\n\n'), [['a', '']]);
  });

  it('knows the CRLF that is cut in two from two line ends', () => {
    assert.deepEqual(parse('data: a\r\ndata: b\r\n\r\n', [8]), [['a\nb', '']]);
    assert.deepEqual(parse('data: a\r\rdata: b\r\r', [8]), [
      ['a', ''],
      ['b', ''],
    ]);
  });

  it('does not collect an endless event', () => {
    const endless = (piece: string): void => {
      const parser = new SseParser({ onEvent: () => undefined });
      const bytes = Buffer.from(piece);
      for (let sent = 0; sent < 40 * 1024 * 1024; sent += bytes.length) parser.feed(bytes);
    };
    assert.throws(() => endless('x'.repeat(1024 * 1024)), RangeError);
    assert.throws(() => endless(`data: ${'x'.repeat(1024 * 1024)}\n`), RangeError);
    assert.throws(() => endless('data:\n'.repeat(10_000)), RangeError, 'quickly, too: lines are not joined one by one');
  });
});
