import type { EndpointEntry, ModelEntry } from '@headgate/core/catalog';
import type { EndpointDescription, EndpointStatistics, Uptime } from '@headgate/core/health';

/** What is known of a model's endpoints beyond the configuration; all of it may be missing. */
export interface MeasuredHealth {
  /** Epoch milliseconds. */
  readonly now: number;
  /** By endpoint key. */
  readonly described: ReadonlyMap<string, EndpointDescription>;
  readonly statistics: ReadonlyMap<string, EndpointStatistics>;
  /** Of the model's requests, by their final outcome. */
  readonly uptime: Uptime | undefined;
}

/**
 * `GET /v1/models/{creator}/{model}/endpoints` (WIRE 2.6). What is unknown is null, a list of what is unknown is empty.
 * Units: prices US dollars per token as decimal strings, uptime percent of attempts, latency milliseconds to the first
 * token, throughput tokens per second. Of the model as a whole uptime counts requests by their final outcome.
 */
export function endpointsDocument(model: ModelEntry, health: MeasuredHealth): Record<string, unknown> {
  return {
    data: {
      id: model.id,
      name: nameOf(model),
      created: model.created,
      ...(model.created === 0 ? {} : { released: model.created }),
      description: known(model.description),
      architecture: architecture(model),
      ...uptime(health.uptime),
      endpoints: model.endpoints.map((endpoint) => endpointDocument(model, endpoint, health)),
    },
  };
}

function architecture({ inputModalities, outputModalities }: ModelEntry): Record<string, unknown> {
  const isKnown = inputModalities.length > 0 && outputModalities.length > 0;
  return {
    tokenizer: null,
    instruct_type: null,
    modality: isKnown ? `${inputModalities.join('+')}->${outputModalities.join('+')}` : null,
    input_modalities: inputModalities,
    output_modalities: outputModalities,
  };
}

function endpointDocument(model: ModelEntry, endpoint: EndpointEntry, health: MeasuredHealth): Record<string, unknown> {
  const { provider } = endpoint;
  const statistics = health.statistics.get(endpoint.key);
  const region = provider.settings.location ?? provider.settings.region;
  return {
    name: `${provider.name} | ${model.id}`,
    model_name: nameOf(model),
    provider_name: provider.name,
    // As in `routing.attempts[].internalModelId`.
    tag: endpoint.key,
    context_length: known(endpoint.contextWindow),
    max_completion_tokens: known(endpoint.maxOutputTokens),
    max_prompt_tokens: null,
    quantization: known(endpoint.quantization),
    pricing: pricing(endpoint),
    supported_parameters: model.supportedParameters,
    status: statusOf(health.described.get(endpoint.key), health.now),
    ...uptime(statistics?.uptime),
    latency_last_1h: statistics?.latencyLast1h ?? null,
    throughput_last_1h: statistics?.throughputLast1h ?? null,
    supports_implicit_caching: model.tags.includes('implicit-caching'),
    tags: model.tags,
    has_zdr: provider.zeroDataRetention,
    has_no_training: provider.noPromptTraining,
    inference_regions: region === undefined || region === '' ? null : [region],
  };
}

/** We charge for tokens alone, so a discount is known to be none; what a provider asks for the rest is not. */
function pricing({ pricing: price }: EndpointEntry): Record<string, unknown> {
  return {
    prompt: price?.input ?? null,
    completion: price?.output ?? null,
    request: null,
    image: null,
    image_output: null,
    web_search: null,
    internal_reasoning: null,
    input_cache_read: price?.inputCacheRead ?? null,
    input_cache_write: price?.inputCacheWrite ?? null,
    discount: 0,
  };
}

/**
 * 0: takes requests. Below 0 it is tried after all others: -1 it is left alone for a while (429, or it refused our key),
 * -2 its breaker is half-open (one request tries it), -3 its breaker is open.
 */
export function statusOf(description: EndpointDescription | undefined, now: number): number {
  if (description === undefined) return 0;
  if (description.breaker === 'open') return -3;
  if (description.breaker === 'half_open') return -2;
  return description.coolUntil > now ? -1 : 0;
}

function uptime(share: Uptime | undefined): Record<string, number | null> {
  return {
    uptime_last_15m: percent(share?.last15m),
    uptime_last_1h: percent(share?.last1h),
    uptime_last_1d: percent(share?.last1d),
  };
}

const percent = (share: number | null | undefined): number | null =>
  share === null || share === undefined ? null : Math.round(share * 1e6) / 1e4;

/** A model without a name is called by its id. */
const nameOf = (model: ModelEntry): string => (model.name === '' ? model.id : model.name);

/** Zero and the empty text stand for unknown. */
const known = <T extends string | number>(value: T): T | null => (value === 0 || value === '' ? null : value);
