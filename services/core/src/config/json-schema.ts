import { z } from 'zod';
import { configSchema } from './schema.ts';

const REFERENCE = { type: 'string', pattern: '\\$\\{' };

/**
 * The schema for editors, as JSON Schema draft-07. Numbers, flags and choices may also be `${NAME}`: the file is checked
 * after variables are replaced, an editor sees it before.
 */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      if (!('type' in jsonSchema) && !('enum' in jsonSchema)) return;
      const takesReference =
        jsonSchema.type === 'integer' ||
        jsonSchema.type === 'number' ||
        jsonSchema.type === 'boolean' ||
        jsonSchema.enum !== undefined ||
        jsonSchema.pattern !== undefined;
      if (!takesReference) return;
      const { description, default: standard, ...rules } = jsonSchema;
      for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
      if (description !== undefined) jsonSchema.description = description;
      if (standard !== undefined) jsonSchema.default = standard;
      jsonSchema.anyOf = [rules, REFERENCE] as NonNullable<typeof jsonSchema.anyOf>;
    },
  });
  return { title: 'Headgate configuration (headgate.yaml)', ...schema };
}

/** The text of the checked-in schema file. */
export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}
