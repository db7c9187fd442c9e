import type { OutputFormat, Tool } from '@aws-sdk/client-bedrock-runtime';
import type { Controls } from '../../chat/index.ts';
import { ANSWER_TOOL, closed, JSON_INSTRUCTION } from '../anthropic/structured-output.ts';
import type { Fields } from '../translation/index.ts';
import { forcingOf, hasNativeSchemas } from './models.ts';

export interface StructuredOutput {
  readonly format: OutputFormat | undefined;
  readonly tool: Tool | null;
  readonly instruction: string | null;
}

const NOTHING: StructuredOutput = { format: undefined, tool: null, instruction: null };

type Document = Exclude<NonNullable<NonNullable<Tool['toolSpec']>['inputSchema']>['json'], undefined>;

/** `response_format`: natively where the model has it, else by a forced tool, else by an instruction. */
export function structuredOutput(controls: Controls, model: string, fields: Fields): StructuredOutput {
  fields.take('response_format');
  const { responseFormat } = controls;
  if (responseFormat === null) return NOTHING;
  if (responseFormat.type === 'json_object') return { ...NOTHING, instruction: JSON_INSTRUCTION };
  const { schema, name, description } = responseFormat;
  if (hasNativeSchemas(model)) {
    const text = JSON.stringify(closed(schema, 'response_format.json_schema.schema', fields));
    const jsonSchema = { schema: text, name, ...(description ? { description } : {}) };
    return { ...NOTHING, format: { type: 'json_schema', structure: { jsonSchema } } };
  }
  if (forcingOf(model) === 'none') {
    fields.warn('response_format', 'the model cannot be held to a schema, it is told of it');
    return { ...NOTHING, instruction: `${JSON_INSTRUCTION} It must match this JSON Schema: ${JSON.stringify(schema)}` };
  }
  const json = { ...schema, type: 'object' } as Document;
  const toolSpec = {
    name: ANSWER_TOOL,
    description: description || `Give the answer (${name}) by calling this tool.`,
    inputSchema: { json },
  };
  return { ...NOTHING, tool: { toolSpec } };
}
