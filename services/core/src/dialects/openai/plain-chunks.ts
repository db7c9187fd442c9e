import { arrayElements, findMember, objectMembers } from '../../json/index.ts';
import type { FrameSink } from '../dialect.ts';
import type { Transcript } from '../transcript.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Longer texts are parsed: looking at each byte here would cost as much. */
const LONGEST_TEXT = 512;
/** A provider whose chunks differ in more than their text (a random field, say) is not worth learning for ever. */
const MOST_LESSONS = 8;

/**
 * Most chunks of a stream are the same bytes but for the text of one content string. Once one of them has been parsed and
 * checked, the others need no parsing: what stands before and behind the text is compared, and the text must be a plain
 * JSON string. Anything else is for the parser.
 */
export class PlainChunks {
  #before: Buffer | null = null;
  #after: Buffer = Buffer.alloc(0);
  #sentBefore: Buffer = this.#after;
  #sentAfter: Buffer = this.#after;
  #lessons = 0;
  #choice = 0;

  /** Writes the chunk as a frame, and its text down, when it is of the known form; false when it has to be parsed. */
  pass(data: Buffer, out: FrameSink, transcript?: Transcript | null): boolean {
    const before = this.#before;
    if (before === null) return false;
    const start = before.length;
    const end = data.length - this.#after.length;
    if (end < start || end - start > LONGEST_TEXT) return false;
    for (let i = start; i < end; i++) {
      const byte = data[i];
      if (byte === undefined || byte === QUOTE || byte === BACKSLASH || byte < 0x20) return false;
    }
    if (before.compare(data, 0, start) !== 0 || this.#after.compare(data, end) !== 0) return false;
    out.bytes(this.#sentBefore);
    out.bytes(data, start, end);
    out.bytes(this.#sentAfter);
    transcript?.contentBytes(this.#choice, data, start, end);
    return true;
  }

  /**
   * Learns from a chunk that was parsed, has one choice with a content string, changed nothing but the text said, and was
   * sent as `head` + data[from, to) + `tail`.
   */
  learn(data: Buffer, head: Buffer, from: number, to: number, tail: string, choice = 0): void {
    if (this.#lessons >= MOST_LESSONS) return;
    const text = contentString(data);
    if (text === null || text.start < from || text.end > to) return;
    this.#lessons++;
    this.#choice = choice;
    this.#before = Buffer.from(data.subarray(0, text.start));
    this.#after = Buffer.from(data.subarray(text.end));
    this.#sentBefore = Buffer.concat([head, data.subarray(from, text.start)]);
    this.#sentAfter = Buffer.concat([data.subarray(text.end, to), Buffer.from(tail)]);
  }
}

/** Where the text of `choices[0].delta.content` stands, between its quotes. */
function contentString(data: Buffer): { start: number; end: number } | null {
  const choices = findMember(objectMembers(data), 'choices');
  const [choice, another] = choices ? arrayElements(data, choices.valueStart) : [];
  if (!choice || another) return null;
  const delta = findMember(objectMembers(data, choice.start), 'delta');
  const content = delta ? findMember(objectMembers(data, delta.valueStart), 'content') : undefined;
  if (!content || data[content.valueStart] !== QUOTE) return null;
  return { start: content.valueStart + 1, end: content.end - 1 };
}
