/** Pairs that are remembered at most: twice this. */
const A_GENERATION = 5_000;
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
  /** Pairs heard of since the last generation ended; those before, which were not heard of since, are the next to go. */
  #recent = new Map<string, Guess>();
  #older: ReadonlyMap<string, Guess> = new Map();

  /** `most` is what the model can say at most, 0 when unknown. */
  guess(principalId: string, model: string, most: number): number {
    const key = keyOf(principalId, model);
    const { tokens } = this.#recent.get(key) ?? this.#older.get(key) ?? { tokens: FIRST_GUESS };
    return Math.ceil(most > 0 ? Math.min(tokens, most) : tokens);
  }

  learn(principalId: string, model: string, tokens: number): void {
    if (!(tokens >= 0)) return;
    const key = keyOf(principalId, model);
    let guess = this.#recent.get(key);
    if (guess === undefined) {
      const known = this.#older.get(key);
      if (known === undefined) {
        this.#remember(key, { tokens: Math.max(1, tokens * 1.5) });
        return;
      }
      guess = known;
      this.#remember(key, guess);
    }
    guess.tokens = moved(guess.tokens, tokens);
  }

  #remember(key: string, guess: Guess): void {
    if (this.#recent.size >= A_GENERATION) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, guess);
  }
}

interface Guess {
  tokens: number;
}

function moved(guess: number, tokens: number): number {
  const step = Math.max(LEAST_STEP, guess * STEP);
  return tokens > guess ? guess + step * QUANTILE : Math.max(1, guess - step * (1 - QUANTILE));
}

const keyOf = (principalId: string, model: string): string => `${principalId} ${model}`;
