import type { Usage } from '../../chat/index.ts';
import type { AnswerSink } from '../translation/index.ts';

/** Counts as the API sends them, in `message_start` and again in `message_delta`; any may be missing or null. */
export interface AnthropicUsage {
  readonly input_tokens?: number | null;
  readonly output_tokens?: number | null;
  readonly cache_read_input_tokens?: number | null;
  readonly cache_creation_input_tokens?: number | null;
  readonly service_tier?: string | null;
  readonly output_tokens_details?: { readonly thinking_tokens?: number | null } | null;
}

/** The later number wins, a missing one does not (WIRE 2.19). */
export function mergeUsage(before: AnthropicUsage, after: AnthropicUsage): AnthropicUsage {
  const merged: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(after)) if (value !== null && value !== undefined) merged[key] = value;
  return merged;
}

/** `input_tokens` counts neither cache reads nor cache writes, so the buckets are disjoint as they come. */
export function usageFromAnthropic(usage: AnthropicUsage): Usage | null {
  if (usage.input_tokens === undefined && usage.output_tokens === undefined) return null;
  const thinking = usage.output_tokens_details?.thinking_tokens ?? null;
  return {
    uncachedInput: usage.input_tokens ?? 0,
    cacheRead: usage.cache_read_input_tokens ?? null,
    cacheWrite: usage.cache_creation_input_tokens ?? null,
    output: Math.max(0, (usage.output_tokens ?? 0) - (thinking ?? 0)),
    reasoning: thinking,
  };
}

/** Tells what it cost, and at which tier. */
export function tellUsage(usage: AnthropicUsage, sink: AnswerSink): void {
  const buckets = usageFromAnthropic(usage);
  if (buckets) sink.usage(buckets);
  if (usage.service_tier) sink.servedBy(usage.service_tier === 'standard' ? 'default' : usage.service_tier);
}
