import { invalid } from './errors.ts';
import {
  anything,
  arrayOf,
  boolean,
  type Check,
  dictionary,
  type Fields,
  integer,
  isObject,
  matching,
  nullable,
  number,
  oneOf,
  shape,
  string,
  stringOr,
  tagged,
} from './shape.ts';

const cacheControl = nullable(shape({ required: { type: oneOf('ephemeral') }, optional: { ttl: oneOf('5m', '1h') } }));
const cacheable = { cache_control: cacheControl };
const citationsConfig = nullable(shape({ optional: { enabled: boolean } }));

const text = shape({
  required: { type: anything, text: string },
  optional: { ...cacheable, citations: nullable(arrayOf(dictionary)) },
});

const urlSource = shape({ required: { type: anything, url: string } });
const fileSource = shape({ required: { type: anything, file_id: string } });

const image = shape({
  required: {
    type: anything,
    source: tagged({
      base64: shape({
        required: {
          type: anything,
          media_type: oneOf('image/jpeg', 'image/png', 'image/gif', 'image/webp'),
          data: string,
        },
      }),
      url: urlSource,
      file: fileSource,
    }),
  },
  optional: { ...cacheable, transformations: nullable(dictionary) },
});

const document = shape({
  required: {
    type: anything,
    source: tagged({
      base64: shape({ required: { type: anything, media_type: oneOf('application/pdf'), data: string } }),
      text: shape({ required: { type: anything, media_type: oneOf('text/plain'), data: string } }),
      content: shape({ required: { type: anything, content: stringOr(arrayOf(tagged({ text, image }))) } }),
      url: urlSource,
      file: fileSource,
    }),
  },
  optional: { ...cacheable, citations: citationsConfig, context: nullable(string), title: nullable(string) },
});

const searchResult = shape({
  required: { type: anything, content: arrayOf(text), source: string, title: string },
  optional: { ...cacheable, citations: citationsConfig },
});

const toolUseId = matching(/^[a-zA-Z0-9_-]+$/);

const blocks: Readonly<Record<string, Check>> = {
  document,
  image,
  redacted_thinking: shape({ required: { type: anything, data: string } }),
  search_result: searchResult,
  server_tool_use: dictionary,
  text,
  thinking: shape({ required: { type: anything, thinking: string, signature: string } }),
  tool_result: shape({
    required: { type: anything, tool_use_id: toolUseId },
    optional: {
      ...cacheable,
      content: stringOr(arrayOf(tagged({ text, image, search_result: searchResult, document }))),
      is_error: boolean,
    },
  }),
  tool_use: shape({
    required: { type: anything, id: toolUseId, name: matching(/^[a-zA-Z0-9_-]{1,200}$/), input: dictionary },
    optional: { ...cacheable, caller: dictionary, toolset_name: nullable(string) },
  }),
  web_search_tool_result: dictionary,
};

const inputSchema: Check = (value, path) => {
  dictionary(value, path);
  if (!isObject(value)) return;
  if (value.type === undefined) throw invalid(`${path}.type`, 'Field required');
  if (value.type !== 'object') throw invalid(`${path}.type`, "Input should be 'object'");
  if (value.properties !== undefined && value.properties !== null) dictionary(value.properties, `${path}.properties`);
  for (const keyword of ['oneOf', 'anyOf', 'allOf'])
    if (value[keyword] !== undefined)
      throw invalid(path, 'input_schema does not support oneOf, allOf, or anyOf at the top level');
};

const customTool = shape({
  required: { name: matching(/^[a-zA-Z0-9_-]{1,128}$/), input_schema: inputSchema },
  optional: {
    ...cacheable,
    type: nullable(oneOf('custom')),
    description: string,
    strict: boolean,
    defer_loading: boolean,
    allowed_callers: arrayOf(string),
    eager_input_streaming: nullable(boolean),
    input_examples: arrayOf(dictionary),
  },
});

/** Tools that Anthropic provides have a dated type, such as `web_search_20250305`; they are accepted and not called. */
const tool: Check = (value, path) => {
  const type = isObject(value) ? (value.type ?? 'custom') : 'custom';
  if (typeof type === 'string' && /^[a-z_]+_\d{8}$/.test(type)) return;
  customTool(value, `${path}.custom`);
};

const parallel = { disable_parallel_tool_use: boolean };
const display = { display: nullable(oneOf('summarized', 'omitted')) };

const systemPrompt = stringOr(arrayOf(text));

/** The fields of `POST /v1/messages` that matter to the count of tokens. */
const counted: Required<Fields> = {
  required: {
    model: string,
    messages: arrayOf(shape({ required: { role: string, content: stringOr(arrayOf(tagged(blocks))) } })),
  },
  optional: {
    cache_control: cacheControl,
    system: systemPrompt,
    thinking: tagged({
      enabled: shape({ required: { type: anything, budget_tokens: integer(1024) }, optional: display }),
      disabled: shape({ required: { type: anything } }),
      adaptive: shape({ required: { type: anything }, optional: display }),
      between_tools: shape({ required: { type: anything } }),
    }),
    tool_choice: tagged({
      auto: shape({ required: { type: anything }, optional: parallel }),
      any: shape({ required: { type: anything }, optional: parallel }),
      tool: shape({ required: { type: anything, name: string }, optional: parallel }),
      none: shape({ required: { type: anything } }),
    }),
    tools: arrayOf(tool),
    output_config: shape({
      optional: {
        effort: nullable(oneOf('low', 'medium', 'high', 'xhigh', 'max')),
        format: nullable(shape({ required: { type: oneOf('json_schema'), schema: dictionary } })),
      },
    }),
  },
};

/** The fields of `POST /v1/messages` (API reference: "Create a Message"). */
const created: Required<Fields> = {
  required: { ...counted.required, max_tokens: integer(0) },
  optional: {
    ...counted.optional,
    container: nullable(stringOr(dictionary)),
    diagnostics: nullable(dictionary),
    inference_geo: nullable(string),
    metadata: shape({ optional: { user_id: nullable(string) } }),
    service_tier: oneOf('auto', 'standard_only'),
    speed: nullable(oneOf('standard', 'fast')),
    stop_sequences: arrayOf(string),
    stream: boolean,
    temperature: number(0, 1),
    top_k: integer(0),
    top_p: number(0, 1),
  },
};

/** Since version 2026-10-21 there is no sampling (docs: "Versions"). */
const { temperature: _t, top_k: _k, top_p: _p, ...unsampled } = created.optional;

/** On Vertex the path names the model and the body the version. */
const { model: _model, ...unnamed } = created.required;

export const requestFields = {
  '2023-06-01': created,
  '2026-10-21': { ...created, optional: unsampled },
  count_tokens: counted,
  vertex: {
    required: { ...unnamed, anthropic_version: oneOf('vertex-2023-10-16') },
    optional: { ...created.optional, anthropic_beta: arrayOf(string) },
  },
} as const satisfies Record<string, Fields>;
