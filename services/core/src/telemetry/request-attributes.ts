/** `gen_ai.request.*` from an OpenAI request body: settings only, never content. */
import type { Attributes } from '@opentelemetry/api';
import { ATTR } from './names.ts';
import type { RouteInfo } from './observation.ts';

/** Clients write these; a setting has no business being longer. */
const LONGEST_TEXT = 64;
const MOST_STOPS = 4;
/** As many as WIRE 2.3 allows. */
const MOST_TAGS = 10;
const LONGEST_USER = 256;

const NUMBERS: readonly (readonly [field: string, attribute: string])[] = [
  ['seed', ATTR.requestSeed],
  ['temperature', ATTR.requestTemperature],
  ['top_p', ATTR.requestTopP],
  ['top_k', ATTR.requestTopK],
  ['frequency_penalty', ATTR.requestFrequencyPenalty],
  ['presence_penalty', ATTR.requestPresencePenalty],
  ['dimensions', ATTR.embeddingDimensions],
];

export function requestAttributes(attributes: Attributes, route: RouteInfo, dialect: string): void {
  const body = route.body;
  if (route.stream) attributes[ATTR.requestStream] = true;
  for (const [field, attribute] of NUMBERS) setNumber(attributes, attribute, body[field]);
  setNumber(attributes, ATTR.requestMaxTokens, body.max_completion_tokens ?? body.max_tokens);
  if (body.n !== 1) setNumber(attributes, ATTR.requestChoices, body.n);

  const stops = stopSequences(body.stop);
  if (stops.length > 0) attributes[ATTR.requestStopSequences] = stops;
  if (typeof body.encoding_format === 'string') {
    attributes[ATTR.requestEncodingFormats] = [body.encoding_format.slice(0, LONGEST_TEXT)];
  }
  const outputType = outputTypeOf(body.response_format);
  if (outputType !== null) attributes[ATTR.outputType] = outputType;

  if (dialect !== 'openai' && dialect !== 'azure') return;
  if (route.operation === 'chat') attributes[ATTR.openaiApiType] = 'chat_completions';
  const tier = body.service_tier;
  if (typeof tier === 'string' && tier !== 'auto') {
    attributes[ATTR.openaiRequestServiceTier] = tier.slice(0, LONGEST_TEXT);
  }
}

/** The dimensions that the caller gives its request in `providerOptions.gateway` (WIRE 2.3). */
export function callerAttributes(attributes: Attributes, route: RouteInfo): void {
  const options = member(member(route.body, 'providerOptions'), 'gateway');
  const user = member(options, 'user');
  if (typeof user === 'string' && user !== '') attributes[ATTR.endUser] = user.slice(0, LONGEST_USER);
  const tags = member(options, 'tags');
  if (!Array.isArray(tags) || tags.length === 0) return;
  const texts = tags.filter((tag): tag is string => typeof tag === 'string').map((tag) => tag.slice(0, LONGEST_TEXT));
  attributes[ATTR.tags] = [...new Set(texts)].slice(0, MOST_TAGS);
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function setNumber(attributes: Attributes, attribute: string, value: unknown): void {
  if (typeof value === 'number' && Number.isFinite(value)) attributes[attribute] = value;
}

function stopSequences(stop: unknown): string[] {
  const list = Array.isArray(stop) ? stop : [stop];
  return list
    .filter((one): one is string => typeof one === 'string')
    .slice(0, MOST_STOPS)
    .map((one) => one.slice(0, LONGEST_TEXT));
}

function outputTypeOf(format: unknown): string | null {
  if (typeof format !== 'object' || format === null || !('type' in format)) return null;
  if (format.type === 'json_object' || format.type === 'json_schema') return 'json';
  return format.type === 'text' ? 'text' : null;
}
