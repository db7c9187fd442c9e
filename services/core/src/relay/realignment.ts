import { detailText, type ToldCall, type ToldChoice, type Transcript } from '../dialects/index.ts';
import { partedAnswer as parted } from './failures.ts';

interface Delta {
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

interface Choice {
  index: number;
  delta: Delta;
  finish_reason: string | null;
  logprobs?: unknown;
}

/** What a choice of the new stream still has to repeat. */
interface Expected {
  content: string;
  reasoning: string;
  details: string;
  refusal: string;
  readonly calls: Map<number, ExpectedCall>;
}

interface ExpectedCall {
  readonly told: ToldCall;
  arguments: string;
  /** The new stream has opened it. */
  opened: boolean;
}

export interface RealignmentOptions {
  /**
   * `repeat`: the new stream begins anew and has to say what was said, word by word. `continue`: it was given what was
   * said, but for white space at the end, and goes on from there.
   */
  readonly mode: 'repeat' | 'continue';
  /** `continue`: white space that was said and not given. */
  readonly cutOff: string;
  /** Thinking that was broken off may go on in other words. */
  readonly freeReasoning: boolean;
}

/**
 * Cuts out of a new stream what its client already has, so that both read as one answer. Works on OpenAI's frames, whatever
 * language the provider speaks: streams break rarely, so that parsing them once more costs nothing that counts.
 */
export class Realignment {
  readonly #transcript: Transcript;
  readonly #options: RealignmentOptions;
  readonly #expected = new Map<number, Expected>();
  #saidMore = false;

  constructor(transcript: Transcript, options: RealignmentOptions) {
    this.#transcript = transcript;
    this.#options = options;
    for (const [index, told] of transcript.choices) this.#expected.set(index, expectation(told, options));
  }

  /** Something beyond what the client had has come out. */
  get saidMore(): boolean {
    return this.#saidMore;
  }

  /** Everything that the client had has been repeated. */
  get covered(): boolean {
    for (const expected of this.#expected.values()) if (!isCovered(expected)) return false;
    return true;
  }

  /** Takes whole SSE frames; returns those that the client lacks. Throws a GatewayError where the answers part. */
  pass(frames: string): string {
    let out = '';
    for (const frame of frames.split('\n\n')) {
      if (!frame.startsWith('data: ')) continue;
      const data = frame.slice('data: '.length);
      const kept = data === '[DONE]' ? data : this.#chunk(data);
      if (kept !== null) out += `data: ${kept}\n\n`;
    }
    return out;
  }

  #chunk(data: string): string | null {
    const chunk = JSON.parse(data) as { choices: Choice[] };
    if (chunk.choices.length === 0) return data;
    const choices = chunk.choices.filter((choice) => this.#choice(choice));
    return choices.length === 0 ? null : JSON.stringify({ ...chunk, choices });
  }

  /** Cuts a choice, in place; false when nothing of it is left. */
  #choice(choice: Choice): boolean {
    const { index, delta } = choice;
    const expected = this.#expected.get(index);
    const before = JSON.stringify(delta);
    if (expected) {
      this.#cut(expected, delta);
      if (choice.finish_reason !== null && !isCovered(expected)) throw parted('it is shorter');
    }
    const said = says(delta);
    // Probabilities of tokens that the client has: there is nothing to cut them by.
    if (choice.logprobs && JSON.stringify(delta) !== before) choice.logprobs = null;
    if (said) {
      this.#saidMore = true;
      this.#transcript.delta(index, delta as object);
    }
    return said || choice.finish_reason !== null;
  }

  #cut(expected: Expected, delta: Delta): void {
    delete delta.role;
    const open = !isCovered(expected);
    this.#cutReasoning(expected, delta);
    if (typeof delta.content === 'string') cutText(expected, 'content', delta, 'content');
    if (typeof delta.refusal === 'string') cutText(expected, 'refusal', delta, 'refusal');
    if ((delta.content || delta.refusal) && !calledAll(expected)) throw parted('it says more before it calls a tool');
    if (Array.isArray(delta.tool_calls)) this.#cutCalls(expected, delta, delta.tool_calls);
    // Remarks on what is being repeated were made the first time.
    if (open) delete delta.annotations;
  }

  #cutReasoning(expected: Expected, delta: Delta): void {
    const key = typeof delta.reasoning === 'string' ? 'reasoning' : 'reasoning_content';
    const text = delta[key];
    if (expected.content !== '' || expected.refusal !== '' || !calledAll(expected)) {
      // What was thought before the text that is repeated is of no use to a client that has its own.
      delete delta.reasoning;
      delete delta.reasoning_content;
      delete delta.reasoning_details;
      return;
    }
    if (typeof text === 'string') {
      if (this.#options.freeReasoning && !agrees(expected.reasoning, text)) expected.reasoning = '';
      cutText(expected, 'reasoning', delta, key);
    }
    if (Array.isArray(delta.reasoning_details)) {
      delta.reasoning_details = delta.reasoning_details.flatMap((detail) => this.#cutDetail(expected, detail));
    }
    const goesOn = says({ content: delta.content, refusal: delta.refusal, tool_calls: delta.tool_calls ?? null });
    if (goesOn && expected.reasoning !== '') {
      if (!this.#options.freeReasoning) throw parted('it thought less');
      expected.reasoning = '';
      expected.details = '';
    }
  }

  #cutDetail(expected: Expected, detail: object): object[] {
    const text = detailText(detail);
    if (expected.details === '' || text === '') return [detail];
    if (this.#options.freeReasoning && !agrees(expected.details, text)) {
      expected.details = '';
      return [detail];
    }
    const rest = beyond(expected, 'details', text);
    const key = 'text' in detail ? 'text' : 'summary';
    return rest === '' ? [] : [{ ...detail, [key]: rest }];
  }

  #cutCalls(expected: Expected, delta: Delta, calls: DeltaCall[]): void {
    if (expected.content !== '') throw parted('it says less before it calls a tool');
    delta.tool_calls = calls.flatMap((call) => {
      const known = expected.calls.get(call.index);
      if (!known) {
        if (!calledAll(expected)) throw parted('it calls a tool with other arguments');
        return [call];
      }
      known.opened = true;
      const { name, arguments: text } = call.function ?? {};
      if (name !== undefined && name !== known.told.name) throw parted('it calls another tool');
      if (text === undefined || text === '') return [];
      const rest = beyond(known, 'arguments', text);
      return rest === '' ? [] : [{ index: call.index, function: { arguments: rest } }];
    });
  }
}

function expectation(told: ToldChoice, { mode, cutOff }: RealignmentOptions): Expected {
  if (mode === 'continue') return { content: cutOff, reasoning: '', details: '', refusal: '', calls: new Map() };
  // What was thought before a text or a call has served its purpose.
  const thinking = told.content === '' && told.refusal === '' && told.calls.size === 0;
  return {
    content: told.content,
    reasoning: thinking ? told.reasoning : '',
    details: thinking ? told.details : '',
    refusal: told.refusal,
    calls: new Map(
      [...told.calls].map(([index, call]) => [index, { told: call, arguments: call.arguments, opened: false }]),
    ),
  };
}

const isCovered = (expected: Expected): boolean =>
  expected.content === '' && expected.refusal === '' && expected.reasoning === '' && calledAll(expected);

function calledAll({ calls }: Expected): boolean {
  for (const call of calls.values()) if (!call.opened || call.arguments !== '') return false;
  return true;
}

function cutText(
  expected: Expected,
  from: 'content' | 'reasoning' | 'refusal',
  delta: Delta,
  key: 'content' | 'reasoning' | 'reasoning_content' | 'refusal',
): void {
  const rest = beyond(expected, from, String(delta[key]));
  if (rest === '') delete delta[key];
  else delta[key] = rest;
}

/** What of `text` goes beyond what is still to be repeated, which it shortens. */
function beyond<Key extends string>(expected: Record<Key, string>, key: Key, text: string): string {
  const left = expected[key];
  if (left === '') return text;
  if (!agrees(left, text)) throw parted('it says something else');
  expected[key] = left.slice(text.length) as typeof left;
  return text.slice(left.length);
}

const agrees = (left: string, text: string): boolean => left.startsWith(text) || text.startsWith(left);

const says = (delta: Delta): boolean =>
  Object.values(delta).some(
    (value) => value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
  );
