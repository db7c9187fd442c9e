/** `gen_ai.request.*` from an OpenAI request body: settings only, never content. */
import type { Attributes } from '@opentelemetry/api';
import { ATTR } from './names.ts';
import type { RouteInfo } from './observation.ts';

/** Clients write these; a setting has no business being longer. */
const LONGEST_TEXT = 64;
const MOST_STOPS = 4;

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
