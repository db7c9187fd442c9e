import type { TokenUsage } from '@aws-sdk/client-bedrock-runtime';
import type { Usage } from '../../chat/index.ts';

/**
 * `inputTokens` counts neither cache reads nor cache writes: the whole prompt is the sum of the three
 * (https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html), so the buckets are disjoint as they come.
 * Reasoning is part of `outputTokens`, how much of it is not said.
 */
export function usageFromConverse(usage: Partial<TokenUsage> | undefined): Usage | null {
  if (usage?.inputTokens === undefined && usage?.outputTokens === undefined) return null;
  return {
    uncachedInput: usage.inputTokens ?? 0,
    cacheRead: usage.cacheReadInputTokens ?? null,
    cacheWrite: usage.cacheWriteInputTokens ?? null,
    output: usage.outputTokens ?? 0,
    reasoning: null,
  };
}
