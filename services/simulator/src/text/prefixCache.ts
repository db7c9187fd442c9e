import { tokenEnd } from './tokens.ts';

/** As OpenAI: prompts from 1024 tokens on are cached, in steps of 128 tokens. */
const firstStep = 1024;
const step = 128;
/** Bounds the memory: the oldest prefixes are forgotten. */
const maxPrefixes = 50_000;

export interface MeasuredPrompt {
  readonly tokens: number;
  /** Tokens of the longest prefix that an earlier prompt began with, too. */
  readonly cached: number;
}

/** Remembers the prefixes of the prompts it has measured. */
export class PrefixCache {
  readonly #seen = new Set<string>();

  measure(prompt: string): MeasuredPrompt {
    const prefixes: { readonly key: string; readonly tokens: number }[] = [];
    let tokens = 0;
    let low = 0x811c9dc5;
    let high = 0x9747b28c;
    for (let at = 0; at < prompt.length; ) {
      const end = tokenEnd(prompt, at);
      for (; at < end; at++) {
        low = Math.imul(low ^ prompt.charCodeAt(at), 0x01000193);
        high = Math.imul(high ^ prompt.charCodeAt(at), 0x5bd1e995);
      }
      tokens++;
      if (tokens >= firstStep && tokens % step === 0) prefixes.push({ key: `${tokens}:${low}:${high}`, tokens });
    }
    const cached = prefixes.findLast(({ key }) => this.#seen.has(key))?.tokens ?? 0;
    for (const { key } of prefixes) this.#seen.add(key);
    for (const key of this.#seen) {
      if (this.#seen.size <= maxPrefixes) break;
      this.#seen.delete(key);
    }
    return { tokens, cached };
  }
}
