import type { Content, FunctionDeclaration, GenerationConfig, Part, Schema, Tool, ToolConfig } from '@google/genai';
import { splitText } from '../../faults/directives.ts';
import {
  type Conversation,
  calledText,
  effortTokens,
  type Medium,
  type Tool as SpokenTool,
  type ToolChoice,
  type Turn,
} from '../../speech/conversation.ts';
import { badRequest, type FieldViolation, type Host, invalidFields } from './errors.ts';
import { requestParsers } from './fields.ts';
import { readFileData, readInline } from './media.ts';
import { isObject } from './proto.ts';
import { checkRules, declarationsOf } from './rules.ts';
import { jsonSchemaOf } from './schemaRules.ts';

/** GenerateContentRequest with lowerCamelCase names. */
export interface GenerateRequest {
  readonly contents?: readonly Content[];
  readonly systemInstruction?: Content;
  readonly generationConfig?: GenerationConfig;
  readonly tools?: readonly Tool[];
  readonly toolConfig?: ToolConfig;
}

export interface ReadRequest {
  readonly request: GenerateRequest;
  readonly conversation: Conversation;
}

/** Thinking tokens when only a budget says how many there may be. */
const usualThinking = effortTokens.medium;

/** Validates as Google does; throws an `ApiError` for what the parser, or then the service, finds wrong. */
export function readGenerateRequest(body: unknown, host: Host, model: string, lenient: boolean): ReadRequest {
  const violations: FieldViolation[] = [];
  const read = requestParsers[host](body, '', violations);
  if (violations.length > 0 && !lenient) throw invalidFields(violations);
  if (!isObject(read)) throw badRequest('Invalid JSON payload received. Expected an object.');
  const request = asRequest(read);
  checkRules(request, host, lenient ? '' : model);
  return {
    request,
    conversation: conversationOf(request, host),
  };
}

/** The parsers have proved the shape that the SDK's types describe. */
function asRequest(read: object): GenerateRequest {
  return read;
}

function conversationOf(request: GenerateRequest, host: Host): Conversation {
  const { contents = [], systemInstruction, generationConfig = {} } = request;
  const thoughts = thoughtTokens(generationConfig);
  const shown = generationConfig.thinkingConfig?.includeThoughts === true;
  return {
    turns: [
      ...(systemInstruction === undefined
        ? []
        : [{ ...readTurn(systemInstruction.parts, host), role: 'system' as const }]),
      ...contents.flatMap((content) => readTurns(content, host)),
    ],
    tools: declarationsOf(request.tools).map(toolOf),
    toolChoice: toolChoiceOf(request.toolConfig),
    parallelCalls: true,
    format: formatOf(generationConfig),
    stop: generationConfig.stopSequences ?? [],
    maxTokens: generationConfig.maxOutputTokens,
    choices: generationConfig.candidateCount ?? 1,
    seed: generationConfig.seed,
    hiddenTokens: shown ? 0 : thoughts,
    thinkingTokens: shown ? thoughts : 0,
    prefill: 'ignore',
  };
}

function thoughtTokens({ thinkingConfig }: GenerationConfig): number {
  if (thinkingConfig === undefined) return 0;
  const { thinkingBudget: budget, thinkingLevel: level } = thinkingConfig;
  if (budget !== undefined) return budget < 0 ? usualThinking : Math.min(budget, usualThinking);
  const name = level?.toLowerCase();
  return name === 'minimal' || name === 'low' || name === 'high' ? effortTokens[name] : usualThinking;
}

function toolOf({ name = '', description = '', parameters, parametersJsonSchema }: FunctionDeclaration): SpokenTool {
  const schema = parameters === undefined ? parametersJsonSchema : jsonSchemaOf(parameters);
  return { name, description, parameters: isObject(schema) ? schema : {} };
}

function toolChoiceOf(config: ToolConfig | undefined): ToolChoice {
  const { mode, allowedFunctionNames: only } = config?.functionCallingConfig ?? {};
  const restriction = only === undefined || only.length === 0 ? {} : { only };
  if (mode === 'NONE') return { mode: 'none' };
  return { mode: mode === 'ANY' ? 'required' : 'auto', ...restriction };
}

function formatOf(config: GenerationConfig): Conversation['format'] {
  if (config.responseSchema !== undefined) return { schema: jsonSchemaOf(asSchema(config.responseSchema)) };
  if (config.responseJsonSchema !== undefined) return { schema: config.responseJsonSchema };
  return config.responseMimeType === 'application/json' ? 'json' : 'prose';
}

function asSchema(schema: Schema): Schema {
  return schema;
}

/** Function responses are turns of their own, as they are messages of their own elsewhere. */
function readTurns({ role, parts = [] }: Content, host: Host): Turn[] {
  const results = parts.filter(({ functionResponse }) => functionResponse !== undefined).map(resultTurn);
  const rest = parts.filter(({ functionResponse }) => functionResponse === undefined);
  if (rest.length === 0) return results;
  return [...results, { ...readTurn(rest, host), role: role === 'model' ? 'assistant' : 'user' }];
}

/** What was thought is no part of what was said. */
function readTurn(parts: readonly Part[] = [], host: Host): Pick<Turn, 'text' | 'media'> {
  const texts: string[] = [];
  const media: Medium[] = [];
  for (const part of parts) {
    if (part.thought === true) continue;
    // A text that is empty only carries a signature.
    if (part.text) texts.push(part.text);
    if (part.functionCall !== undefined) texts.push(calledText(part.functionCall.name ?? '', part.functionCall.args));
    if (part.inlineData !== undefined) media.push(readInline(part.inlineData, host));
    if (part.fileData !== undefined) media.push(readFileData(part.fileData, host));
  }
  return { text: splitText(texts.join('\n')).rest, media };
}

/** Names that clients wrap a tool's text in, for a function response must be an object. */
const wrappers = ['output', 'result', 'content', 'error', 'response'];

function resultTurn({ functionResponse }: Part): Turn {
  const { response = {} } = functionResponse ?? {};
  const [[name, value] = ['', undefined], ...others] = Object.entries(response);
  const wrapped = others.length === 0 && wrappers.includes(name);
  const text = !wrapped ? JSON.stringify(response) : typeof value === 'string' ? value : JSON.stringify(value);
  return { role: 'tool', text: splitText(text).rest, media: [] };
}
