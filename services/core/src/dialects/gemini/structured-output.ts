import type { GenerationConfig } from '@google/genai';
import type { Controls, ResponseFormat } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';
import { isThirdGeneration, type ModelTraits } from './model.ts';
import { encodeJsonSchema } from './schema.ts';

export interface StructuredOutput {
  readonly config: Pick<GenerationConfig, 'responseMimeType' | 'responseJsonSchema'>;
  /** For the system instruction, where the model has no other way. */
  readonly instruction: string | null;
}

/** `response_format`. Up to Gemini 2.5 the API refuses it beside tools, so that there the model is asked in words. */
export function structuredOutput(controls: Controls, model: ModelTraits, fields: Fields): StructuredOutput {
  fields.take('response_format');
  const { responseFormat, tools, toolChoice } = controls;
  if (responseFormat === null) return { config: {}, instruction: null };
  if (tools.length > 0 && toolChoice?.type !== 'none' && !isThirdGeneration(model)) {
    fields.warn('response_format', 'the model does not take it beside tools, asked for in the system instruction');
    return { config: {}, instruction: inWords(responseFormat) };
  }
  const responseMimeType = 'application/json';
  if (responseFormat.type === 'json_object') return { config: { responseMimeType }, instruction: null };
  const { schema, dropped } = encodeJsonSchema(responseFormat.schema, 'response_format.json_schema.schema');
  fields.warnings.push(...dropped);
  const description = schema.description ?? responseFormat.description;
  const responseJsonSchema = {
    title: responseFormat.name,
    ...schema,
    ...(typeof description === 'string' ? { description } : {}),
  };
  return { config: { responseMimeType, responseJsonSchema }, instruction: null };
}

function inWords(format: ResponseFormat): string {
  const plain = 'When you answer and do not call a tool, answer with one JSON object and nothing else: no code fence.';
  return format.type === 'json_object'
    ? plain
    : `${plain} It must fit this JSON Schema: ${JSON.stringify(format.schema)}`;
}
