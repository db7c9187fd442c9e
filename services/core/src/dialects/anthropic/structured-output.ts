import type { JSONOutputFormat, Tool } from '@anthropic-ai/sdk/resources/messages';
import type { Controls } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';

/** The tool that carries a structured answer of models without native structured output; its input is the answer's text. */
export const ANSWER_TOOL = 'headgate_json_answer';

export const JSON_INSTRUCTION = 'Answer with one JSON object and nothing else: no explanation, no code fence.';

export interface StructuredOutput {
  readonly format: JSONOutputFormat | null;
  readonly tool: Tool | null;
  readonly instruction: string | null;
}

const NOTHING: StructuredOutput = { format: null, tool: null, instruction: null };

/** `response_format`: natively where the model has it, else by a forced tool, and plain JSON by an instruction. */
export function structuredOutput(controls: Controls, model: string, fields: Fields): StructuredOutput {
  fields.take('response_format');
  const { responseFormat } = controls;
  if (responseFormat === null) return NOTHING;
  if (responseFormat.type === 'json_object') return { ...NOTHING, instruction: JSON_INSTRUCTION };
  const { schema, name, description } = responseFormat;
  if (hasNativeOutput(model)) {
    // The API has no place for name and description; JSON Schema has.
    const titled = { title: name, ...(description === null ? {} : { description }), ...schema };
    return {
      ...NOTHING,
      format: { type: 'json_schema', schema: closed(titled, 'response_format.json_schema.schema', fields) },
    };
  }
  return {
    ...NOTHING,
    tool: {
      name: ANSWER_TOOL,
      description: description ?? `Give the answer (${name}) by calling this tool.`,
      input_schema: { ...schema, type: 'object' },
    },
  };
}

/** Structured outputs came with Sonnet 4.5 and Opus 4.1. */
const hasNativeOutput = (model: string): boolean =>
  /claude-(?:[a-z]+)-(?:4-[5-9]|[5-9])(?:\b|-|@)|claude-opus-4-1/.test(model);

/** Constraints that the API's schema subset lacks. */
const UNSUPPORTED = new Set([
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'maxItems',
  'minItems',
  'uniqueItems',
]);

/** A copy in which every object is closed, as the API demands, and constraints that it refuses are left out. */
export function closed(
  schema: Readonly<Record<string, unknown>>,
  path: string,
  fields: Fields,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (UNSUPPORTED.has(key) && typeof value !== 'object')
      fields.warn(`${path}.${key}`, 'not taken by the provider, dropped');
    else copy[key] = closedValue(value, `${path}.${key}`, fields);
  }
  if (isObjectType(copy.type) && copy.additionalProperties !== false) {
    if (copy.additionalProperties !== undefined) {
      fields.warn(`${path}.additionalProperties`, 'the provider takes closed objects only, dropped');
    }
    copy.additionalProperties = false;
  }
  return copy;
}

const isObjectType = (type: unknown): boolean => type === 'object' || (Array.isArray(type) && type.includes('object'));

function closedValue(value: unknown, path: string, fields: Fields): unknown {
  if (Array.isArray(value)) return value.map((item, i) => closedValue(item, `${path}.${i}`, fields));
  if (typeof value === 'object' && value !== null) return closed(value as Record<string, unknown>, path, fields);
  return value;
}
