import type { MessageInitShape } from '@bufbuild/protobuf';
import { type EndpointSchema, type ModelSchema, ModelType, type Pricing } from '@headgate/proto/snapshot';
import type { ConfigModel } from '../config/index.ts';
import { BUILTIN_MODEL_BY_ID, BUILTIN_MODELS, type BuiltinModel } from './builtin-models.ts';
import { configuredPrice, listPrice } from './prices.ts';
import { type ResolvedProvider, SIMULATOR, timeoutsOf } from './providers.ts';

type ModelDraft = MessageInitShape<typeof ModelSchema>;
type EndpointDraft = MessageInitShape<typeof EndpointSchema>;

/** The built-in models that at least one of the providers serves. */
export function builtinModels(providers: readonly ResolvedProvider[], date: Date): ModelDraft[] {
  return BUILTIN_MODELS.flatMap((model) => {
    const endpoints = providers.some(({ servesAs }) => servesAs === SIMULATOR)
      ? simulatedEndpoints(model, date)
      : servedEndpoints(model, providers, date);
    return endpoints.length === 0 ? [] : [builtinDraft(model, endpoints)];
  });
}

function servedEndpoints(model: BuiltinModel, providers: readonly ResolvedProvider[], date: Date): EndpointDraft[] {
  return model.endpoints.flatMap(([wellKnown, upstream]) =>
    providers
      .filter(({ servesAs }) => servesAs === wellKnown)
      .map(({ name }) => endpointDraft(name, upstream, listPrice(wellKnown, upstream, date))),
  );
}

/** The simulator answers under the public id; the price is that of the model it stands in for. */
function simulatedEndpoints(model: BuiltinModel, date: Date): EndpointDraft[] {
  const [wellKnown, upstream] = model.endpoints[0] ?? ['', ''];
  return [endpointDraft(SIMULATOR, model.id, listPrice(wellKnown, upstream, date))];
}

/** A model of headgate.yaml; what it leaves open is taken from the built-in model of the same id. */
export function configuredModel(model: ConfigModel, providers: readonly ResolvedProvider[], date: Date): ModelDraft {
  const modelPrice = model.pricing === undefined ? null : configuredPrice(model.pricing);
  const endpoints = model.endpoints.map((endpoint): EndpointDraft => {
    const servesAs = providers.find(({ name }) => name === endpoint.provider)?.servesAs ?? null;
    const ownPrice = endpoint.pricing === undefined ? null : configuredPrice(endpoint.pricing);
    const price = ownPrice ?? modelPrice ?? (servesAs === null ? null : listPrice(servesAs, endpoint.model, date));
    return {
      ...endpointDraft(endpoint.provider, endpoint.model, price),
      publisher: endpoint.publisher ?? '',
      weight: endpoint.weight ?? 0,
      quantization: endpoint.quantization ?? '',
      contextWindow: endpoint.contextWindow ?? 0,
      maxOutputTokens: endpoint.maxTokens ?? 0,
      ...(endpoint.timeouts === undefined ? {} : { timeouts: timeoutsOf(endpoint.timeouts) }),
    };
  });
  const known = BUILTIN_MODEL_BY_ID.get(model.id);
  const draft = known === undefined ? unknownDraft(model, endpoints) : builtinDraft(known, endpoints);
  return {
    ...draft,
    ...(model.type === undefined ? {} : { type: TYPES[model.type] }),
    ...(model.name === undefined ? {} : { name: model.name }),
    ...(model.description === undefined ? {} : { description: model.description }),
    ...(model.contextWindow === undefined ? {} : { contextWindow: model.contextWindow }),
    ...(model.maxTokens === undefined ? {} : { maxOutputTokens: model.maxTokens }),
    ...(modelPrice === null ? {} : { pricing: modelPrice }),
    ...(model.inputModalities === undefined ? {} : { inputModalities: model.inputModalities }),
    ...(model.tags === undefined ? {} : { tags: model.tags }),
    ...(model.supportedParameters === undefined ? {} : { supportedParameters: model.supportedParameters }),
  };
}

const TYPES = { chat: ModelType.CHAT, embedding: ModelType.EMBEDDING } as const;

function builtinDraft(model: BuiltinModel, endpoints: readonly EndpointDraft[]): ModelDraft {
  const released = model.released === undefined ? 0n : BigInt(Date.parse(model.released) / 1000);
  return {
    id: model.id,
    type: TYPES[model.type],
    name: model.name,
    description: model.description ?? '',
    created: released,
    released,
    ownedBy: creatorOf(model.id),
    contextWindow: model.contextWindow ?? 0,
    maxOutputTokens: model.maxOutputTokens ?? 0,
    inputModalities: [...model.input],
    outputModalities: [model.type === 'chat' ? 'text' : 'embedding'],
    tags: [...model.tags],
    supportedParameters: [...model.parameters],
    endpoints: [...endpoints],
    ...firstPrice(endpoints),
  };
}

function unknownDraft(model: ConfigModel, endpoints: readonly EndpointDraft[]): ModelDraft {
  return {
    id: model.id,
    type: ModelType.CHAT,
    ownedBy: creatorOf(model.id),
    endpoints: [...endpoints],
    ...firstPrice(endpoints),
  };
}

function endpointDraft(provider: string, model: string, price: Pricing | null): EndpointDraft {
  return { provider, model, ...(price === null ? {} : { pricing: price }) };
}

/** What a model costs where it is asked first. */
function firstPrice(endpoints: readonly EndpointDraft[]): { pricing?: NonNullable<EndpointDraft['pricing']> } {
  const price = endpoints.find(({ pricing }) => pricing !== undefined)?.pricing;
  return price === undefined ? {} : { pricing: price };
}

function creatorOf(id: string): string {
  return id.slice(0, id.indexOf('/'));
}
