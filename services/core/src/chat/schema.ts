import { z } from 'zod';
import { list } from './checked-list.ts';
import { gatewayOptions, names, openRouterRouting } from './gateway-options.ts';

/**
 * The chat request as clients send it (WIRE 2.2, the OpenAI API reference). Objects are loose: unknown fields pass
 * through to providers that speak OpenAI. Only what the gateway itself relies on is checked; the rest is the provider's
 * to judge.
 */

const text = z.string();

const textPart = z.looseObject({ type: z.literal('text'), text });
const refusalPart = z.looseObject({ type: z.literal('refusal'), refusal: text });
const imagePart = z.looseObject({
  type: z.literal('image_url'),
  image_url: z.looseObject({ url: text.min(1), detail: z.string().optional() }),
});
const audioPart = z.looseObject({
  type: z.literal('input_audio'),
  input_audio: z.looseObject({ data: text.min(1), format: text }),
});
const filePart = z.looseObject({
  type: z.literal('file'),
  file: z
    .looseObject({
      file_data: text.min(1).optional(),
      file_id: text.min(1).optional(),
      data: text.min(1).optional(),
      media_type: text.min(1).optional(),
      filename: text.optional(),
    })
    .refine((file) => file.file_data ?? file.file_id ?? file.data, {
      error: 'expected one of file_data, file_id or data',
    }),
});

const userContent = z.union([text, list(z.discriminatedUnion('type', [textPart, imagePart, audioPart, filePart]), 1)]);
const plainContent = z.union([text, list(textPart, 1)]);
const assistantContent = z.union([text, list(z.discriminatedUnion('type', [textPart, refusalPart])), z.null()]);

const toolCall = z.discriminatedUnion('type', [
  z.looseObject({
    id: text,
    type: z.literal('function'),
    function: z.looseObject({ name: text.min(1), arguments: text }),
  }),
  z.looseObject({ id: text, type: z.literal('custom'), custom: z.looseObject({ name: text.min(1), input: text }) }),
]);

const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.literal('system'), content: plainContent }),
  z.looseObject({ role: z.literal('developer'), content: plainContent }),
  z.looseObject({ role: z.literal('user'), content: userContent }),
  z.looseObject({
    role: z.literal('assistant'),
    content: assistantContent.optional(),
    tool_calls: list(toolCall).nullish(),
  }),
  z.looseObject({ role: z.literal('tool'), content: plainContent, tool_call_id: text }),
  z.looseObject({ role: z.literal('function'), content: z.union([text, z.null()]), name: text }),
]);

const tool = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('function'),
    function: z.looseObject({
      name: text.min(1),
      description: text.nullish(),
      parameters: z.looseObject({}).nullish(),
      strict: z.boolean().nullish(),
    }),
  }),
  z.looseObject({ type: z.literal('custom'), custom: z.looseObject({ name: text.min(1) }) }),
]);

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.looseObject({ type: z.enum(['function', 'custom', 'allowed_tools']) }),
]);

const responseFormat = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({
    type: z.literal('json_schema'),
    json_schema: z.looseObject({ name: text.min(1), schema: z.looseObject({}).optional() }),
  }),
  z.looseObject({ type: z.literal('json') }),
]);

const finite = z.number();

export const chatRequestSchema = z.looseObject({
  model: text.min(1),
  messages: list(message, 1),
  models: names.optional(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  temperature: finite.min(0).max(2).nullish(),
  top_p: finite.min(0).max(1).nullish(),
  n: z.int().min(1).max(128).nullish(),
  stop: z.union([text, list(text)]).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  frequency_penalty: finite.min(-2).max(2).nullish(),
  presence_penalty: finite.min(-2).max(2).nullish(),
  logit_bias: z
    .looseObject({})
    .refine((bias) => Object.values(bias).every(Number.isFinite), { error: 'expected numbers by token id' })
    .nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).nullish(),
  seed: z.int().nullish(),
  user: text.nullish(),
  tools: list(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: responseFormat.nullish(),
  reasoning_effort: text.nullish(),
  providerOptions: z.looseObject({ gateway: gatewayOptions.optional() }).nullish(),
  provider: openRouterRouting.nullish(),
});

export type ChatBody = z.infer<typeof chatRequestSchema>;
export type ChatMessage = ChatBody['messages'][number];
