const MOST_REMEMBERED = 10_000;
/** Before anything is known. */
const FIRST_GUESS = 1_000;

/**
 * How many tokens answers have, by caller and model: about nineteen of twenty have no more. A stochastic approximation of
 * the quantile: one number a pair, which follows what changes.
 */
export class LearnedOutput {
  readonly #guesses = new Map<string, number>();

  /** `most` is what the model can say at most, 0 when unknown. */
  guess(principalId: string, model: string, most: number): number {
    const guess = this.#guesses.get(`${principalId} ${model}`) ?? FIRST_GUESS;
    return Math.ceil(most > 0 ? Math.min(guess, most) : guess);
  }

  learn(principalId: string, model: string, tokens: number): void {
    const key = `${principalId} ${model}`;
    const guess = this.#guesses.get(key);
    if (guess === undefined && this.#guesses.size >= MOST_REMEMBERED) {
      const [oldest] = this.#guesses.keys();
      if (oldest !== undefined) this.#guesses.delete(oldest);
    }
    if (guess === undefined) {
      this.#guesses.set(key, Math.max(1, tokens * 1.5));
      return;
    }
    const step = Math.max(4, guess * 0.1);
    this.#guesses.set(
      key,
      tokens > guess ? Math.min(tokens, guess + step * 0.95 * 4) : Math.max(1, guess - step * 0.05),
    );
  }
}
