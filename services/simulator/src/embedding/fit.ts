import { countTokens, tokenize } from '../text/tokens.ts';

export interface Fitted {
  readonly text: string;
  readonly tokens: number;
  readonly truncated: boolean;
}

/** The text cut to at most `maxTokens`, at its end or at its start. */
export function fitText(text: string, maxTokens: number, cut: 'start' | 'end' = 'end'): Fitted {
  const tokens = countTokens(text);
  if (tokens <= maxTokens) return { text, tokens, truncated: false };
  const all = tokenize(text);
  const kept = cut === 'end' ? all.slice(0, maxTokens) : all.slice(-maxTokens);
  return { text: kept.join(''), tokens: maxTokens, truncated: true };
}
