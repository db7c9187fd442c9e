import { CredentialType, UsageSource } from '@headgate/proto/usage';
import type { UsageEntry } from './usage-encoding.ts';

/** A small generation of `key_a`, with what is given in place of its own. */
export function usageEntry(given: Partial<UsageEntry> & Pick<UsageEntry, 'generationId' | 'createdAtMs'>): UsageEntry {
  return {
    requestId: '',
    principalId: 'key_a',
    keyName: 'checkout',
    group: '',
    user: '',
    tags: [],
    operation: 'chat',
    requestedModel: 'openai/gpt-4o',
    model: 'openai/gpt-4o',
    provider: 'openai',
    providerModel: 'gpt-4o',
    credentialType: CredentialType.SYSTEM,
    streamed: false,
    status: 200,
    errorType: '',
    finishReason: 'stop',
    clientAborted: false,
    usageSource: UsageSource.PROVIDER,
    inputTokens: 10,
    cacheReadTokens: null,
    cacheWriteTokens: null,
    outputTokens: 5,
    reasoningTokens: null,
    costUsd: '0.001',
    marketCostUsd: '0.001',
    attempts: 1,
    latencyMs: 1,
    generationMs: 2,
    httpReferer: '',
    title: '',
    ...given,
  };
}
