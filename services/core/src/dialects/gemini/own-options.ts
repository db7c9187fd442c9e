import type { ChatBody } from '../../chat/index.ts';
import type { Target } from '../dialect.ts';
import type { Fields } from '../translation/index.ts';

type Raw = Record<string, unknown>;

/** Fields of `generationConfig` that clients, used to Google's SDKs, write one level higher. */
const OF_GENERATION = [
  'audioTimestamp',
  'imageConfig',
  'mediaResolution',
  'responseJsonSchema',
  'responseMimeType',
  'responseModalities',
  'responseSchema',
  'speechConfig',
  'thinkingConfig',
];

/**
 * Adds the provider's own fields, of `providerOptions.<provider>` or `.google`: `generationConfig` and `toolConfig` field by field,
 * `tools` (such as `googleSearch`) beside ours, all others in place of ours.
 */
export function addOwnOptions(body: object, chat: ChatBody, target: Target, fields: Fields): void {
  const found = chat.providerOptions?.[target.provider] ?? chat.providerOptions?.google;
  if (!isRecord(found)) return;
  const { model: _, contents: __, generationConfig, toolConfig, tools, ...rest } = structuredClone(found);
  const own: Raw = rest;
  const generation: Raw = { ...(isRecord(generationConfig) ? generationConfig : {}) };
  for (const name of OF_GENERATION) {
    if (own[name] === undefined) continue;
    generation[name] ??= own[name];
    delete own[name];
  }
  // The API takes one schema.
  if (generation.responseSchema !== undefined) deleteFrom(body, 'responseJsonSchema');
  const known = body as Raw;
  known.generationConfig = { ...asRecord(known.generationConfig), ...generation };
  if (isRecord(toolConfig)) known.toolConfig = mergeToolConfig(asRecord(known.toolConfig), toolConfig, target, fields);
  if (Array.isArray(tools)) known.tools = [...(Array.isArray(known.tools) ? known.tools : []), ...tools];
  if (own.serviceTier !== undefined && fields.overridesTier('serviceTier', known)) delete own.serviceTier;
  Object.assign(known, own);
}

function mergeToolConfig(ours: Raw, theirs: Raw, { provider }: Target, fields: Fields): Raw {
  const merged: Raw = { ...ours, ...theirs };
  const { streamFunctionCallArguments: streamed, ...calling } = asRecord(theirs.functionCallingConfig);
  // Pieces of arguments in a form of Google's own; an answer's arguments stream as a whole instead.
  if (streamed !== undefined) {
    const path = `providerOptions.${provider}.toolConfig.functionCallingConfig.streamFunctionCallArguments`;
    fields.warn(path, 'not offered, dropped');
  }
  const both = { ...asRecord(ours.functionCallingConfig), ...calling };
  if (Object.keys(both).length > 0) merged.functionCallingConfig = both;
  else delete merged.functionCallingConfig;
  return merged;
}

function deleteFrom(body: object, name: string): void {
  const generation = (body as Raw).generationConfig;
  if (isRecord(generation)) delete generation[name];
}

const asRecord = (value: unknown): Raw => (isRecord(value) ? value : {});

const isRecord = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
