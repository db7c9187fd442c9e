import type { Choice, Completion } from '../shapes.ts';
import { openAiReason } from './finish-reason.ts';
import { MessageRepair } from './message.ts';
import type { Preset } from './presets.ts';
import { openAiUsage } from './usage.ts';

/**
 * Puts right, in place, what compatible providers say otherwise than OpenAI: one for each answer or stream. What is OpenAI's
 * way already stays untouched.
 */
export class AnswerRepair {
  readonly #preset: Preset;
  readonly #messages = new Map<number, MessageRepair>();

  constructor(preset: Preset) {
    this.#preset = preset;
  }

  /** A whole answer; true when something had to be put right. */
  whole(completion: Completion): boolean {
    let changed = this.#usage(completion);
    for (const [i, choice] of (completion.choices ?? []).entries()) {
      if (putReasonRight(choice)) changed = true;
      if (choice.message && this.#of(choice.index ?? i).putRight(choice.message, true)) changed = true;
    }
    return changed;
  }

  /** One chunk of a stream; true when a choice had to be put right. */
  chunk(chunk: Completion): boolean {
    this.#usage(chunk);
    let changed = false;
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices : []) {
      if (putReasonRight(choice)) changed = true;
      if (choice.message !== undefined) {
        // Perplexity repeats all that was said so far.
        if (choice.delta) delete choice.message;
        changed = true;
      }
      const isLast = typeof choice.finish_reason === 'string' && choice.finish_reason !== '';
      if (isLast) choice.delta ??= {};
      if (choice.delta && this.#of(choice.index ?? 0).putRight(choice.delta, isLast)) changed = true;
    }
    return changed;
  }

  #of(index: number): MessageRepair {
    let message = this.#messages.get(index);
    if (!message) {
      message = new MessageRepair(this.#preset.thinkTags);
      this.#messages.set(index, message);
    }
    return message;
  }

  #usage(answer: Completion): boolean {
    const before = answer.usage;
    // Groq's and Moonshot's places for it.
    const found = before ?? answer.x_groq?.usage ?? answer.choices?.find?.((choice) => choice?.usage)?.usage;
    const usage = openAiUsage(found);
    if (usage === before || usage === undefined) return false;
    answer.usage = usage;
    return true;
  }
}

function putReasonRight(choice: Choice): boolean {
  const reason = openAiReason(choice.finish_reason);
  if (reason === undefined) return false;
  choice.finish_reason = reason;
  return true;
}
