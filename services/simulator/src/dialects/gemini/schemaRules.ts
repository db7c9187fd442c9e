import type { Schema } from '@google/genai';

/** What the service demands of a schema beyond its fields; adds a line for each problem. */
export function checkSchema(schema: Schema, path: string, problems: string[]): void {
  const { type, properties, items, anyOf, enum: values, format, required = [] } = schema;
  if (type === undefined && anyOf === undefined && properties === undefined)
    problems.push(`${path}.type: must be specified when not using one_of, any_of or all_of fields`);
  if (type !== 'OBJECT' && anyOf === undefined) {
    if (properties !== undefined) problems.push(`${path}.properties: only allowed for OBJECT type`);
    if (required.length > 0) problems.push(`${path}.required: only allowed for OBJECT type`);
  }
  if (type === 'OBJECT' && properties !== undefined && Object.keys(properties).length === 0)
    problems.push(`${path}.properties: should be non-empty for OBJECT type`);
  if (type === 'ARRAY' && items === undefined) problems.push(`${path}.items: missing field.`);
  if (items !== undefined && type !== 'ARRAY') problems.push(`${path}.items: only allowed for ARRAY type`);
  if (values !== undefined && type !== 'STRING') problems.push(`${path}.enum: only allowed for STRING type`);
  values?.forEach((value, index) => {
    if (value === '') problems.push(`${path}.enum[${index}]: cannot be empty`);
  });
  if (format !== undefined && type === 'STRING' && format !== 'enum' && format !== 'date-time')
    problems.push(`${path}.format: only 'enum' and 'date-time' are supported for STRING type`);
  if (type === 'OBJECT')
    required.forEach((name, index) => {
      if (properties?.[name] === undefined) problems.push(`${path}.required[${index}]: property is not defined`);
    });
  for (const [name, child] of Object.entries(properties ?? {}))
    checkSchema(child, `${path}.properties[${name}]`, problems);
  if (items !== undefined) checkSchema(items, `${path}.items`, problems);
  anyOf?.forEach((child, index) => {
    checkSchema(child, `${path}.any_of[${index}]`, problems);
  });
}

/** The same as JSON Schema. */
export function jsonSchemaOf(schema: Schema): Record<string, unknown> {
  const { type, nullable, properties, items, anyOf, propertyOrdering: _ordering, example: _example, ...rest } = schema;
  const name = type?.toLowerCase();
  return {
    ...rest,
    ...(name === undefined ? {} : { type: nullable ? [name, 'null'] : name }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([key, child]) => [key, jsonSchemaOf(child)])),
        }),
    ...(items === undefined ? {} : { items: jsonSchemaOf(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(jsonSchemaOf) }),
  };
}
