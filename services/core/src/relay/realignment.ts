import type { Transcript } from '../dialects/index.ts';
import { ChoiceRealignment, type Delta, type RealignmentOptions } from './choice-realignment.ts';
import { shorterAnswer } from './failures.ts';
import { isPlainlyUnfinished } from './unfinished-text.ts';

interface Choice {
  index: number;
  delta: Delta;
  finish_reason?: string | null;
  logprobs?: unknown;
}

/**
 * Cuts out of a new stream what its client already has, so that both read as one answer. Works on OpenAI's frames, whatever
 * language the provider speaks: streams break rarely, so that parsing them once more costs nothing that counts.
 */
export class Realignment {
  readonly #transcript: Transcript;
  readonly #choices = new Map<number, ChoiceRealignment>();
  /** Passed, and not yet in the transcript. */
  #passed: Choice[] = [];
  /** The new stream was given the beginning of a text that breaks off before its end. */
  readonly #mustGoOn: boolean;
  /** Something was passed beyond white space and thoughts. */
  #wentOn = false;

  constructor(transcript: Transcript, options: RealignmentOptions) {
    this.#transcript = transcript;
    const [told] = transcript.choices.values();
    this.#mustGoOn = options.mode !== 'repeat' && told !== undefined && isPlainlyUnfinished(told.content);
    for (const [index, told] of transcript.choices) {
      this.#choices.set(index, new ChoiceRealignment({ ...told, calls: new Map(told.calls) }, options));
    }
  }

  /** Everything that the client had has been repeated. */
  get covered(): boolean {
    for (const choice of this.#choices.values()) if (!choice.covered) return false;
    return true;
  }

  /**
   * A model that is given half a sentence and has nothing to add may have been at its end, or may have stopped for no reason:
   * neither finish reason nor usage tells which, and the client would take half an answer for a whole one. So it is not
   * believed: it may prove its end by repeating the answer up to there, or another endpoint goes on, and else the client is
   * told of the break. Where the text could be whole it is believed. An end for another reason (`length`, `content_filter`)
   * says of itself that something is missing.
   */
  stopsShort(finishReason: unknown): boolean {
    return this.#mustGoOn && !this.#wentOn && finishReason === 'stop';
  }

  /**
   * Takes whole SSE frames; returns those that the client lacks. Throws a GatewayError where the answers part: then none of
   * these frames may be sent.
   */
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

  /** What has been passed goes to the client. */
  commit(): void {
    for (const { index, delta } of this.#passed) this.#transcript.delta(index, delta);
    this.#passed = [];
  }

  #chunk(data: string): string | null {
    const chunk = JSON.parse(data) as { choices: Choice[] };
    if (chunk.choices.length === 0) return data;
    const choices = chunk.choices.filter((choice) => this.#choice(choice));
    return choices.length === 0 ? null : JSON.stringify({ ...chunk, choices });
  }

  /** Cuts a choice, in place; false when nothing of it is left. */
  #choice(choice: Choice): boolean {
    const { delta } = choice;
    const finished = (choice.finish_reason ?? null) !== null;
    const expected = this.#choices.get(choice.index);
    const before = JSON.stringify(delta);
    if (expected) {
      expected.cut(delta);
      for (const [key, value] of Object.entries(delta)) if (!isFilled(value)) delete delta[key];
    }
    this.#wentOn ||= answers(delta);
    if (expected && finished && (!expected.covered || this.stopsShort(choice.finish_reason))) throw shorterAnswer();
    // Probabilities of tokens that the client has: there is nothing to cut them by.
    if (choice.logprobs && JSON.stringify(delta) !== before) choice.logprobs = null;
    const said = Object.values(delta).some(isFilled);
    if (said) this.#passed.push(choice);
    return said || finished;
  }
}

const answers = ({ content, refusal, tool_calls: calls }: Delta): boolean =>
  [content, refusal].some((text) => typeof text === 'string' && text.trim() !== '') || isFilled(calls);

const isFilled = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
