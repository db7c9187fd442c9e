import { type Grouping, type ReportRow, usd } from '@headgate/core/ledger';
import { CredentialType, type UsageRecord, UsageSource } from '@headgate/proto/usage';

const SOURCES: Readonly<Record<UsageSource, string | null>> = {
  [UsageSource.UNSPECIFIED]: null,
  [UsageSource.PROVIDER]: 'provider',
  [UsageSource.DRAINED]: 'drained',
  [UsageSource.ESTIMATED]: 'estimated',
};

/** As `GET /v1/generation` tells it (WIRE 2.7); SDKs check that all of these are there. */
export function generationDocument(record: UsageRecord): Record<string, unknown> {
  const read = Number(record.cacheReadTokens ?? 0n);
  const write = Number(record.cacheWriteTokens ?? 0n);
  const reasoning = Number(record.reasoningTokens ?? 0n);
  const prompt = Number(record.inputTokens) + read + write;
  const completion = Number(record.outputTokens) + reasoning;
  const cost = Number(record.costUsd || 0);
  return {
    id: record.generationId,
    total_cost: cost,
    upstream_inference_cost: Number(record.marketCostUsd || 0),
    usage: cost,
    created_at: new Date(Number(record.createdAtMs)).toISOString(),
    model: record.model,
    is_byok: record.credentialType === CredentialType.BYOK,
    provider_name: record.provider,
    streamed: record.streamed,
    finish_reason: record.finishReason,
    latency: record.latencyMs,
    generation_time: record.generationMs,
    tokens_prompt: prompt,
    tokens_completion: completion,
    native_tokens_prompt: prompt,
    native_tokens_completion: completion,
    native_tokens_reasoning: reasoning,
    native_tokens_cached: read,
    native_tokens_cache_creation: write,
    billable_web_search_calls: record.webSearchCalls,
    // Ours.
    status: record.status,
    error_type: record.errorType === '' ? null : record.errorType,
    aborted: record.clientAborted,
    attempts: record.attempts,
    usage_source: SOURCES[record.usageSource],
    user: record.user,
    tags: record.tags,
  };
}

/** One row of `GET /v1/report`: the group under its own name, and numbers. */
export function reportRow(groupBy: Grouping, { name, sums }: ReportRow): Record<string, unknown> {
  return {
    [groupBy]: name,
    total_cost: Number(usd(sums.cost)),
    market_cost: Number(usd(sums.marketCost)),
    input_tokens: sums.inputTokens,
    output_tokens: sums.outputTokens,
    cached_input_tokens: sums.cacheReadTokens,
    cache_creation_input_tokens: sums.cacheWriteTokens,
    reasoning_tokens: sums.reasoningTokens,
    request_count: sums.requests,
  };
}
