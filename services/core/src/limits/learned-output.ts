const MOST_REMEMBERED = 10_000;
/** Before anything is known. */
const FIRST_GUESS = 1_000;
/** So many of a hundred answers have no more than what is guessed. */
const QUANTILE = 0.95;
/** How far one answer moves the guess at most, as a part of it; the rest is forgotten as fast. */
const STEP = 0.1;
const LEAST_STEP = 4;

/**
 * How many tokens answers have, by caller and model: about nineteen of twenty have no more. One number a pair, moved by each
 * answer: up by 0.95 of a step if it had more, down by 0.05 if not, which comes to rest where nineteen of twenty have no more.
 */
export class LearnedOutput {
  readonly #guesses = new Map<string, number>();

  /** `most` is what the model can say at most, 0 when unknown. */
  guess(principalId: string, model: string, most: number): number {
    const guess = this.#guesses.get(keyOf(principalId, model)) ?? FIRST_GUESS;
    return Math.ceil(most > 0 ? Math.min(guess, most) : guess);
  }

  learn(principalId: string, model: string, tokens: number): void {
    if (!(tokens >= 0)) return;
    const key = keyOf(principalId, model);
    const guess = this.#guesses.get(key);
    // Whoever was heard of last goes last.
    this.#guesses.delete(key);
    this.#guesses.set(key, guess === undefined ? Math.max(1, tokens * 1.5) : moved(guess, tokens));
    if (this.#guesses.size <= MOST_REMEMBERED) return;
    const [oldest] = this.#guesses.keys();
    if (oldest !== undefined) this.#guesses.delete(oldest);
  }
}

function moved(guess: number, tokens: number): number {
  const step = Math.max(LEAST_STEP, guess * STEP);
  return tokens > guess ? guess + step * QUANTILE : Math.max(1, guess - step * (1 - QUANTILE));
}

const keyOf = (principalId: string, model: string): string => `${principalId} ${model}`;
