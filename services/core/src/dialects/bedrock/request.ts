import type { ConverseRequest, InferenceConfiguration, OutputConfig } from '@aws-sdk/client-bedrock-runtime';
import { type ChatRequest, type Controls, fullBody, readControls, readConversation } from '../../chat/index.ts';
import { GatewayError } from '../../errors/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';
import { Fields } from '../translation/index.ts';
import { limitCachePoints, pointAutomatically } from './cache.ts';
import { encodeMessages } from './messages.ts';
import { familyOf, samplingOf, takesStop } from './models.ts';
import { addOwnOptions, saysReasoning } from './own-options.ts';
import { decideReasoning, type ReasoningDecision } from './reasoning.ts';
import { requestMetadata } from './request-metadata.ts';
import { structuredOutput } from './structured-output.ts';
import { encodeTools, toolConfig } from './tools.ts';

/** `modelId` stands in the URL. */
export type ConverseBody = Omit<ConverseRequest, 'modelId'>;

/** What a thinking budget is reckoned on when the request says no limit; else the service's own default holds. */
const DEFAULT_MAX_TOKENS = 8_192;
const LARGEST_DEFAULT = 32_000;

/**
 * An OpenAI request as the body of Converse (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html).
 * Throws a GatewayError (400) for what the API cannot take.
 */
export function converseBody(
  request: ChatRequest,
  target: Target,
  media: FetchedMedia,
): { readonly body: ConverseBody; readonly warnings: readonly string[] } {
  const chat = fullBody(request);
  const fields = new Fields(chat, target.provider);
  const controls = readControls(chat);
  const { model } = target;
  if (request.choices > 1) throw oneChoiceOnly(target.provider);
  fields.take('n');

  const { system, messages } = encodeMessages(readConversation(chat), target, media, fields);
  const maxTokens = controls.maxTokens ?? Math.min(target.maxOutputTokens || DEFAULT_MAX_TOKENS, LARGEST_DEFAULT);
  const format = structuredOutput(controls, model, fields);
  fields.take('parallel_tool_calls');
  const tools = encodeTools({ model, controls, answerTool: format.tool, messages, fields });
  // What the client says in the provider's own words replaces the whole wish (WIRE 2.8).
  const wish = saysReasoning(chat, target) ? null : controls.reasoning;
  const reasoning = decideReasoning(wish, { model, maxTokens, forced: tools.forced, messages, fields });
  if (format.instruction !== null) system.push({ text: format.instruction });
  if (controls.autoCache) pointAutomatically({ tools: tools.tools, system, messages }, model);
  limitCachePoints({ tools: tools.tools, system, messages }, fields);

  const inference = inferenceConfig(controls, maxTokens, reasoning, model, fields);
  const additional = { ...tools.fields, ...reasoning.fields, ...topK(reasoning, model, fields) };
  const output: OutputConfig = {
    ...(format.format === undefined ? {} : { textFormat: format.format }),
    ...(reasoning.effort === undefined ? {} : { effort: reasoning.effort }),
  };
  const body: ConverseBody = {
    messages,
    ...(system.length > 0 ? { system } : {}),
    ...(isEmpty(inference) ? {} : { inferenceConfig: inference }),
    ...toolConfig(tools),
    ...(isEmpty(additional) ? {} : { additionalModelRequestFields: additional as Additional }),
    ...requestMetadata(controls, fields),
    ...serviceTier(fields),
    ...(isEmpty(output) ? {} : { outputConfig: output }),
  };
  addOwnOptions(body, chat, target, fields);
  return { body, warnings: fields.finish() };
}

type Additional = NonNullable<ConverseBody['additionalModelRequestFields']>;

const isEmpty = (value: object): boolean => Object.keys(value).length === 0;

function oneChoiceOnly(provider: string): GatewayError {
  return new GatewayError(
    'invalid_request_error',
    `The provider ${provider} gives one choice a request; n must be 1.`,
    { param: 'n', code: 'unsupported_parameter', failure: 'bad_request' },
  );
}

function inferenceConfig(
  controls: Controls,
  maxTokens: number,
  reasoning: ReasoningDecision,
  model: string,
  fields: Fields,
): InferenceConfiguration {
  const stopSequences = stops(controls, model, fields);
  const sampled = sampling(controls, reasoning, model, fields);
  const limit = controls.maxTokens !== null || reasoning.needsLimit ? maxTokens : undefined;
  if (reasoning.unlimited && limit !== undefined) {
    const name = asked(fields, 'max_completion_tokens') ? 'max_completion_tokens' : 'max_tokens';
    fields.warn(name, 'not allowed with high reasoning effort, dropped');
  }
  return {
    ...(limit === undefined || reasoning.unlimited ? {} : { maxTokens: limit }),
    ...sampled,
    ...(stopSequences.length > 0 ? { stopSequences } : {}),
  };
}

const asked = (fields: Fields, name: string): boolean => fields.take(name) !== undefined;

function sampling(
  { temperature, topP }: Controls,
  { thinks, unlimited }: ReasoningDecision,
  model: string,
  fields: Fields,
): Pick<InferenceConfiguration, 'temperature' | 'topP'> {
  fields.take('temperature');
  fields.take('top_p');
  const drop = (name: string, why: string): undefined => {
    fields.warn(name, `${why}, dropped`);
    return undefined;
  };
  let heat = temperature ?? undefined;
  let share = topP ?? undefined;
  const allowed = samplingOf(model);
  if (unlimited || (allowed === 'none' && !thinks)) {
    const why = unlimited ? 'not allowed with high reasoning effort' : 'no longer taken by the model';
    if (heat !== undefined && (unlimited || heat !== 1)) heat = drop('temperature', why);
    if (share !== undefined && (unlimited || share !== 1)) share = drop('top_p', why);
  } else if (thinks) {
    // Claude refuses changed sampling beside thinking.
    if (heat !== undefined && heat !== 1) heat = drop('temperature', 'not allowed with reasoning');
    if (share !== undefined && share < (allowed === 'none' ? 0.99 : 0.95)) {
      share = drop('top_p', 'too low to be allowed with reasoning');
    }
  }
  if (allowed === 'one' && heat !== undefined && share !== undefined) {
    share = drop('top_p', 'the model takes temperature or top_p');
  }
  if (heat !== undefined && heat > 1) {
    fields.warn('temperature', `${heat} lowered to 1, the provider's maximum`);
    heat = 1;
  }
  return {
    ...(heat === undefined ? {} : { temperature: heat }),
    ...(share === undefined ? {} : { topP: share }),
  };
}

function stops({ stop }: Controls, model: string, fields: Fields): string[] {
  fields.take('stop');
  const usable = stop.filter((sequence) => sequence.trim() !== '');
  if (usable.length < stop.length) fields.warn('stop', 'sequences of white space only are not taken, dropped');
  if (usable.length === 0 || takesStop(model)) return usable;
  fields.warn('stop', 'not taken by the model, dropped');
  return [];
}

/** Not a field of Converse's own: each maker has a place for it, or none. */
function topK({ thinks }: ReasoningDecision, model: string, fields: Fields): Record<string, unknown> {
  const wanted = fields.take('top_k');
  if (typeof wanted !== 'number') return {};
  const family = familyOf(model);
  if (family === 'nova') return { inferenceConfig: { topK: wanted } };
  if (family === 'mistral') return { top_k: wanted };
  if (family === 'claude' && !thinks && samplingOf(model) !== 'none') return { top_k: wanted };
  fields.warn('top_k', family === 'claude' && thinks ? 'not allowed with reasoning, dropped' : 'not taken, dropped');
  return {};
}

/** https://docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html */
function serviceTier(fields: Fields): Pick<ConverseBody, 'serviceTier'> {
  const { tier, path } = fields.takeTier();
  if (tier === 'default' || tier === 'flex' || tier === 'priority') return { serviceTier: { type: tier } };
  if (tier !== undefined && tier !== 'auto')
    fields.warn(path, `${String(tier)} is not offered by the provider, dropped`);
  return {};
}
