import type { GenerateContentResponse, GenerateContentResponseUsageMetadata, Part } from '@google/genai';
import type { Directives } from '../../faults/directives.ts';
import { composeAnswer, mediaTokens, type SpokenCall, type SpokenChoice, visibleTokens } from '../../speech/answer.ts';
import type { Medium } from '../../speech/conversation.ts';
import type { PrefixCache } from '../../text/prefixCache.ts';
import type { Host } from './errors.ts';
import type { ReadRequest } from './request.ts';
import { thoughtSignature } from './signature.ts';

/** One part as it is said, with the tokens that it takes. */
export interface SpokenPart {
  readonly part: Part;
  readonly tokens: number;
}

export interface SpokenCandidate {
  /** One part a token of text or thought, one a function call or an image. */
  readonly parts: readonly SpokenPart[];
  /** Comes with the last part of a text. */
  readonly signature: string | undefined;
  readonly finishReason: string;
  readonly finishMessage: string | undefined;
  readonly blocked: boolean;
}

export interface GeneratedAnswer {
  readonly candidates: readonly SpokenCandidate[];
  readonly prompt: number;
  readonly cached: number;
  readonly media: readonly Medium[];
  readonly thoughts: number;
  /** All tokens that the client gets to see. */
  readonly tokens: number;
}

/** What all chunks of a stream, and the JSON answer, have in common. */
export interface Identity {
  readonly responseId: string;
  readonly modelVersion: string;
  readonly host: Host;
}

/** The fields of a response, without the SDK's conveniences. */
export type WireResponse = {
  candidates?: object[];
  promptFeedback?: GenerateContentResponse['promptFeedback'];
  usageMetadata?: GenerateContentResponseUsageMetadata;
  modelVersion: string;
  responseId: string;
  createTime?: string;
};

const finishReasons = {
  stop: 'STOP',
  length: 'MAX_TOKENS',
  tool_calls: 'STOP',
  content_filter: 'SAFETY',
} as const satisfies Record<SpokenChoice['finish'], string>;

export function generateAnswer(
  { request, conversation }: ReadRequest,
  model: string,
  directives: Directives,
  cache: PrefixCache,
): GeneratedAnswer {
  const { choices, usage } = composeAnswer(conversation, directives, cache);
  const config = request.generationConfig;
  const draws = config?.responseModalities?.some((modality) => modality === 'IMAGE') === true;
  const signs = model.includes('gemini-3') || config?.thinkingConfig !== undefined;
  return {
    candidates: choices.map((choice) => candidateOf(choice, directives, { draws, signs })),
    prompt: usage.prompt,
    cached: usage.cached,
    media: conversation.turns.flatMap(({ media }) => media),
    thoughts: usage.reasoning,
    tokens: choices.reduce((sum, choice) => sum + visibleTokens(choice), 0),
  };
}

function candidateOf(
  choice: SpokenChoice,
  directives: Directives,
  { draws, signs }: { readonly draws: boolean; readonly signs: boolean },
): SpokenCandidate {
  const thoughts = directives['think-as'] === 'redacted' ? [] : choice.thinking;
  const calls = callParts(choice.calls, signs);
  const malformed = calls === undefined && choice.finish !== 'length';
  const refused = choice.refusal !== undefined;
  const finishReason = malformed ? 'MALFORMED_FUNCTION_CALL' : refused ? 'SAFETY' : finishReasons[choice.finish];
  return {
    parts: [
      ...thoughts.map((text) => ({ part: { text, thought: true }, tokens: 0 })),
      ...choice.text.map((text) => ({ part: { text }, tokens: 1 })),
      ...(calls ?? []),
      ...(draws && choice.text.length > 0 ? [{ part: { inlineData: picture }, tokens: pictureTokens }] : []),
    ],
    signature: signs && choice.calls.length === 0 && choice.text.length > 0 ? thoughtSignature() : undefined,
    finishReason: directives['stop-reason'] ?? finishReason,
    finishMessage: malformed
      ? `Malformed function call: ${choice.calls.map((call) => call.arguments.join('')).join(' ')}`
      : refused
        ? choice.refusal?.join('')
        : choice.calls.length > 0
          ? 'Model generated function call(s).'
          : undefined,
    blocked: refused,
  };
}

/** Undefined when arguments are no JSON object, for Google sends none such. */
function callParts(calls: readonly SpokenCall[], signs: boolean): SpokenPart[] | undefined {
  const parts: SpokenPart[] = [];
  for (const [index, call] of calls.entries()) {
    const args = parsedArgs(call.arguments.join(''));
    if (args === undefined) return undefined;
    const functionCall = { name: call.name, args };
    const signature = signs && index === 0 ? { thoughtSignature: thoughtSignature(functionCall) } : {};
    parts.push({ part: { functionCall, ...signature }, tokens: 1 + call.arguments.length });
  }
  return parts;
}

function parsedArgs(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json || '{}');
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** A PNG of one pixel. */
const picture = {
  mimeType: 'image/png',
  data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
};
const pictureTokens = 1290;

/** The usage when `said` tokens of the candidates have been said. */
export function usageOf(answer: GeneratedAnswer, said: number, host: Host): GenerateContentResponseUsageMetadata {
  const { prompt, cached, thoughts } = answer;
  const usage = {
    promptTokenCount: prompt,
    ...(said > 0 ? { candidatesTokenCount: said } : {}),
    totalTokenCount: prompt + said + thoughts,
    ...(cached > 0 ? { cachedContentTokenCount: cached } : {}),
    promptTokensDetails: modalities(prompt, answer.media),
    ...(cached > 0 ? { cacheTokensDetails: [{ modality: 'TEXT', tokenCount: cached }] } : {}),
    ...(thoughts > 0 ? { thoughtsTokenCount: thoughts } : {}),
    ...(host === 'vertex' && said > 0 ? { candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: said }] } : {}),
    ...(host === 'vertex' ? { trafficType: 'ON_DEMAND' } : {}),
  };
  return asUsage(usage);
}

/** The SDK types modalities as enums, whose values are these strings. */
function asUsage(usage: object): GenerateContentResponseUsageMetadata {
  return usage as GenerateContentResponseUsageMetadata;
}

function modalities(prompt: number, media: readonly Medium[]): { modality: string; tokenCount: number }[] {
  const counted = (kind: Medium['kind'], modality: string) => {
    const tokenCount = media.filter((medium) => medium.kind === kind).reduce((sum, item) => sum + mediaTokens(item), 0);
    return tokenCount > 0 ? [{ modality, tokenCount }] : [];
  };
  const others = [...counted('image', 'IMAGE'), ...counted('file', 'DOCUMENT'), ...counted('audio', 'AUDIO')];
  const rest = prompt - others.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
  return [{ modality: 'TEXT', tokenCount: rest }, ...others];
}

export function responseOf(
  { responseId, modelVersion, host }: Identity,
  fields: Omit<WireResponse, 'responseId' | 'modelVersion' | 'createTime'>,
): WireResponse {
  return {
    ...fields,
    modelVersion,
    ...(host === 'vertex' ? { createTime: new Date().toISOString() } : {}),
    responseId,
  };
}

/** The prompt was blocked: no candidates at all. */
export function blockedResponse(
  identity: Identity,
  answer: GeneratedAnswer,
  { code, message }: Directives,
): WireResponse {
  const feedback = {
    blockReason: code ?? 'PROHIBITED_CONTENT',
    ...(message === undefined ? {} : { blockReasonMessage: message }),
  };
  return responseOf(identity, {
    promptFeedback: feedback as WireResponse['promptFeedback'] & object,
    usageMetadata: usageOf({ ...answer, thoughts: 0 }, 0, identity.host),
  });
}

/** The ratings that come with a candidate that was blocked. */
export const blockedRatings = {
  safetyRatings: [{ category: 'HARM_CATEGORY_DANGEROUS_CONTENT', probability: 'HIGH', blocked: true }],
};
