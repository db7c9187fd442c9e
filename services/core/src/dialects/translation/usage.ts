import { completionTokens, promptTokens, type Usage } from '../../chat/index.ts';

/** Buckets as OpenAI's `usage` object (WIRE 2.4, 2.19): the prompt includes cached tokens, the completion includes reasoning. */
export function usageToOpenAi(usage: Usage): Record<string, unknown> {
  const prompt = promptTokens(usage);
  const completion = completionTokens(usage);
  const hasCache = usage.cacheRead !== null || usage.cacheWrite !== null;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(hasCache
      ? {
          prompt_tokens_details: {
            ...(usage.cacheRead === null ? {} : { cached_tokens: usage.cacheRead }),
            ...(usage.cacheWrite === null ? {} : { cache_write_tokens: usage.cacheWrite }),
          },
        }
      : {}),
    ...(usage.reasoning === null ? {} : { completion_tokens_details: { reasoning_tokens: usage.reasoning } }),
  };
}
