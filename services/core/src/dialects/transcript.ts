/** What a client has been told of one tool call. */
export interface ToldCall {
  readonly id: string;
  readonly name: string;
  arguments: string;
}

/** What a client has been told of one choice. */
export interface ToldChoice {
  content: string;
  reasoning: string;
  /** The texts of `reasoning_details`, joined. */
  details: string;
  refusal: string;
  /** By index. */
  readonly calls: Map<number, ToldCall>;
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
  readonly tool_calls?: readonly DeltaCall[] | null | undefined;
  readonly function_call?: unknown;
  readonly audio?: unknown;
  readonly images?: unknown;
}

/** Longer answers are not kept: a stream that breaks behind so much cannot be gone on with. */
const MOST_CHARACTERS = 1_000_000;

/**
 * What one stream has told its client, so that another endpoint can go on where it broke (DESIGN 6). Decoders write it
 * along: a few bytes a chunk, no parsing of its own.
 */
export class Transcript {
  readonly choices = new Map<number, ToldChoice>();
  #characters = 0;
  #unrepeatable = false;

  /** False when something was told that cannot be told again in the same words (an image, sound), or too much. */
  get complete(): boolean {
    return !this.#unrepeatable && this.#characters <= MOST_CHARACTERS;
  }

  at(index: number): ToldChoice {
    let choice = this.choices.get(index);
    if (!choice) {
      choice = { content: '', reasoning: '', details: '', refusal: '', calls: new Map() };
      this.choices.set(index, choice);
    }
    return choice;
  }

  content(choice: number, text: string): void {
    if (this.#takes(text)) this.at(choice).content += text;
  }

  reasoning(choice: number, text: string): void {
    if (this.#takes(text)) this.at(choice).reasoning += text;
  }

  refusal(choice: number, text: string): void {
    if (this.#takes(text)) this.at(choice).refusal += text;
  }

  detail(choice: number, detail: unknown): void {
    const text = detailText(detail);
    if (text !== '' && this.#takes(text)) this.at(choice).details += text;
  }

  call(choice: number, index: number, id: string, name: string): void {
    this.at(choice).calls.set(index, { id, name, arguments: '' });
  }

  arguments(choice: number, index: number, fragment: string): void {
    const call = this.at(choice).calls.get(index);
    if (call && this.#takes(fragment)) call.arguments += fragment;
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
    if (tool_calls) for (const call of tool_calls) this.#call(choice, call);
    if (delta.function_call || delta.audio || delta.images) this.#unrepeatable = true;
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
    return this.#characters <= MOST_CHARACTERS;
  }
}

/** What of a piece of `reasoning_details` (WIRE 2.8) is text that comes in fragments. */
export function detailText(detail: unknown): string {
  if (typeof detail !== 'object' || detail === null) return '';
  const { text, summary } = detail as { text?: unknown; summary?: unknown };
  if (typeof text === 'string') return text;
  return typeof summary === 'string' ? summary : '';
}
