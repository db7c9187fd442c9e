import { invalid } from './errors.ts';
import { isObject } from './shape.ts';

const unsupported: Readonly<Record<string, readonly string[]>> = {
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  string: ['minLength', 'maxLength'],
  array: ['maxItems', 'uniqueItems'],
};

/** The JSON Schema subset of structured outputs and strict tools (docs: "Structured outputs"). */
export function checkOutputSchema(schema: unknown, path: string): void {
  if (!isObject(schema)) return;
  const { type } = schema;
  if (type === 'object' && schema.additionalProperties !== false)
    throw invalid(path, "For 'object' type, 'additionalProperties' must be explicitly set to false");
  const refused = typeof type === 'string' ? unsupported[type]?.filter((name) => schema[name] !== undefined) : [];
  if (refused !== undefined && refused.length > 0)
    throw invalid(path, `For '${String(type)}' type, properties ${refused.join(', ')} are not supported`);
  for (const map of [schema.properties, schema.$defs, schema.definitions])
    if (isObject(map)) for (const [name, child] of Object.entries(map)) checkOutputSchema(child, `${path}.${name}`);
  checkOutputSchema(schema.items, `${path}.items`);
  for (const keyword of ['anyOf', 'allOf']) {
    const list = schema[keyword];
    if (Array.isArray(list)) for (const child of list) checkOutputSchema(child, path);
  }
}
