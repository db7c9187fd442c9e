import type { EmbeddingItem, EmbeddingLimits } from '../dialects/index.ts';
import { itemTokens } from './items.ts';

/**
 * Cuts a list into runs that keep its order and these limits; returns [start, end) of each. An item that is larger than all tokens
 * allowed stands alone: its provider is to judge it.
 */
export function splitItems(
  items: readonly EmbeddingItem[],
  { items: mostItems, tokens: mostTokens }: EmbeddingLimits,
): readonly (readonly [start: number, end: number])[] {
  const runs: [number, number][] = [];
  let start = 0;
  let tokens = 0;
  for (const [i, item] of items.entries()) {
    const own = itemTokens(item);
    const full = i - start >= mostItems || (mostTokens > 0 && tokens + own > mostTokens);
    if (full && i > start) {
      runs.push([start, i]);
      start = i;
      tokens = 0;
    }
    tokens += own;
  }
  if (items.length > start) runs.push([start, items.length]);
  return runs;
}
