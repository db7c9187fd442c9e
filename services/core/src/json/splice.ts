import type { Member, Span } from './scan.ts';

/** Replace the bytes of the span by `text`; an empty span inserts, an empty text removes. */
export interface Edit extends Span {
  readonly text: string;
}

/**
 * Edits that remove the members for which `drop` is true, with the right commas, whichever of them they are.
 * `members` are all members of one object.
 */
export function removeMembers(members: readonly Member[], drop: (member: Member) => boolean): Edit[] {
  const edits: Edit[] = [];
  let keptBefore: Member | undefined;
  members.forEach((member, i) => {
    if (!drop(member)) {
      keptBefore = member;
      return;
    }
    const previous = members[i - 1];
    const next = members[i + 1];
    const start = keptBefore && previous ? previous.end : member.start;
    const end = keptBefore ? member.end : (next?.start ?? member.end);
    edits.push({ start, end, text: '' });
  });
  return edits;
}

/** In order of position; at one position inserts come before what replaces. */
function inOrder(edits: readonly Edit[]): readonly Edit[] {
  for (let i = 1; i < edits.length; i++) {
    const before = edits[i - 1];
    const edit = edits[i];
    if (before && edit && byPosition(before, edit) > 0) return [...edits].sort(byPosition);
  }
  return edits;
}

const byPosition = (a: Edit, b: Edit): number => a.start - b.start || a.end - b.end;

/** A copy of `bytes` with the edits applied. Edits must not overlap. */
export function splice(bytes: Buffer, edits: readonly Edit[]): Buffer {
  const ordered = inOrder(edits);
  let size = bytes.length;
  for (const edit of ordered) size += Buffer.byteLength(edit.text) - (edit.end - edit.start);
  const out = Buffer.allocUnsafe(size);
  let from = 0;
  let at = 0;
  for (const edit of ordered) {
    at += bytes.copy(out, at, from, edit.start);
    at += out.write(edit.text, at);
    from = edit.end;
  }
  bytes.copy(out, at, from);
  return out;
}

/** Spare bytes that a body buffer carries before and behind its content, so that edits need no copy. */
export const HEADROOM = 512;
const IN_PLACE_FROM = 64 * 1024;
const MOVABLE = 32 * 1024;

/**
 * A request body that can be written anew for each attempt. A large one is edited inside its own buffer: its longest
 * untouched piece stays where it is and only the bytes before and behind it move.
 */
export class SpliceBody {
  readonly #store: Buffer;
  readonly #start: number;
  readonly #end: number;
  #anchor: Anchor | null = null;

  /** `store` holds the body at [start, end); the rest of it is headroom that this object may write to. */
  constructor(store: Buffer, start: number, end: number) {
    this.#store = store;
    this.#start = start;
    this.#end = end;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** The body as it came. Valid until the next `rewrite`; ends the validity of the last one. */
  original(): Buffer {
    const anchor = this.#anchor;
    if (anchor !== null) {
      anchor.head.copy(this.#store, this.#start);
      anchor.tail.copy(this.#store, this.#start + anchor.end);
    }
    return this.#store.subarray(this.#start, this.#end);
  }

  /** The body with the edits applied (offsets of the original). Valid until the next call. */
  rewrite(edits: readonly Edit[]): Buffer {
    if (edits.length === 0 && this.#anchor === null) return this.original();
    if (this.length < IN_PLACE_FROM) return splice(this.original(), edits);
    return this.#rewriteInPlace(inOrder(edits)) ?? splice(this.original(), edits);
  }

  #rewriteInPlace(edits: readonly Edit[]): Buffer | null {
    const anchor = this.#anchor ?? this.#drop(longestGap(edits, this.length));
    if (anchor === null) return null;
    const headEdits: Edit[] = [];
    const tailEdits: Edit[] = [];
    for (const edit of edits) {
      if (edit.end <= anchor.start) headEdits.push(edit);
      else if (edit.start >= anchor.end)
        tailEdits.push({ start: edit.start - anchor.end, end: edit.end - anchor.end, text: edit.text });
      else return null;
    }
    const head = splice(anchor.head, headEdits);
    const tail = splice(anchor.tail, tailEdits);
    const from = this.#start + anchor.start - head.length;
    const to = this.#start + anchor.end + tail.length;
    if (from < 0 || to > this.#store.length) return null;
    head.copy(this.#store, from);
    tail.copy(this.#store, this.#start + anchor.end);
    return this.#store.subarray(from, to);
  }

  #drop(gap: Span): Anchor | null {
    if (gap.start + (this.length - gap.end) > MOVABLE) return null;
    const original = this.#store.subarray(this.#start, this.#end);
    this.#anchor = {
      start: gap.start,
      end: gap.end,
      head: Buffer.from(original.subarray(0, gap.start)),
      tail: Buffer.from(original.subarray(gap.end)),
    };
    return this.#anchor;
  }
}

/** The piece that no attempt touches, and copies of what surrounds it. */
interface Anchor extends Span {
  readonly head: Buffer;
  readonly tail: Buffer;
}

function longestGap(edits: readonly Edit[], length: number): Span {
  let best: Span = { start: 0, end: 0 };
  let from = 0;
  for (const edit of [...edits, { start: length, end: length, text: '' }]) {
    if (edit.start - from > best.end - best.start) best = { start: from, end: edit.start };
    from = Math.max(from, edit.end);
  }
  return best;
}
