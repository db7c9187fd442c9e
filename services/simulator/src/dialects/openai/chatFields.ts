import { badRequest } from './errors.ts';
import {
  anything,
  arrayOf,
  boolean,
  byField,
  decimal,
  type Fields,
  integer,
  nullable,
  object,
  oneOf,
  shape,
  string,
  stringOr,
} from './shape.ts';

/** The parameters of POST /v1/chat/completions as the `openai` package's ChatCompletionCreateParams lists them. */

const cacheBreakpoint = shape({
  required: { mode: oneOf('explicit') },
  optional: { ttl: oneOf('30m', '12h') },
});

const textPart = shape({
  required: { type: string, text: string },
  optional: { prompt_cache_breakpoint: cacheBreakpoint },
});

const refusalPart = shape({ required: { type: string, refusal: string } });

const userPart = byField('type', {
  text: textPart,
  image_url: shape({
    required: {
      type: string,
      image_url: shape({ required: { url: string }, optional: { detail: oneOf('auto', 'low', 'high', 'original') } }),
    },
    optional: { prompt_cache_breakpoint: cacheBreakpoint },
  }),
  input_audio: shape({
    required: {
      type: string,
      input_audio: shape({ required: { data: string, format: oneOf('wav', 'mp3') } }),
    },
    optional: { prompt_cache_breakpoint: cacheBreakpoint },
  }),
  file: shape({
    required: {
      type: string,
      file: shape({ optional: { file_data: string, file_id: string, filename: string } }),
    },
    optional: { prompt_cache_breakpoint: cacheBreakpoint },
  }),
});

const toolCall = byField('type', {
  function: shape({
    required: {
      id: string,
      type: string,
      function: shape({ required: { name: string, arguments: string } }),
    },
  }),
  custom: shape({
    required: { id: string, type: string, custom: shape({ required: { name: string, input: string } }) },
  }),
});

const textContent = stringOr(arrayOf(textPart, 1));
const instructions = shape({ required: { role: string, content: textContent }, optional: { name: string } });
const functionCall = shape({ required: { name: string, arguments: string } });

const message = byField('role', {
  system: instructions,
  developer: instructions,
  user: shape({ required: { role: string, content: stringOr(arrayOf(userPart, 1)) }, optional: { name: string } }),
  assistant: shape({
    required: { role: string },
    optional: {
      content: nullable(stringOr(arrayOf(byField('type', { text: textPart, refusal: refusalPart }), 1))),
      name: string,
      refusal: nullable(string),
      annotations: nullable(arrayOf(object)),
      audio: nullable(shape({ required: { id: string } })),
      function_call: nullable(functionCall),
      tool_calls: arrayOf(toolCall, 1),
    },
  }),
  tool: shape({ required: { role: string, content: textContent, tool_call_id: string } }),
  function: shape({ required: { role: string, content: nullable(string), name: string } }),
});

const functionName: typeof string = (value, path) => {
  string(value, path);
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(String(value)))
    throw badRequest(
      `Invalid '${path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`,
      path,
      'invalid_value',
    );
};

const functionDefinition = shape({
  required: { name: functionName },
  optional: { description: string, parameters: object, strict: nullable(boolean) },
});

const tool = byField('type', {
  function: shape({ required: { type: string, function: functionDefinition } }),
  custom: shape({
    required: {
      type: string,
      custom: shape({ required: { name: functionName }, optional: { description: string, format: object } }),
    },
  }),
});

const namedFunction = shape({ required: { name: string } });

const toolChoice: typeof string = (value, path) => {
  if (typeof value === 'string') oneOf('none', 'auto', 'required')(value, path);
  else
    byField('type', {
      function: shape({ required: { type: string, function: namedFunction } }),
      custom: shape({ required: { type: string, custom: namedFunction } }),
      allowed_tools: shape({
        required: {
          type: string,
          allowed_tools: shape({ required: { mode: oneOf('auto', 'required'), tools: arrayOf(object, 1) } }),
        },
      }),
    })(value, path);
};

const responseFormat = byField('type', {
  text: shape({ required: { type: string } }),
  json_object: shape({ required: { type: string } }),
  json_schema: shape({
    required: {
      type: string,
      json_schema: shape({
        required: { name: functionName },
        optional: { description: string, schema: object, strict: nullable(boolean) },
      }),
    },
  }),
});

export const chatFields: Fields = {
  required: { model: string, messages: arrayOf(message, 1) },
  optional: {
    audio: nullable(object),
    frequency_penalty: nullable(decimal(-2, 2)),
    function_call: anything,
    functions: arrayOf(functionDefinition, 1, 128),
    logit_bias: nullable(object),
    logprobs: nullable(boolean),
    max_completion_tokens: nullable(integer(1)),
    max_tokens: nullable(integer(1)),
    metadata: nullable(object),
    modalities: nullable(arrayOf(oneOf('text', 'audio'))),
    moderation: nullable(object),
    n: nullable(integer(1, 128)),
    parallel_tool_calls: boolean,
    prediction: nullable(object),
    presence_penalty: nullable(decimal(-2, 2)),
    prompt_cache_key: nullable(string),
    prompt_cache_options: object,
    prompt_cache_retention: nullable(oneOf('in_memory', '24h')),
    reasoning_effort: nullable(oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max')),
    response_format: responseFormat,
    safety_identifier: nullable(string),
    seed: nullable(integer(Number.MIN_SAFE_INTEGER)),
    service_tier: nullable(oneOf('auto', 'default', 'flex', 'scale', 'priority', 'fast')),
    stop: nullable(stringOr(arrayOf(string, 0, 4))),
    store: nullable(boolean),
    stream: nullable(boolean),
    stream_options: nullable(shape({ optional: { include_usage: boolean, include_obfuscation: boolean } })),
    temperature: nullable(decimal(0, 2)),
    tool_choice: toolChoice,
    tools: arrayOf(tool, 1, 128),
    top_logprobs: nullable(integer(0, 20)),
    top_p: nullable(decimal(0, 1)),
    user: string,
    verbosity: nullable(oneOf('low', 'medium', 'high')),
    web_search_options: object,
  },
};
