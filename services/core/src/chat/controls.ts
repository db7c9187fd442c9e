import { GatewayError } from '../errors/index.ts';
import type { ChatBody } from './schema.ts';

/** What a request asks of the model beside its messages, in one plain form. Null or empty: not asked for. */
export interface Controls {
  /** `max_completion_tokens`, else `max_tokens`. */
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly stop: readonly string[];
  readonly tools: readonly ToolDefinition[];
  readonly toolChoice: ToolChoice | null;
  readonly parallelToolCalls: boolean | null;
  readonly responseFormat: ResponseFormat | null;
  readonly reasoning: ReasoningWish | null;
  /** `user`, else `safety_identifier`. */
  readonly user: string | null;
  /** `providerOptions.gateway.caching: 'auto'` (WIRE 2.10). */
  readonly autoCache: boolean;
}

export interface ToolDefinition {
  readonly path: string;
  readonly name: string;
  readonly description: string | null;
  /** JSON Schema of an object; absent for a tool without parameters. */
  readonly parameters: Readonly<Record<string, unknown>> | null;
  readonly strict: boolean | null;
  readonly cache: boolean;
}

export type ToolChoice =
  | { readonly type: 'auto' | 'none' | 'required' }
  | { readonly type: 'function'; readonly name: string }
  /** OpenAI's `allowed_tools`: the model may call only these. */
  | { readonly type: 'allowed'; readonly mode: 'auto' | 'required'; readonly names: readonly string[] };

export type ResponseFormat =
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly name: string;
      readonly description: string | null;
      readonly schema: Readonly<Record<string, unknown>>;
      readonly strict: boolean;
    };

export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export interface ReasoningWish {
  readonly enabled: boolean;
  readonly effort: ReasoningEffort | null;
  /** Tokens; excludes `effort`. */
  readonly maxTokens: number | null;
  /** Reason, but do not show it. */
  readonly exclude: boolean;
}

const EFFORTS: readonly string[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** Share of the token limit that an effort is worth where a provider takes a budget (WIRE 2.8). */
export const EFFORT_SHARE: Readonly<Record<Exclude<ReasoningEffort, 'none'>, number>> = {
  minimal: 0.1,
  low: 0.2,
  medium: 0.5,
  high: 0.8,
  xhigh: 0.95,
  max: 0.95,
};

/** Throws a GatewayError (400) where wishes contradict one another. */
export function readControls(body: ChatBody): Controls {
  return {
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    temperature: body.temperature ?? null,
    topP: body.top_p ?? null,
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    tools: readTools(body),
    toolChoice: readToolChoice(body),
    parallelToolCalls: body.parallel_tool_calls ?? null,
    responseFormat: readResponseFormat(body),
    reasoning: readReasoning(body),
    user: body.user ?? stringOrNull(body.safety_identifier),
    autoCache: body.providerOptions?.gateway?.caching === 'auto',
  };
}

function readTools(body: ChatBody): ToolDefinition[] {
  const tools = (body.tools ?? []).map((tool, i): ToolDefinition => {
    const path = `tools.${i}`;
    if (tool.type === 'custom') throw unsupported(path, 'custom tools');
    const { name, description, parameters, strict } = tool.function;
    return {
      path,
      name,
      description: description ?? null,
      parameters: parameters ?? null,
      strict: strict ?? null,
      cache: isRecord(tool.cache_control),
    };
  });
  return tools.length > 0 ? tools : readLegacyFunctions(body.functions);
}

/** `functions`, which `tools` replaced. */
function readLegacyFunctions(functions: unknown): ToolDefinition[] {
  if (!Array.isArray(functions)) return [];
  return functions.flatMap((entry: unknown, i): ToolDefinition[] => {
    if (!isRecord(entry) || typeof entry.name !== 'string') return [];
    return [
      {
        path: `functions.${i}`,
        name: entry.name,
        description: stringOrNull(entry.description),
        parameters: isRecord(entry.parameters) ? entry.parameters : null,
        strict: null,
        cache: false,
      },
    ];
  });
}

function readToolChoice(body: ChatBody): ToolChoice | null {
  const choice: unknown = body.tool_choice ?? body.function_call;
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice };
  if (!isRecord(choice)) return null;
  if (choice.type === 'custom') throw unsupported('tool_choice', 'custom tools');
  if (choice.type === 'allowed_tools') return readAllowedTools(choice.allowed_tools);
  const named = isRecord(choice.function) ? choice.function : choice;
  const name = stringOrNull(named.name);
  if (name === null)
    throw invalid('tool_choice.function.name', "missing required parameter 'tool_choice.function.name'");
  return { type: 'function', name };
}

function readAllowedTools(allowed: unknown): ToolChoice {
  if (!isRecord(allowed) || !Array.isArray(allowed.tools)) {
    throw invalid('tool_choice.allowed_tools', "missing required parameter 'tool_choice.allowed_tools.tools'");
  }
  const names = allowed.tools.flatMap((tool: unknown) => {
    const named = isRecord(tool) && isRecord(tool.function) ? tool.function.name : undefined;
    return typeof named === 'string' ? [named] : [];
  });
  return { type: 'allowed', mode: allowed.mode === 'required' ? 'required' : 'auto', names };
}

function readResponseFormat(body: ChatBody): ResponseFormat | null {
  const format = body.response_format;
  if (!format || format.type === 'text') return null;
  if (format.type === 'json_schema') {
    const { name, schema, description, strict } = format.json_schema as Record<string, unknown>;
    if (!isRecord(schema)) return { type: 'json_object' };
    return {
      type: 'json_schema',
      name: String(name),
      description: stringOrNull(description),
      schema,
      strict: strict === true,
    };
  }
  // The legacy {type: 'json', schema?} of WIRE 2.2.
  const schema = format.type === 'json' ? format.schema : undefined;
  if (!isRecord(schema)) return { type: 'json_object' };
  const name = stringOrNull((format as Record<string, unknown>).name) ?? 'response';
  return { type: 'json_schema', name, description: null, schema, strict: false };
}

/** Null when the request says nothing of it. Throws a GatewayError (400) where wishes contradict one another. */
export function readReasoning(body: ChatBody): ReasoningWish | null {
  const nested = body.reasoning;
  if (!isRecord(nested)) {
    const alias = body.reasoning_effort ?? null;
    return alias === null ? null : fromEffort(readEffort(alias, 'reasoning_effort'), false);
  }
  const exclude = nested.exclude === true;
  const maxTokens = nested.max_tokens;
  const effort = nested.effort ?? undefined;
  if (maxTokens !== undefined && maxTokens !== null) {
    if (effort !== undefined)
      throw invalid('reasoning', "'reasoning.effort' and 'reasoning.max_tokens' exclude each other");
    if (!Number.isInteger(maxTokens) || Number(maxTokens) < 0) {
      throw invalid(
        'reasoning.max_tokens',
        "invalid value for 'reasoning.max_tokens': expected a whole number of tokens",
      );
    }
    return {
      enabled: Number(maxTokens) > 0 && nested.enabled !== false,
      effort: null,
      maxTokens: Number(maxTokens),
      exclude,
    };
  }
  if (effort !== undefined) return fromEffort(readEffort(effort, 'reasoning.effort'), exclude, nested.enabled);
  // The alias fills in what the nested object leaves open.
  if (typeof body.reasoning_effort === 'string') {
    return fromEffort(readEffort(body.reasoning_effort, 'reasoning_effort'), exclude, nested.enabled);
  }
  return { enabled: nested.enabled !== false, effort: null, maxTokens: null, exclude };
}

function fromEffort(effort: ReasoningEffort, exclude: boolean, enabled?: unknown): ReasoningWish {
  return { enabled: effort !== 'none' && enabled !== false, effort, maxTokens: null, exclude };
}

function readEffort(value: unknown, path: string): ReasoningEffort {
  if (typeof value === 'string' && EFFORTS.includes(value)) return value as ReasoningEffort;
  throw invalid(path, `invalid value for '${path}': expected one of ${EFFORTS.join(', ')}`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const stringOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function invalid(param: string, message: string): GatewayError {
  return new GatewayError('invalid_request_error', `Invalid request: ${message}`, {
    param,
    code: 'invalid_value',
    failure: 'bad_request',
  });
}

function unsupported(param: string, what: string): GatewayError {
  return new GatewayError('invalid_request_error', `Only providers that speak OpenAI take ${what} (${param}).`, {
    param,
    code: 'unsupported_content',
    failure: 'bad_request',
  });
}
