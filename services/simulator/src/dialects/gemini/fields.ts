import type { Host } from './errors.ts';
import {
  anything,
  bytes,
  flag,
  float,
  int32,
  int64,
  isObject,
  map,
  message,
  oneOf,
  type Parse,
  repeated,
  struct,
  text,
} from './proto.ts';

/** The subset of OpenAPI's schema object that `parameters` and `responseSchema` take. */
const schema: Parse = message(() => ({
  anyOf: repeated(schema),
  default: anything,
  description: text,
  enum: repeated(text),
  example: anything,
  format: text,
  items: schema,
  maxItems: int64,
  maxLength: int64,
  maxProperties: int64,
  maximum: float,
  minItems: int64,
  minLength: int64,
  minProperties: int64,
  minimum: float,
  nullable: flag,
  pattern: text,
  properties: map(schema),
  propertyOrdering: repeated(text),
  required: repeated(text),
  title: text,
  type: oneOf('Type', 'TYPE_UNSPECIFIED', 'STRING', 'NUMBER', 'INTEGER', 'BOOLEAN', 'ARRAY', 'OBJECT', 'NULL'),
}));

const blob = message(() => ({ data: bytes, displayName: text, mimeType: text }));
const fileData = message(() => ({ displayName: text, fileUri: text, mimeType: text }));

const functionCall = message(() => ({ args: struct, id: text, name: text }));
const functionResponse = message(() => ({
  id: text,
  name: text,
  parts: repeated(message(() => ({ inlineData: blob, fileData }))),
  response: struct,
  scheduling: text,
  willContinue: flag,
}));

/** The fields of a part of which exactly one must be set. */
export const partData = [
  'text',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
] as const;

const partFields = message(() => ({
  text,
  inlineData: blob,
  fileData,
  functionCall,
  functionResponse,
  executableCode: struct,
  codeExecutionResult: struct,
  thought: flag,
  thoughtSignature: bytes,
  videoMetadata: struct,
  mediaResolution: struct,
  partMetadata: struct,
}));

const part: Parse = (value, path, violations) => {
  const read = partFields(value, path, violations);
  const set = isObject(read) ? partData.filter((name) => read[name] !== undefined) : [];
  if (set.length > 1)
    violations.push({
      field: path,
      description: `Invalid value at '${path}' (oneof), oneof field 'data' is already set. Cannot set '${set[1]}'`,
    });
  return read;
};

export const content = message(() => ({ parts: repeated(part), role: text }));

const tool = message(() => ({
  functionDeclarations: repeated(
    message(() => ({
      name: text,
      description: text,
      behavior: oneOf('FunctionDeclaration.Behavior', 'UNSPECIFIED', 'BLOCKING', 'NON_BLOCKING'),
      parameters: schema,
      parametersJsonSchema: anything,
      response: schema,
      responseJsonSchema: anything,
    })),
  ),
  codeExecution: struct,
  computerUse: struct,
  fileSearch: struct,
  googleMaps: struct,
  googleSearch: struct,
  googleSearchRetrieval: struct,
  urlContext: struct,
}));

const toolConfig = message(() => ({
  functionCallingConfig: message(() => ({
    mode: oneOf('FunctionCallingConfig.Mode', 'MODE_UNSPECIFIED', 'AUTO', 'ANY', 'NONE', 'VALIDATED'),
    allowedFunctionNames: repeated(text),
  })),
  retrievalConfig: struct,
  includeServerSideToolInvocations: flag,
}));

const generationConfig = (host: Host) =>
  message(() => ({
    candidateCount: int32,
    enableEnhancedCivicAnswers: flag,
    frequencyPenalty: float,
    imageConfig: struct,
    logprobs: int32,
    maxOutputTokens: int32,
    mediaResolution: text,
    presencePenalty: float,
    responseJsonSchema: anything,
    responseLogprobs: flag,
    responseMimeType: text,
    responseModalities: repeated(
      oneOf('GenerationConfig.Modality', 'MODALITY_UNSPECIFIED', 'TEXT', 'IMAGE', 'AUDIO', 'VIDEO'),
    ),
    responseSchema: schema,
    seed: int32,
    speechConfig: struct,
    stopSequences: repeated(text),
    temperature: float,
    thinkingConfig: message(() => ({
      includeThoughts: flag,
      thinkingBudget: int32,
      thinkingLevel: oneOf(
        'ThinkingConfig.ThinkingLevel',
        'THINKING_LEVEL_UNSPECIFIED',
        'MINIMAL',
        'LOW',
        'MEDIUM',
        'HIGH',
      ),
    })),
    topK: host === 'vertex' ? float : int32,
    topP: float,
    ...(host === 'vertex' ? { audioTimestamp: flag, routingConfig: struct, modelSelectionConfig: struct } : {}),
  }));

/** GenerateContentRequest (API reference: "Generating content"). */
const request = (host: Host) =>
  message(() => ({
    cachedContent: text,
    contents: repeated(content),
    generationConfig: generationConfig(host),
    model: text,
    safetySettings: repeated(message(() => ({ category: text, threshold: text, method: text }))),
    serviceTier: text,
    store: flag,
    systemInstruction: content,
    toolConfig,
    tools: repeated(tool),
    ...(host === 'vertex' ? { labels: map(text), modelArmorConfig: struct } : {}),
  }));

export const requestParsers: Readonly<Record<Host, Parse>> = { studio: request('studio'), vertex: request('vertex') };
