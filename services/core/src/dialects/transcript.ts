/** What a client has been told of one tool call. */
export interface ToldCall {
  readonly id: string;
  readonly name: string;
  arguments: string;
}

/** What a client has been told of one member of `reasoning_details`. */
export interface ToldDetail {
  /** Its text or summary. */
  text: string;
  /** Nothing may be added to it any more. */
  signed: boolean;
}

/** What a client has been told of one choice. */
export interface ToldChoice {
  content: string;
  reasoning: string;
  /** By `detailKey`. */
  readonly details: Map<string, ToldDetail>;
  refusal: string;
  /** By index, in the order in which they were opened. */
  readonly calls: Map<number, ToldCall>;
  /** How many. */
  annotations: number;
  /** The highest index of `reasoning_details`; -1 without any. */
  lastDetail: number;
  /** Some of `reasoning_details` is readable by its provider only. */
  encrypted: boolean;
  /** There were thoughts behind the beginning of the answer itself. */
  thoughtLate: boolean;
}

interface DeltaCall {
  readonly index?: number | undefined;
  readonly id?: string | null | undefined;
  readonly function?: { readonly name?: string | null | undefined; readonly arguments?: unknown } | null | undefined;
}

/** The members of a chunk's delta that a transcript knows. */
export interface ToldDelta {
  readonly content?: unknown;
  readonly reasoning?: unknown;
  readonly reasoning_content?: unknown;
  readonly reasoning_details?: unknown;
  readonly refusal?: unknown;
  readonly annotations?: unknown;
  readonly tool_calls?: readonly DeltaCall[] | null | undefined;
  readonly function_call?: unknown;
  readonly audio?: unknown;
  readonly images?: unknown;
}

/** Longer answers are not kept: a stream that breaks behind so much cannot be gone on with. */
const MOST_CHARACTERS = 1_000_000;
/** Bytes: some hundred tokens. */
const MOST_PENDING = 1_024;

/**
 * What one stream has told its client, so that another endpoint can go on where it broke (DESIGN 6). Decoders write it
 * along: a few bytes a chunk, no parsing of its own.
 */
export class Transcript {
  readonly #choices = new Map<number, ToldChoice>();
  /** Text that is not yet in its choice. */
  #bytes: Buffer | null = null;
  #length = 0;
  #choice = 0;
  #characters = 0;
  #lost = 0;
  #unrepeatable = false;

  /** False when something was told that cannot be told again in the same words (an image, sound), or too much. */
  get complete(): boolean {
    return !this.#unrepeatable && this.#characters <= MOST_CHARACTERS;
  }

  /** Characters (or bytes of UTF-8) that were too many to be kept. */
  get lost(): number {
    return this.#lost;
  }

  /** By index. */
  get choices(): ReadonlyMap<number, ToldChoice> {
    this.#flush();
    return this.#choices;
  }

  at(index: number): ToldChoice {
    this.#flush();
    return this.#of(index);
  }

  #of(index: number): ToldChoice {
    let choice = this.#choices.get(index);
    if (!choice) {
      choice = {
        content: '',
        reasoning: '',
        details: new Map(),
        refusal: '',
        calls: new Map(),
        annotations: 0,
        lastDetail: -1,
        encrypted: false,
        thoughtLate: false,
      };
      this.#choices.set(index, choice);
    }
    return choice;
  }

  content(choice: number, text: string): void {
    if (this.#takes(text)) this.at(choice).content += text;
  }

  /** The same as UTF-8 in data[start, end): whole letters, no escapes. Made a string of only when somebody asks. */
  contentBytes(choice: number, data: Buffer, start: number, end: number): void {
    this.#characters += end - start;
    if (this.#characters > MOST_CHARACTERS) {
      this.#lost += end - start;
      return;
    }
    if (choice !== this.#choice || this.#length + end - start > MOST_PENDING) this.#flush();
    if (end - start > MOST_PENDING) {
      this.#of(choice).content += data.toString('utf8', start, end);
      return;
    }
    this.#choice = choice;
    this.#bytes ??= Buffer.allocUnsafeSlow(MOST_PENDING);
    const bytes = this.#bytes;
    for (let i = start; i < end; i++) bytes[this.#length++] = data[i] ?? 0;
  }

  #flush(): void {
    if (this.#length === 0 || this.#bytes === null) return;
    this.#of(this.#choice).content += this.#bytes.toString('utf8', 0, this.#length);
    this.#length = 0;
  }

  reasoning(choice: number, text: string): void {
    if (text === '' || !this.#takes(text)) return;
    const told = this.at(choice);
    told.reasoning += text;
    if (hasBegun(told)) told.thoughtLate = true;
  }

  refusal(choice: number, text: string): void {
    if (this.#takes(text)) this.at(choice).refusal += text;
  }

  detail(choice: number, detail: unknown): void {
    if (typeof detail !== 'object' || detail === null) return;
    const text = detailText(detail);
    const { index, data, signature } = detail as { index?: unknown; data?: unknown; signature?: unknown };
    const told = this.at(choice);
    const key = detailKey(detail);
    const known = told.details.get(key) ?? { text: '', signed: false };
    told.details.set(key, known);
    if (text !== '' && this.#takes(text)) known.text += text;
    if (signature) known.signed = true;
    if (data !== undefined) told.encrypted = true;
    if (typeof index === 'number') told.lastDetail = Math.max(told.lastDetail, index);
    if (hasBegun(told)) told.thoughtLate = true;
  }

  call(choice: number, index: number, id: string, name: string): void {
    this.at(choice).calls.set(index, { id, name, arguments: '' });
  }

  arguments(choice: number, index: number, fragment: string): void {
    const call = this.at(choice).calls.get(index);
    if (call && this.#takes(fragment)) call.arguments += fragment;
  }

  annotation(choice: number): void {
    this.at(choice).annotations++;
  }

  /** Something was told that no other endpoint will repeat. */
  unrepeatable(): void {
    this.#unrepeatable = true;
  }

  /** One OpenAI delta, whole; tool calls have their index, and their id and name the first time. */
  delta(choice: number, delta: ToldDelta): void {
    // A choice that has begun has its role.
    this.at(choice);
    const { content, refusal, tool_calls } = delta;
    const reasoning = delta.reasoning ?? delta.reasoning_content;
    if (typeof content === 'string') this.content(choice, content);
    if (typeof reasoning === 'string') this.reasoning(choice, reasoning);
    if (typeof refusal === 'string') this.refusal(choice, refusal);
    if (Array.isArray(delta.reasoning_details)) for (const one of delta.reasoning_details) this.detail(choice, one);
    if (Array.isArray(delta.annotations)) this.at(choice).annotations += delta.annotations.length;
    if (tool_calls) for (const call of tool_calls) this.#call(choice, call);
    if (delta.function_call || delta.audio || isFilled(delta.images)) this.#unrepeatable = true;
  }

  #call(choice: number, { index = 0, id, function: called }: DeltaCall): void {
    if (!this.at(choice).calls.has(index)) {
      // A custom tool: its input is none of ours to compare.
      if (!called) this.#unrepeatable = true;
      this.call(choice, index, id ?? '', called?.name ?? '');
    }
    if (typeof called?.arguments === 'string') this.arguments(choice, index, called.arguments);
  }

  #takes(text: string): boolean {
    this.#characters += text.length;
    if (this.#characters <= MOST_CHARACTERS) return true;
    this.#lost += text.length;
    return false;
  }
}

const hasBegun = ({ content, refusal, calls }: ToldChoice): boolean =>
  content !== '' || refusal !== '' || calls.size > 0;

const isFilled = (value: unknown): boolean => Boolean(value) && !(Array.isArray(value) && value.length === 0);

/** Pieces with the same one are joined (WIRE 2.8). */
export function detailKey(detail: object): string {
  const { type, index } = detail as { type?: unknown; index?: unknown };
  return `${String(type)} ${String(index)}`;
}

/** What of a piece of `reasoning_details` (WIRE 2.8) is text that comes in fragments. */
export function detailText(detail: unknown): string {
  if (typeof detail !== 'object' || detail === null) return '';
  const { text, summary } = detail as { text?: unknown; summary?: unknown };
  if (typeof text === 'string') return text;
  return typeof summary === 'string' ? summary : '';
}
