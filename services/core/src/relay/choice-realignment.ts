import { detailKey, detailText, type ToldCall, type ToldChoice } from '../dialects/index.ts';
import { partedAnswer as parted } from './failures.ts';

export interface Delta {
  role?: unknown;
  content?: unknown;
  reasoning?: unknown;
  reasoning_content?: unknown;
  reasoning_details?: unknown;
  refusal?: unknown;
  annotations?: unknown;
  tool_calls?: DeltaCall[] | null;
  [key: string]: unknown;
}

interface DeltaCall {
  index: number;
  id?: string;
  type?: string;
  function?: { name?: string; arguments?: string };
}

export interface RealignmentOptions {
  /**
   * `repeat`: the new stream begins anew and has to say what was said, word by word. `continue`: it was given what was
   * said, but for white space at the end, and goes on from there. `echo`: so it was, and it says that again before it goes on.
   */
  readonly mode: 'repeat' | 'continue' | 'echo';
  /** `continue`, `echo`: white space that was said and not given. */
  readonly cutOff: string;
  /** Thinking that was broken off may go on in other words. */
  readonly freeReasoning: boolean;
}

/** A text that the client has, and how much of it the new stream has said. */
class Repeat {
  readonly #told: string;
  #at = 0;

  constructor(told: string) {
    this.#told = told;
  }

  get done(): boolean {
    return this.#at >= this.#told.length;
  }

  /** How much of it has been said. */
  get at(): number {
    return this.#at;
  }

  /** What of the next piece goes beyond; null when it says something else. */
  beyond(piece: string): string | null {
    const both = Math.min(piece.length, this.#told.length - this.#at);
    if (!this.#told.startsWith(both === piece.length ? piece : piece.slice(0, both), this.#at)) return null;
    this.#at += both;
    return piece.slice(both);
  }

  /** It need not be said to its end; returns what was taken for a repetition. */
  giveUp(): string {
    const said = this.#told.slice(0, this.#at);
    this.#at = this.#told.length;
    return said;
  }
}

interface Call {
  /** As the client knows it. */
  readonly index: number;
  /** Null: the client learns of it from this stream. */
  readonly repeat: Repeat | null;
}

type ToldEntry = readonly [index: number, call: ToldCall];

/** Cuts out of one choice of a new stream what its client already has. */
export class ChoiceRealignment {
  readonly #told: ToldChoice;
  readonly #free: boolean;
  readonly #content: Repeat;
  readonly #refusal: Repeat;
  readonly #reasoning: Repeat;
  /** By `detailKey`. */
  readonly #details = new Map<string, Repeat>();
  /** Nothing but thoughts was told, if anything. */
  readonly #thinking: boolean;
  /** White space at the end that was told may be missing in the new stream; what stands before it may not. */
  #spaceIsFree: boolean;
  readonly #strict: number;
  /** Calls that were told, in their order; the new stream opens them in the same. */
  readonly #toldCalls: readonly ToldEntry[];
  #opened = 0;
  /** By the new stream's index. */
  readonly #calls = new Map<number, Call>();
  /** From the new stream's ids to those that the client knows. */
  readonly #ids = new Map<string, string>();
  /** Remarks that the new stream may still repeat. */
  #remarks: number;

  constructor(told: ToldChoice, { mode, cutOff, freeReasoning }: RealignmentOptions) {
    const repeats = mode !== 'continue';
    // What was thought before a text or a call has served its purpose.
    this.#thinking = repeats && told.content === '' && told.refusal === '' && told.calls.size === 0;
    this.#told = told;
    this.#free = freeReasoning;
    this.#spaceIsFree = mode !== 'repeat';
    this.#strict = mode === 'echo' ? told.content.length - cutOff.length : 0;
    this.#content = new Repeat(repeats ? told.content : cutOff);
    this.#refusal = new Repeat(repeats ? told.refusal : '');
    this.#reasoning = new Repeat(this.#thinking ? told.reasoning : '');
    for (const [key, { text }] of told.details) this.#details.set(key, new Repeat(text));
    this.#toldCalls = repeats ? [...told.calls] : [];
    this.#remarks = mode === 'repeat' ? told.annotations : 0;
  }

  /** All that is left to be repeated is white space that may be missing. */
  get #mayLack(): boolean {
    return this.#spaceIsFree && this.#content.at >= this.#strict;
  }

  /** Everything that the client had has been repeated. */
  get covered(): boolean {
    return this.#repeated && this.#reasoning.done;
  }

  /** All but the thoughts has been repeated. */
  get #repeated(): boolean {
    return (this.#mayLack || this.#content.done) && this.#refusal.done && this.#calledAll;
  }

  get #calledAll(): boolean {
    if (this.#opened < this.#toldCalls.length) return false;
    for (const { repeat } of this.#calls.values()) if (repeat?.done === false) return false;
    return true;
  }

  /** Leaves in the delta what the client lacks. Throws a GatewayError where the answers part. */
  cut(delta: Delta): void {
    delete delta.role;
    const before = this.#repeated;
    this.#cutThoughts(delta);
    if (typeof delta.content === 'string') delta.content = this.#beyond(this.#content, delta.content);
    if (typeof delta.refusal === 'string') delta.refusal = this.#beyond(this.#refusal, delta.refusal);
    if (Array.isArray(delta.tool_calls)) this.#cutCalls(delta, delta.tool_calls);
    if (Array.isArray(delta.annotations)) this.#cutRemarks(delta, delta.annotations, before);
    if (delta.content || delta.refusal || (delta.tool_calls?.length ?? 0) > 0) this.#goOn(delta);
  }

  /** The client gets more than it had: this must be where the answer stood. */
  #goOn(delta: Delta): void {
    if (!this.#calledAll)
      throw parted(delta.tool_calls?.length ? 'its calls differ' : 'it says more before it calls a tool');
    if (!this.#repeated) throw parted('it says something else');
    if (!this.#reasoning.done) {
      if (!this.#free) throw parted('it thought less');
      this.#reasoning.giveUp();
    }
    this.#remarks = 0;
    this.#spaceIsFree = false;
    this.#content.giveUp();
  }

  #beyond(repeat: Repeat, piece: string): string {
    const strict = repeat === this.#content && this.#spaceIsFree ? this.#strict - repeat.at : 0;
    if (strict > 0 && piece.length > strict) {
      return this.#beyond(repeat, piece.slice(0, strict)) + this.#beyond(repeat, piece.slice(strict));
    }
    const rest = repeat.beyond(piece);
    if (rest !== null) return rest;
    if (!this.#mayLack || repeat !== this.#content) throw parted('it says something else');
    // Of the white space that was held back it says another, or none.
    let same = 0;
    while (repeat.beyond(piece.charAt(same)) === '') same++;
    repeat.giveUp();
    return piece.slice(same);
  }

  #cutThoughts(delta: Delta): void {
    if (!this.#thinking) {
      // What was thought before the text that is repeated is of no use to a client that has its own; nor is there a place for
      // more where thoughts were broken off behind the answer's beginning.
      if (!this.#repeated || this.#told.thoughtLate) {
        delete delta.reasoning;
        delete delta.reasoning_content;
        delete delta.reasoning_details;
      } else this.#cutDetails(delta, (detail) => [this.#renumbered(detail)]);
      return;
    }
    const key = typeof delta.reasoning === 'string' ? 'reasoning' : 'reasoning_content';
    const text = delta[key];
    if (typeof text === 'string') delta[key] = this.#thought(text);
    this.#cutDetails(delta, (detail) => (this.#free ? [this.#renumbered(detail)] : this.#cutDetail(detail)));
  }

  #thought(piece: string): string {
    const rest = this.#reasoning.beyond(piece);
    if (rest !== null) return rest;
    if (!this.#free) throw parted('it thinks something else');
    return this.#reasoning.giveUp() + piece;
  }

  #cutDetails(delta: Delta, cut: (detail: object) => object[]): void {
    if (Array.isArray(delta.reasoning_details)) delta.reasoning_details = delta.reasoning_details.flatMap(cut);
  }

  #cutDetail(detail: object): object[] {
    // The client has one that it can send back, and two would be joined to one that nobody can read.
    if ('data' in detail && this.#told.encrypted) return [];
    const key = detailKey(detail);
    const repeat = this.#details.get(key);
    if (repeat === undefined) return [detail];
    const text = detailText(detail);
    const rest = repeat.beyond(text);
    if (rest === null) throw parted('it thinks something else');
    // Where providers part their thoughts in different places, what is signed stays what was signed.
    if (this.#told.details.get(key)?.signed || !repeat.done) return [];
    if (text === '') return [detail];
    return rest === '' ? [] : [{ ...detail, ['text' in detail ? 'text' : 'summary']: rest }];
  }

  /** A detail of its own: joined to one of the broken stream, it would have a signature that does not fit. */
  #renumbered(detail: object): object {
    const { index, id } = detail as { index?: unknown; id?: unknown };
    const told = typeof id === 'string' ? this.#ids.get(id) : undefined;
    return {
      ...detail,
      ...(typeof index === 'number' ? { index: index + this.#told.lastDetail + 1 } : {}),
      ...(told === undefined ? {} : { id: told }),
    };
  }

  #cutRemarks(delta: Delta, remarks: readonly unknown[], repeated: boolean): void {
    // Remarks on what is being repeated were made the first time.
    const from = repeated ? Math.min(this.#remarks, remarks.length) : remarks.length;
    this.#remarks = Math.max(0, this.#remarks - from);
    delta.annotations = remarks.slice(from);
  }

  #cutCalls(delta: Delta, calls: readonly DeltaCall[]): void {
    delta.tool_calls = calls.flatMap((call) => {
      const known = this.#calls.get(call.index) ?? this.#open(call);
      if (known.repeat === null) return [{ ...call, index: known.index }];
      const rest = known.repeat.beyond(call.function?.arguments ?? '');
      if (rest === null) throw parted('it calls a tool with other arguments');
      return rest === '' ? [] : [{ index: known.index, function: { arguments: rest } }];
    });
  }

  #open(call: DeltaCall): Call {
    const told = this.#toldCalls[this.#opened];
    if (!told && !this.#mayLack && !this.#content.done) throw parted('it says less before it calls a tool');
    const opened = told ? this.#reopen(told, call) : { index: this.#freeIndex(call.index), repeat: null };
    this.#calls.set(call.index, opened);
    return opened;
  }

  #reopen([index, told]: ToldEntry, { id, function: called }: DeltaCall): Call {
    if ((called?.name ?? '') !== told.name) throw parted('it calls another tool');
    this.#opened++;
    if (id) this.#ids.set(id, told.id);
    return { index, repeat: new Repeat(told.arguments) };
  }

  #freeIndex(wanted: number): number {
    const taken = [...this.#calls.values(), ...this.#toldCalls.map(([index]) => ({ index }))].map(({ index }) => index);
    return taken.includes(wanted) ? Math.max(...taken) + 1 : wanted;
  }
}
