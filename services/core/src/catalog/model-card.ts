import { type Model, ModelType, type Pricing } from '@headgate/proto/snapshot';
import type { ProviderEntry } from './routing-table.ts';

const TYPES = {
  [ModelType.UNSPECIFIED]: 'language',
  [ModelType.CHAT]: 'language',
  [ModelType.EMBEDDING]: 'embedding',
} as const;

/**
 * The `/v1/models` entry (WIRE 2.6); what is unknown is left out. `created` is always there, 0 when unknown, because the
 * OpenAI SDKs declare it so.
 */
export function modelCard(model: Model, providers: readonly ProviderEntry[]): Record<string, unknown> {
  return withoutUnknown({
    id: model.id,
    object: 'model',
    created: Number(model.created),
    released: known(Number(model.released)),
    owned_by: model.ownedBy,
    name: known(model.name),
    description: known(model.description),
    context_window: known(model.contextWindow),
    max_tokens: known(model.maxOutputTokens),
    type: TYPES[model.type] ?? 'language',
    modalities:
      model.inputModalities.length === 0 ? undefined : { input: model.inputModalities, output: model.outputModalities },
    tags: model.tags,
    pricing: model.pricing === undefined ? undefined : priceCard(model.pricing),
    supported_parameters: model.supportedParameters.length === 0 ? undefined : model.supportedParameters,
    zdr: share(providers, ({ zeroDataRetention }) => zeroDataRetention),
    no_training: share(providers, ({ noPromptTraining }) => noPromptTraining),
  });
}

function priceCard(pricing: Pricing): Record<string, unknown> {
  return withoutUnknown({
    input: known(pricing.input),
    output: known(pricing.output),
    input_cache_read: known(pricing.inputCacheRead),
    input_cache_write: known(pricing.inputCacheWrite),
  });
}

/** proto3 has no absent scalars: zero and the empty text stand for unknown. */
function known<T extends string | number>(value: T): T | undefined {
  return value === 0 || value === '' ? undefined : value;
}

function share(
  providers: readonly ProviderEntry[],
  has: (provider: ProviderEntry) => boolean,
): 'all' | 'some' | 'none' {
  const count = providers.filter(has).length;
  if (count === 0) return 'none';
  return count === providers.length ? 'all' : 'some';
}

function withoutUnknown(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
