import type { MessageCreateParams } from '@anthropic-ai/sdk/resources/messages';
import { type ChatRequest, type Controls, fullBody, readControls, readConversation } from '../../chat/index.ts';
import { GatewayError } from '../../errors/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';
import { Fields } from '../translation/index.ts';
import { limitCacheMarks, markAutomatically } from './cache.ts';
import { encodeMessages } from './messages.ts';
import { claudeSampling } from './models.ts';
import { structuredOutput } from './structured-output.ts';
import { decideThinking, lacksThinking } from './thinking.ts';
import { encodeTools } from './tools.ts';

export interface AnthropicBody {
  /** Without `model`, which Vertex and Bedrock name in the URL. */
  readonly body: Omit<MessageCreateParams, 'model'>;
  readonly warnings: readonly string[];
  /** Values for `anthropic-beta`. */
  readonly betas: readonly string[];
}

/** What max_tokens is when nobody says: the provider demands one. More is asked for, not taken. */
const DEFAULT_MAX_TOKENS = 8_192;
const LARGEST_DEFAULT = 32_000;

/** An OpenAI request as the body of the Messages API. Throws a GatewayError (400) for what the API cannot take. */
export function anthropicBody(
  request: ChatRequest,
  target: Target,
  media: FetchedMedia,
  { tiers }: { /** Other surfaces than Anthropic's own know no service tiers. */ readonly tiers: boolean },
): AnthropicBody {
  const chat = fullBody(request);
  const fields = new Fields(chat, target.provider);
  const controls = readControls(chat);
  if (request.choices > 1) throw oneChoiceOnly(target.provider);
  fields.take('n');
  fields.take('parallel_tool_calls');

  const conversation = encodeMessages(readConversation(chat), target, media, fields);
  const maxTokens = controls.maxTokens ?? Math.min(target.maxOutputTokens || DEFAULT_MAX_TOKENS, LARGEST_DEFAULT);
  const format = structuredOutput(controls, target.model, fields);
  const tools = encodeTools(controls, format.tool);
  const forced = tools.tool_choice?.type === 'any' || tools.tool_choice?.type === 'tool';
  const unexplained = lacksThinking(conversation.messages);
  const thinking = decideThinking(controls.reasoning, { maxTokens, model: target.model, forced, unexplained, fields });
  if (format.instruction !== null) conversation.system.push({ type: 'text', text: format.instruction });

  const body: Omit<MessageCreateParams, 'model'> = {
    max_tokens: maxTokens,
    messages: conversation.messages,
    ...(conversation.system.length > 0 ? { system: conversation.system } : {}),
    ...tools,
    ...thinking.body,
    ...outputConfig(thinking.effort, format.format),
    ...sampling(controls, target.model, thinking.on, fields),
    ...stopSequences(controls.stop, fields),
    ...identity(controls, fields),
    ...(request.stream ? { stream: true } : {}),
  };
  if (controls.autoCache) markAutomatically(body);
  limitCacheMarks(body, fields);
  if (tiers) serviceTier(body, fields);
  else noTier(fields);
  const { betas, own } = ownOptions(chat.providerOptions?.[target.provider] ?? chat.providerOptions?.anthropic);
  if (own.service_tier !== undefined && fields.overridesTier('service_tier', body)) delete own.service_tier;
  Object.assign(body, own);
  return { body, warnings: fields.finish(), betas };
}

function oneChoiceOnly(provider: string): GatewayError {
  return new GatewayError(
    'invalid_request_error',
    `The provider ${provider} gives one choice a request; n must be 1.`,
    {
      param: 'n',
      code: 'unsupported_parameter',
      failure: 'bad_request',
    },
  );
}

function outputConfig(
  effort: NonNullable<MessageCreateParams['output_config']>['effort'],
  format: NonNullable<MessageCreateParams['output_config']>['format'],
): Pick<MessageCreateParams, 'output_config'> {
  if (!effort && !format) return {};
  return { output_config: { ...(effort ? { effort } : {}), ...(format ? { format } : {}) } };
}

interface Sampling {
  temperature?: number;
  top_p?: number;
  top_k?: number;
}

function sampling(controls: Controls, model: string, thinks: boolean, fields: Fields): Sampling {
  fields.take('temperature');
  fields.take('top_p');
  const topK = fields.take('top_k');
  const drop = (name: string, why: string): undefined => {
    fields.warn(name, `${why}, dropped`);
    return undefined;
  };
  const allowed = claudeSampling(model);
  let temperature = controls.temperature ?? undefined;
  let topP = controls.topP ?? undefined;
  let chosen = typeof topK === 'number' ? topK : undefined;
  if (thinks || allowed === 'none') {
    // The API refuses changed sampling beside thinking, and the newest models refuse it at all.
    const why = thinks ? 'not allowed with reasoning' : 'no longer taken by the model';
    if (temperature !== undefined && temperature !== 1) temperature = drop('temperature', why);
    else if (thinks) temperature = undefined;
    const least = allowed === 'none' ? 0.99 : 0.95;
    if (topP !== undefined && topP < least) topP = drop('top_p', `below ${least} ${why}`);
    if (chosen !== undefined) chosen = drop('top_k', why);
  }
  if (allowed === 'one' && temperature !== undefined && topP !== undefined) {
    topP = drop('top_p', 'the model takes temperature or top_p');
  }
  if (temperature !== undefined && temperature > 1) {
    fields.warn('temperature', `${temperature} lowered to 1, the provider's maximum`);
    temperature = 1;
  }
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(chosen === undefined ? {} : { top_k: chosen }),
  };
}

function stopSequences(stop: readonly string[], fields: Fields): Pick<MessageCreateParams, 'stop_sequences'> {
  fields.take('stop');
  const usable = stop.filter((sequence) => sequence.trim() !== '');
  if (usable.length < stop.length) fields.warn('stop', 'sequences of white space only are not taken, dropped');
  return usable.length > 0 ? { stop_sequences: usable } : {};
}

/** What Anthropic is told of the end user, so that it can tell abuse from use. */
function identity(controls: Controls, fields: Fields): Pick<MessageCreateParams, 'metadata'> {
  const field = fields.take('user') === undefined ? 'safety_identifier' : 'user';
  fields.take('safety_identifier');
  const identifier = fields.takeOption('safetyIdentifier');
  if (identifier !== undefined && controls.user !== null && controls.user !== identifier) {
    fields.warn(field, 'replaced by providerOptions.gateway.safetyIdentifier');
  }
  const id = identifier ?? controls.user;
  return id === null ? {} : { metadata: { user_id: id } };
}

/** https://platform.claude.com/docs/en/api/service-tiers */
function serviceTier(body: Omit<MessageCreateParams, 'model'>, fields: Fields): void {
  const { tier, path } = fields.takeTier();
  if (tier === 'auto' || tier === 'priority') body.service_tier = 'auto';
  else if (tier === 'default') body.service_tier = 'standard_only';
  else if (tier === 'fast') body.speed = 'fast';
  else if (tier !== undefined) fields.warn(path, `${String(tier)} is not offered by the provider, dropped`);
}

function noTier(fields: Fields): void {
  const { tier, path } = fields.takeTier();
  if (tier === undefined || tier === 'auto' || tier === 'default') return;
  fields.warn(path, `${String(tier)} is not offered by the provider, dropped`);
}

/** `providerOptions.<provider>`: the provider's own fields, taken as they are; they replace ours. */
function ownOptions(options: unknown): { betas: string[]; own: Record<string, unknown> } {
  if (typeof options !== 'object' || options === null) return { betas: [], own: {} };
  const { anthropic_beta: beta, model: _, stream: __, ...own } = options as Record<string, unknown>;
  const betas = Array.isArray(beta) ? beta.map(String) : typeof beta === 'string' ? [beta] : [];
  return { betas, own };
}
