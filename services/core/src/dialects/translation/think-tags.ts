/** Where what was thought and what was said go. */
export interface ThoughtSink {
  text(text: string): void;
  reasoning(text: string): void;
}

const OPENING = /^\s*<(think|thinking)>/;
/** The longest text that may still become an opening tag. */
const MAY_OPEN = /^\s*(?:<(?:t(?:h(?:i(?:n(?:k(?:i(?:n(?:g)?)?)?)?)?)?)?)?)?$/;

/**
 * Takes the thinking of models that print it out of their text: `<think>...</think>` (or `<thinking>`) at its very beginning.
 * The text may be cut anywhere, also inside a tag. White space around the thinking, and between it and the answer, goes. A
 * tag further on is text.
 */
export class ThinkTags {
  readonly #sink: ThoughtSink;
  #state: 'start' | 'thinking' | 'text' = 'start';
  /** Undecided: what may be part of a tag, or white space that may be at an end. */
  #pending = '';
  #closing = '';
  #hasThought = false;

  constructor(sink: ThoughtSink) {
    this.#sink = sink;
  }

  /** Nothing of what comes can be thinking any more: the rest need not pass through here. */
  get passesAll(): boolean {
    return this.#state === 'text';
  }

  push(text: string): void {
    if (this.#state === 'text') {
      this.#say(text);
      return;
    }
    this.#pending += text;
    while (this.#state === 'start' ? this.#begin() : this.#state === 'thinking' && this.#think()) {
      // Each step takes something from what is pending.
    }
  }

  /** The text has ended: what is undecided is what it looks like. */
  end(): void {
    const rest = this.#pending;
    this.#pending = '';
    if (this.#state === 'thinking') this.#thought(rest.trimEnd());
    else if (this.#state === 'start') this.#say(this.#closing === '' ? rest : rest.trimStart());
  }

  /** True when the state changed. */
  #begin(): boolean {
    const opening = OPENING.exec(this.#pending);
    if (opening) {
      this.#state = 'thinking';
      this.#closing = `</${opening[1] ?? ''}>`;
      this.#pending = this.#pending.slice(opening[0].length);
      this.#hasThought = false;
      return true;
    }
    if (MAY_OPEN.test(this.#pending)) return false;
    const rest = this.#closing === '' ? this.#pending : this.#pending.trimStart();
    this.#state = 'text';
    this.#pending = '';
    this.#say(rest);
    return false;
  }

  #think(): boolean {
    const end = this.#pending.indexOf(this.#closing);
    if (end >= 0) {
      this.#thought(this.#pending.slice(0, end).trimEnd());
      this.#pending = this.#pending.slice(end + this.#closing.length);
      this.#state = 'start';
      return true;
    }
    const kept = undecidedFrom(this.#pending, this.#closing);
    this.#thought(this.#pending.slice(0, kept));
    this.#pending = this.#pending.slice(kept);
    return false;
  }

  #thought(text: string): void {
    const piece = this.#hasThought ? text : text.trimStart();
    if (piece === '') return;
    this.#hasThought = true;
    this.#sink.reasoning(piece);
  }

  #say(text: string): void {
    if (text !== '') this.#sink.text(text);
  }
}

/** Where the end of a text begins that may be the start of `tag`, with the white space before it. */
function undecidedFrom(text: string, tag: string): number {
  let at = text.length;
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(tag.slice(0, length))) {
      at = text.length - length;
      break;
    }
  }
  return text.slice(0, at).trimEnd().length;
}
