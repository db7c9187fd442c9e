/** Token counts as disjoint buckets (DESIGN 5, law 4); null is "the provider did not say", never zero. */
export interface Usage {
  readonly uncachedInput: number;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  /** Without reasoning. */
  readonly output: number;
  readonly reasoning: number | null;
}

interface OpenAiUsage {
  prompt_tokens?: unknown;
  completion_tokens?: unknown;
  prompt_tokens_details?: { cached_tokens?: unknown; cache_write_tokens?: unknown } | null;
  completion_tokens_details?: { reasoning_tokens?: unknown } | null;
}

/** Half a token is no count: costs are reckoned in whole ones. */
const count = (value: unknown): number | null =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null;

/**
 * Buckets of an OpenAI `usage` object, where the prompt includes cached tokens and the completion includes reasoning
 * (WIRE 2.4, 2.19). Null when it says neither.
 */
export function usageFromOpenAi(raw: unknown): Usage | null {
  if (typeof raw !== 'object' || raw === null) return null;
  const usage = raw as OpenAiUsage;
  const prompt = count(usage.prompt_tokens);
  const completion = count(usage.completion_tokens);
  if (prompt === null && completion === null) return null;
  const cacheRead = count(usage.prompt_tokens_details?.cached_tokens);
  const cacheWrite = count(usage.prompt_tokens_details?.cache_write_tokens);
  const reasoning = count(usage.completion_tokens_details?.reasoning_tokens);
  return {
    uncachedInput: Math.max(0, (prompt ?? 0) - (cacheRead ?? 0) - (cacheWrite ?? 0)),
    cacheRead,
    cacheWrite,
    output: Math.max(0, (completion ?? 0) - (reasoning ?? 0)),
    reasoning,
  };
}

export const promptTokens = (usage: Usage): number =>
  usage.uncachedInput + (usage.cacheRead ?? 0) + (usage.cacheWrite ?? 0);

export const completionTokens = (usage: Usage): number => usage.output + (usage.reasoning ?? 0);
