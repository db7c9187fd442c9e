import type { ChatCompletionTokenLogprob } from 'openai/resources/chat/completions';
import { randomFrom, seedOf } from '../../text/random.ts';

/** Plausible, deterministic log probabilities of one token, with `top` alternatives, the token itself among them. */
export function logprobOf(token: string, position: number, top: number): ChatCompletionTokenLogprob {
  const random = randomFrom(seedOf(token, position));
  const alternatives = Array.from({ length: top }, (_, rank) =>
    rated(rank === 0 ? token : `${token}${rank}`, random, rank),
  );
  const own = alternatives[0] ?? rated(token, random, 0);
  return { ...own, top_logprobs: alternatives };
}

function rated(token: string, random: () => number, rank: number): ChatCompletionTokenLogprob.TopLogprob {
  return { token, logprob: -(random() * 0.5) - rank * 2, bytes: [...Buffer.from(token)] };
}
