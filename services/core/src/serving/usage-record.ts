import { CredentialType, UsageSource } from '@headgate/proto/usage';
import type { ChatRequest } from '../chat/index.ts';
import type { Principal } from '../identity/index.ts';
import type { UsageEntry } from '../ledger/index.ts';
import type { RelayOutcome } from '../relay/index.ts';

const LONGEST_ATTRIBUTION = 256;

const SOURCES = {
  provider: UsageSource.PROVIDER,
  drained: UsageSource.DRAINED,
  estimated: UsageSource.ESTIMATED,
} as const;

/** What is known of a request whoever serves it. */
export interface RequestFacts {
  readonly generationId: string;
  readonly requestId: string;
  /** `performance.now()`. */
  readonly startedAt: number;
  /** Sent to the client. */
  readonly status: number;
  /** Attribution of the caller's application (WIRE 2.1). */
  readonly referer: string;
  readonly title: string;
}

/** What was asked for, as far as the ledger keeps it. */
export interface AskedFacts {
  readonly operation: 'chat' | 'embeddings';
  readonly model: string;
  readonly stream: boolean;
  /** '' for none. */
  readonly user: string;
  readonly tags: readonly string[];
}

/** How it ended, as far as the ledger keeps it; a `RelayOutcome` is one. */
export interface ServedFacts
  extends Pick<
    RelayOutcome,
    'accounted' | 'error' | 'clientAborted' | 'firstContentAt' | 'endedAt' | 'model' | 'provider' | 'attempts'
  > {
  /** Absent where there is no such thing. */
  readonly finishReason?: string | null;
  readonly last: {
    readonly credentialType: 'system' | 'byok';
    readonly endpoint: { readonly model: string };
  } | null;
}

export function askedOfChat({ model, stream, outline }: ChatRequest): AskedFacts {
  const options = outline.providerOptions?.gateway;
  const user = options?.user ?? outline.user ?? '';
  return { operation: 'chat', model, stream, user, tags: options?.tags ?? [] };
}

/** What the ledger keeps of one request. */
export function usageRecord(
  facts: RequestFacts,
  principal: Principal,
  asked: AskedFacts,
  outcome: ServedFacts,
): UsageEntry {
  const { accounted, last, error, clientAborted, firstContentAt, endedAt } = outcome;
  const usage = accounted?.usage;
  const byok = last?.credentialType === 'byok';
  const read = usage?.cacheReadTokens ?? null;
  const write = usage?.cacheWriteTokens ?? null;
  const reasoning = usage?.reasoningTokens ?? null;
  return {
    generationId: facts.generationId,
    requestId: facts.requestId,
    createdAtMs: Math.round(Date.now() - (performance.now() - facts.startedAt)),
    principalId: principal.id,
    keyName: principal.name,
    group: principal.group,
    user: asked.user,
    tags: asked.tags.length > 1 ? [...new Set(asked.tags)] : asked.tags,
    operation: asked.operation,
    requestedModel: asked.model,
    model: outcome.model ?? asked.model,
    provider: outcome.provider ?? '',
    providerModel: last?.endpoint.model ?? '',
    credentialType: byok ? CredentialType.BYOK : CredentialType.SYSTEM,
    streamed: asked.stream,
    status: clientAborted ? 499 : facts.status,
    errorType: error?.type ?? '',
    finishReason: outcome.finishReason ?? '',
    clientAborted,
    usageSource: accounted === null ? UsageSource.UNSPECIFIED : SOURCES[accounted.source],
    inputTokens: (usage?.promptTokens ?? 0) - (read ?? 0) - (write ?? 0),
    cacheReadTokens: read,
    cacheWriteTokens: write,
    outputTokens: (usage?.completionTokens ?? 0) - (reasoning ?? 0),
    reasoningTokens: reasoning,
    costUsd: accounted?.costUsd ?? '',
    marketCostUsd: accounted?.marketCostUsd ?? '',
    attempts: outcome.attempts,
    latencyMs: firstContentAt === null ? 0 : Math.round(firstContentAt - facts.startedAt),
    generationMs: Math.round(endedAt - facts.startedAt),
    httpReferer: facts.referer.slice(0, LONGEST_ATTRIBUTION),
    title: facts.title.slice(0, LONGEST_ATTRIBUTION),
  };
}
