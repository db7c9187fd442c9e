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
  serviceTier?: `${ServiceTier}`;
  safetySettings?: SafetySetting[];
  /** Vertex only. */
  labels?: Record<string, string>;
}

/** An OpenAI request as Gemini's. Throws a GatewayError (400) for what Gemini cannot take. */
export function geminiBody(
  request: ChatRequest,
  target: Target,
  media: FetchedMedia,
  { labels }: { readonly labels: boolean },
): { body: GeminiBody; warnings: readonly string[] } {
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
  const body: GeminiBody = {
    contents,
    ...(system.length > 0 ? { systemInstruction: { parts: system } } : {}),
    ...encodeTools(controls, fields),
    ...(Object.keys(generation).length > 0 ? { generationConfig: generation } : {}),
    ...serviceTier(fields),
    ...(labels ? encodeLabels(controls, fields) : {}),
  };
  if (fields.take('logprobs') === true) fields.warn('logprobs', 'not taken over from the provider, dropped');
  addOwnOptions(body, chat, target, fields);
  return { body, warnings: fields.finish() };
}

function serviceTier(fields: Fields): Pick<GeminiBody, 'serviceTier'> {
  const tier = fields.take('service_tier');
  if (tier === undefined || tier === 'auto') return {};
  if (tier === 'default') return { serviceTier: 'standard' };
  if (tier === 'flex' || tier === 'priority') return { serviceTier: tier };
  fields.warn('service_tier', `${String(tier)} is not offered by the provider, dropped`);
  return {};
}
