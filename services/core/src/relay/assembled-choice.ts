import { joinReasoningDetail } from '../chat/index.ts';

type Members = Record<string, unknown>;

export interface ChunkChoice {
  readonly index?: number;
  readonly delta?: Readonly<Members> | null;
  readonly logprobs?: unknown;
  readonly finish_reason?: string | null;
  readonly [member: string]: unknown;
}

/** Members that come in pieces. */
const TEXTS: ReadonlySet<string> = new Set(['content', 'refusal', 'reasoning', 'reasoning_content']);
const OF_FUNCTION: ReadonlySet<string> = new Set(['arguments']);
const OF_CUSTOM: ReadonlySet<string> = new Set(['input']);
const OF_AUDIO: ReadonlySet<string> = new Set(['data', 'transcript']);
const NONE: ReadonlySet<string> = new Set();

/** One choice of a stream, put together from its deltas. */
export class AssembledChoice {
  readonly index: number;
  readonly #message: Members = { role: 'assistant', content: null, refusal: null };
  readonly #calls = new Map<number, Members>();
  readonly #details: Members[] = [];
  readonly #lists = new Map<string, unknown[]>();
  readonly #logprobs = new Map<string, string[] | null>();
  readonly #others: Members = {};
  #finishReason: string | null = null;

  constructor(index: number) {
    this.index = index;
  }

  add({ index: _, delta, logprobs, finish_reason, ...others }: ChunkChoice): void {
    if (delta) this.#addDelta(delta);
    if (isMembers(logprobs)) this.#addLogprobs(logprobs);
    this.#finishReason = finish_reason ?? this.#finishReason;
    join(this.#others, others, NONE);
  }

  #addDelta(delta: Readonly<Members>): void {
    for (const [name, value] of Object.entries(delta)) {
      // What the gateway says of the answer is put in at its end.
      if (name === 'provider_metadata') continue;
      if (Array.isArray(value) && this.#addList(name, value)) continue;
      if (name === 'function_call' && isMembers(value))
        join(membersOf(this.#message, 'function_call'), value, OF_FUNCTION);
      else if (name === 'audio' && isMembers(value)) join(membersOf(this.#message, 'audio'), value, OF_AUDIO);
      else join(this.#message, { [name]: value }, TEXTS);
    }
  }

  /** False for a list that is said whole. */
  #addList(name: string, list: readonly unknown[]): boolean {
    if (name === 'tool_calls') for (const call of list) this.#addCall(call);
    else if (name === 'reasoning_details') {
      for (const piece of list) if (isMembers(piece)) joinReasoningDetail(this.#details, piece);
    } else if (name === 'images') this.#listOf(name).push(...list.map(withoutIndex));
    else if (name === 'annotations') this.#listOf(name).push(...list);
    else return false;
    return true;
  }

  #addCall(piece: unknown): void {
    if (!isMembers(piece)) return;
    const { index, function: called, custom, ...rest } = piece;
    const at = typeof index === 'number' ? index : 0;
    const call = this.#calls.get(at) ?? {};
    this.#calls.set(at, call);
    join(call, rest, NONE);
    if (isMembers(called)) join(membersOf(call, 'function'), called, OF_FUNCTION);
    if (isMembers(custom)) join(membersOf(call, 'custom'), custom, OF_CUSTOM);
  }

  /** Kept as JSON text: the objects would take many times the room. */
  #addLogprobs(logprobs: Readonly<Members>): void {
    for (const [name, list] of Object.entries(logprobs)) {
      const known = this.#logprobs.get(name) ?? null;
      const pieces = Array.isArray(list) ? (known ?? []) : known;
      this.#logprobs.set(name, pieces);
      if (Array.isArray(list) && list.length > 0) pieces?.push(JSON.stringify(list).slice(1, -1));
    }
  }

  #listOf(name: string): unknown[] {
    const list = this.#lists.get(name) ?? [];
    this.#lists.set(name, list);
    return list;
  }

  /** JSON text. `metadata`: the `provider_metadata` object, likewise. */
  json(metadata: string): string {
    const message = JSON.stringify(this.#whole());
    const others = JSON.stringify(this.#others);
    return (
      `{"index":${this.index},"message":${message.slice(0, -1)},"provider_metadata":${metadata}},` +
      `"logprobs":${this.#logprobsJson()},"finish_reason":${JSON.stringify(this.#finishReason)}` +
      `${others === '{}' ? '' : `,${others.slice(1, -1)}`}}`
    );
  }

  #whole(): Members {
    const calls = [...this.#calls].sort(([a], [b]) => a - b).map(([, call]) => call);
    const message: Members = {
      ...this.#message,
      ...(this.#details.length === 0 ? {} : { reasoning_details: this.#details }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
      ...Object.fromEntries(this.#lists),
    };
    // Streams open with empty texts, whatever follows.
    if (message.refusal === '') message.refusal = null;
    for (const name of ['reasoning', 'reasoning_content']) if (message[name] === '') delete message[name];
    const saysElse = calls.length > 0 || message.refusal || message.function_call || message.audio;
    if (message.content === '' && saysElse) message.content = null;
    return message;
  }

  #logprobsJson(): string {
    if (this.#logprobs.size === 0) return 'null';
    const lists = [...this.#logprobs].map(
      ([name, pieces]) => `${JSON.stringify(name)}:${pieces === null ? 'null' : `[${pieces.join(',')}]`}`,
    );
    return `{${lists.join(',')}}`;
  }
}

/** Adds a piece's members to those known: `texts` are joined, of others the last stands, and null takes nothing back. */
export function join(known: Members, piece: Readonly<Members>, texts: ReadonlySet<string>): void {
  for (const [name, value] of Object.entries(piece)) {
    const before = known[name];
    if (typeof before === 'string' && typeof value === 'string' && texts.has(name)) known[name] = before + value;
    else if (value !== null || before === undefined) known[name] = value;
  }
}

function membersOf(outer: Members, name: string): Members {
  const known = outer[name];
  if (isMembers(known)) return known;
  const fresh: Members = {};
  outer[name] = fresh;
  return fresh;
}

/** Streams number the parts of a list, whole answers do not. */
function withoutIndex(part: unknown): unknown {
  if (!isMembers(part)) return part;
  const { index: _, ...rest } = part;
  return rest;
}

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
