import type { ChatCompletionCreateParams, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { splitText } from '../../faults/directives.ts';
import { calledText, type Medium, type Turn } from '../../speech/conversation.ts';
import { chatFields } from './chatFields.ts';
import { badRequest } from './errors.ts';
import { readFile, readImage } from './media.ts';
import { checkBody, isObject } from './shape.ts';

export interface ChatRequest {
  readonly params: ChatCompletionCreateParams;
  readonly turns: readonly Turn[];
  readonly maxTokens: number | undefined;
  readonly stop: readonly string[];
}

/** Validates as OpenAI does; throws an `ApiError` for the first thing that is wrong. */
export function readChatRequest(body: unknown, model: string, lenient: boolean): ChatRequest {
  checkBody(body, chatFields, lenient);
  const params = asParams(body);
  if (!lenient) checkReasoningModel(params, model);
  checkCombinations(params);
  params.messages.forEach(checkSaysSomething);
  checkToolOrder(params.messages);
  const stop = params.stop ?? [];
  return {
    params,
    turns: params.messages.map(readTurn),
    maxTokens: params.max_completion_tokens ?? params.max_tokens ?? undefined,
    stop: typeof stop === 'string' ? [stop] : stop,
  };
}

/** The checks have proved the shape that the SDK's type describes. */
function asParams(body: unknown): ChatCompletionCreateParams {
  return body as ChatCompletionCreateParams;
}

/** What OpenAI's reasoning models refuse. */
function checkReasoningModel(params: ChatCompletionCreateParams, model: string): void {
  if (!/^(o[1-9]|gpt-5)/.test(model)) return;
  if (typeof params.max_tokens === 'number')
    throw badRequest(
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      'max_tokens',
      'unsupported_parameter',
    );
  if (typeof params.temperature === 'number' && params.temperature !== 1)
    throw badRequest(
      `Unsupported value: 'temperature' does not support ${params.temperature} with this model. Only the default (1) value is supported.`,
      'temperature',
      'unsupported_value',
    );
}

function checkCombinations(params: ChatCompletionCreateParams): void {
  if (typeof params.max_tokens === 'number' && typeof params.max_completion_tokens === 'number')
    throw badRequest(
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      'max_tokens',
      'invalid_parameter_combination',
    );
  if (params.stream_options && !params.stream)
    throw badRequest("The 'stream_options' parameter is only allowed when 'stream' is enabled.", 'stream_options');
  if (params.tool_choice !== undefined && params.tools === undefined)
    throw badRequest("'tool_choice' is only allowed when 'tools' are specified.", 'tool_choice');
  if (params.parallel_tool_calls !== undefined && params.tools === undefined)
    throw badRequest("'parallel_tool_calls' is only allowed when 'tools' are specified.", 'parallel_tool_calls');
  if (typeof params.top_logprobs === 'number' && params.top_logprobs > 0 && params.logprobs !== true)
    throw badRequest("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", 'top_logprobs');
  checkNamedTool(params);
  checkResponseSchema(params.response_format);
}

function checkNamedTool({ tool_choice: choice, tools = [] }: ChatCompletionCreateParams): void {
  if (typeof choice !== 'object' || choice.type !== 'function') return;
  const { name } = choice.function;
  if (!tools.some((tool) => tool.type === 'function' && tool.function.name === name))
    throw badRequest(`Tool choice '${name}' not found in 'tools' parameter.`, 'tool_choice');
}

function checkResponseSchema(format: ChatCompletionCreateParams['response_format']): void {
  if (format?.type !== 'json_schema') return;
  const { name, schema, strict } = format.json_schema;
  if (schema === undefined)
    throw badRequest(
      "Missing required parameter: 'response_format.json_schema.schema'.",
      'response_format.json_schema.schema',
      'missing_required_parameter',
    );
  const refuse = (why: string) =>
    badRequest(`Invalid schema for response_format '${name}': In context=(), ${why}`, 'response_format');
  if (schema.type !== 'object') throw refuse(`schema must be a JSON Schema of 'type: "object"'.`);
  if (!strict) return;
  if (schema.additionalProperties !== false)
    throw refuse("'additionalProperties' is required to be supplied and to be false.");
  const names = Object.keys(isObject(schema.properties) ? schema.properties : {});
  const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const forgotten = names.find((property) => !required.includes(property));
  if (forgotten !== undefined)
    throw refuse(
      `'required' is required to be supplied and to be an array including every key in properties. Missing '${forgotten}'.`,
    );
}

function checkSaysSomething(message: ChatCompletionMessageParam, index: number): void {
  if (message.role !== 'assistant') return;
  const { content, tool_calls: calls, function_call: call, audio, refusal } = message;
  if ((content ?? calls ?? call ?? audio ?? refusal ?? null) === null)
    throw badRequest("Invalid value for 'content': expected a string, got null.", `messages[${index}].content`);
}

/** Tool results must follow the assistant message that called for them, and every call needs its result. */
function checkToolOrder(messages: readonly ChatCompletionMessageParam[]): void {
  let open = new Set<string>();
  messages.forEach((message, index) => {
    if (message.role === 'tool') {
      if (!open.delete(message.tool_call_id))
        throw badRequest(
          "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          `messages[${index}].role`,
        );
      return;
    }
    refuseOpenCalls(open, index);
    open = new Set(message.role === 'assistant' ? message.tool_calls?.map(({ id }) => id) : []);
  });
  refuseOpenCalls(open, messages.length);
}

function refuseOpenCalls(open: ReadonlySet<string>, index: number): void {
  if (open.size > 0)
    throw badRequest(
      `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${[...open].join(', ')}`,
      `messages[${index}].role`,
    );
}

const roles = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
  function: 'tool',
} as const;

function readTurn(message: ChatCompletionMessageParam, index: number): Turn {
  const media: Medium[] = [];
  const texts: string[] = [];
  const { content } = message;
  if (typeof content === 'string') texts.push(content);
  for (const [at, part] of Array.isArray(content) ? content.entries() : []) {
    const path = `messages[${index}].content[${at}]`;
    if (part.type === 'text') texts.push(part.text);
    else if (part.type === 'refusal') texts.push(part.refusal);
    else if (part.type === 'image_url') media.push(readImage(part.image_url.url, `${path}.image_url.url`));
    else if (part.type === 'file') media.push(readFile({ ...part.file }, `${path}.file`));
    else
      media.push({
        kind: 'audio',
        mediaType: `audio/${part.input_audio.format}`,
        bytes: Buffer.byteLength(part.input_audio.data, 'base64'),
        name: '',
      });
  }
  if (message.role === 'assistant') {
    for (const call of message.tool_calls ?? [])
      texts.push(
        call.type === 'function' ? calledText(call.function.name, call.function.arguments) : call.custom.input,
      );
  }
  return { role: roles[message.role], text: splitText(texts.join('\n')).rest, media };
}
