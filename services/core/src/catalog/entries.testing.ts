import type { EndpointEntry, ModelEntry, ProviderEntry } from './routing-table.ts';

/** Catalog entries for tests: everything that a test does not name is plain and unknown. */

export function providerEntry(name: string, given: Partial<ProviderEntry> = {}): ProviderEntry {
  return {
    name,
    dialect: 'openai',
    baseUrl: 'http://127.0.0.1:1/v1',
    credentials: {},
    settings: {},
    zeroDataRetention: false,
    noPromptTraining: false,
    promptCacheMs: 300_000,
    ...given,
  };
}

export function endpointEntry(
  provider: ProviderEntry,
  model: string,
  given: Partial<EndpointEntry> = {},
): EndpointEntry {
  return {
    key: `${provider.name}:${model}`,
    provider,
    model,
    publisher: '',
    timeouts: { connectMs: 1_000, firstTokenMs: 1_000, streamStallMs: 1_000 },
    pricing: null,
    weight: null,
    contextWindow: 0,
    maxOutputTokens: 0,
    quantization: '',
    ...given,
  };
}

export function modelEntry(
  id: string,
  endpoints: readonly EndpointEntry[],
  given: Partial<ModelEntry> = {},
): ModelEntry {
  return {
    id,
    type: 'chat',
    contextWindow: 0,
    maxOutputTokens: 0,
    name: '',
    description: '',
    created: 0,
    inputModalities: [],
    outputModalities: [],
    tags: [],
    supportedParameters: [],
    cardJson: '{}',
    endpoints,
    ...given,
  };
}
