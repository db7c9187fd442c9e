import type { Content, SafetySetting, ServiceTier } from '@google/genai';
import { type ChatRequest, fullBody, readControls, readConversation } from '../../chat/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';
import { Fields } from '../translation/index.ts';
import { encodeContents } from './contents.ts';
import { encodeGeneration, type Generation } from './generation.ts';
import { encodeLabels } from './labels.ts';
import { modelTraits } from './model.ts';
import { addOwnOptions } from './own-options.ts';
import { structuredOutput } from './structured-output.ts';
import { encodeThinking } from './thinking.ts';
import { encodeTools, type GeminiTools } from './tools.ts';

/** The body of `generateContent` (https://ai.google.dev/api/generate-content), the same at Google AI Studio and on Vertex. */
export interface GeminiBody extends GeminiTools {
  contents: Content[];
  systemInstruction?: Content;
  generationConfig?: Generation;
  /** Google AI Studio only. */
  serviceTier?: `${ServiceTier}`;
  safetySettings?: SafetySetting[];
  /** Vertex only. */
  labels?: Record<string, string>;
}

export interface GeminiRequest {
  readonly body: GeminiBody;
  /** Flat name, value list; beside those that every request has. */
  readonly headers: readonly string[];
  readonly warnings: readonly string[];
}

/** An OpenAI request as Gemini's, at Google AI Studio or on Vertex. Throws a GatewayError (400) for what Gemini cannot take. */
export function geminiBody(
  request: ChatRequest,
  target: Target,
  media: FetchedMedia,
  surface: 'studio' | 'vertex',
): GeminiRequest {
  const chat = fullBody(request);
  const fields = new Fields(chat, target.provider);
  const controls = readControls(chat);
  const model = modelTraits(target.model);
  const { system, contents } = encodeContents(readConversation(chat), target, media, fields);
  const format = structuredOutput(controls, model, fields);
  if (format.instruction !== null) system.push({ text: format.instruction });
  const thinking = encodeThinking(controls.reasoning, model, controls.maxTokens, fields);
  const generation: Generation = {
    ...encodeGeneration(request, controls, fields, target.provider),
    ...format.config,
    ...(thinking === null ? {} : { thinkingConfig: thinking }),
  };
  const tier = serviceTier(fields);
  const body: GeminiBody = {
    contents,
    ...(system.length > 0 ? { systemInstruction: { parts: system } } : {}),
    ...encodeTools(controls, fields),
    ...(Object.keys(generation).length > 0 ? { generationConfig: generation } : {}),
    ...(tier !== null && surface === 'studio' ? { serviceTier: tier } : {}),
    ...(surface === 'vertex' ? encodeLabels(controls, fields) : {}),
  };
  if (fields.take('logprobs') === true) fields.warn('logprobs', 'not taken over from the provider, dropped');
  addOwnOptions(body, chat, target, fields);
  return { body, headers: surface === 'vertex' ? tierHeaders(tier) : [], warnings: fields.finish() };
}

type Tier = 'standard' | 'flex' | 'priority';

function serviceTier(fields: Fields): Tier | null {
  const { tier, path } = fields.takeTier();
  if (tier === undefined || tier === 'auto') return null;
  if (tier === 'default') return 'standard';
  if (tier === 'flex' || tier === 'priority') return tier;
  fields.warn(path, `${String(tier)} is not offered by the provider, dropped`);
  return null;
}

/**
 * Vertex reads the tier from a header alone (https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo and
 * .../priority-paygo); what a project has bought is used up before. Without the header it is the standard.
 */
const tierHeaders = (tier: Tier | null): readonly string[] =>
  tier === 'flex' || tier === 'priority' ? ['x-vertex-ai-llm-shared-request-type', tier] : [];
