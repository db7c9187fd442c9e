import { create } from '@bufbuild/protobuf';
import type { ChatRequest } from '@headgate/core/chat';
import type { Principal } from '@headgate/core/identity';
import type { RelayOutcome } from '@headgate/core/relay';
import { CredentialType, type UsageRecord, UsageRecordSchema, UsageSource } from '@headgate/proto/usage';
import type { Exchange } from './exchange.ts';

const LONGEST_ATTRIBUTION = 256;

const SOURCES = {
  provider: UsageSource.PROVIDER,
  drained: UsageSource.DRAINED,
  estimated: UsageSource.ESTIMATED,
} as const;

/** What the ledger keeps of one chat request. */
export function usageRecord(
  exchange: Exchange,
  principal: Principal,
  chat: ChatRequest,
  outcome: RelayOutcome,
): UsageRecord {
  const { accounted, last, error, clientAborted, firstContentAt, endedAt } = outcome;
  const usage = accounted?.usage;
  const options = chat.outline.providerOptions?.gateway;
  const byok = last?.credentialType === 'byok';
  const read = usage?.cacheReadTokens ?? null;
  const write = usage?.cacheWriteTokens ?? null;
  const reasoning = usage?.reasoningTokens ?? null;
  const optional = (name: string, value: number | null) => (value === null ? {} : { [name]: BigInt(value) });
  return create(UsageRecordSchema, {
    generationId: exchange.generationId,
    requestId: exchange.requestId,
    createdAtMs: BigInt(Math.round(Date.now() - (performance.now() - exchange.startedAt))),
    principalId: principal.id,
    keyName: principal.name,
    group: principal.group,
    user: options?.user ?? chat.outline.user ?? '',
    tags: [...new Set(options?.tags ?? [])],
    operation: 'chat',
    requestedModel: chat.model,
    model: outcome.model ?? chat.model,
    provider: outcome.provider ?? '',
    providerModel: last?.endpoint.model ?? '',
    credentialType: byok ? CredentialType.BYOK : CredentialType.SYSTEM,
    streamed: chat.stream,
    status: clientAborted ? 499 : exchange.status,
    errorType: error?.type ?? '',
    clientAborted,
    usageSource: accounted === null ? UsageSource.UNSPECIFIED : SOURCES[accounted.source],
    inputTokens: BigInt((usage?.promptTokens ?? 0) - (read ?? 0) - (write ?? 0)),
    outputTokens: BigInt((usage?.completionTokens ?? 0) - (reasoning ?? 0)),
    ...optional('cacheReadTokens', read),
    ...optional('cacheWriteTokens', write),
    ...optional('reasoningTokens', reasoning),
    costUsd: accounted?.costUsd ?? '',
    marketCostUsd: accounted?.marketCostUsd ?? '',
    attempts: outcome.attempts,
    latencyMs: firstContentAt === null ? 0 : Math.round(firstContentAt - exchange.startedAt),
    generationMs: Math.round(endedAt - exchange.startedAt),
    httpReferer: exchange.referer.slice(0, LONGEST_ATTRIBUTION),
    title: exchange.title.slice(0, LONGEST_ATTRIBUTION),
  });
}
