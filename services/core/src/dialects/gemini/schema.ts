import type { Schema } from '@google/genai';
import { readSchema, type SchemaNode, type SchemaType } from './schema-node.ts';

/** `Schema` of the API (https://ai.google.dev/api/caching#Schema), its numbers and enumerated names as they travel. */
export interface GeminiSchema
  extends Pick<Schema, 'description' | 'nullable' | 'title' | 'format' | 'pattern' | 'default'> {
  type?: Uppercase<SchemaType>;
  enum?: string[];
  properties?: Record<string, GeminiSchema>;
  required?: string[];
  items?: GeminiSchema;
  anyOf?: GeminiSchema[];
  [bound: string]: unknown;
}

export type Parameters =
  | { readonly parameters?: GeminiSchema }
  | { readonly parametersJsonSchema: Record<string, unknown> };

interface Encoded<T> {
  readonly schema: T;
  readonly dropped: readonly string[];
}

/**
 * A tool's parameters. Gemini reads them in two languages: `parameters`, its own subset of OpenAPI 3.0, which every model and
 * version of the API takes and whose unknown keywords are refused; and the newer `parametersJsonSchema`, a subset of JSON Schema.
 * The first is used for whatever it can say; the second where the first would change what the arguments mean: maps
 * (`additionalProperties`), tuples, lists of numbers to choose from, values of any type. An object without properties is left out,
 * as the API asks.
 */
export function encodeParameters(schema: Readonly<Record<string, unknown>>, path: string): Encoded<Parameters> {
  const { node, dropped } = readSchema({ type: 'object', ...schema }, path);
  node.nullable = false;
  if (isEmptyObject(node)) return { schema: {}, dropped };
  const own = new OwnLanguage();
  const parameters = node.anyOf ? null : own.encode(node);
  if (parameters !== null) return { schema: { parameters }, dropped: [...dropped, ...own.dropped] };
  const json = new JsonSchema();
  // The root has to be an object, also where its forms are listed.
  const parametersJsonSchema = { type: 'object', ...json.encode(node) };
  return { schema: { parametersJsonSchema }, dropped: [...dropped, ...json.dropped] };
}

/** A schema for `responseJsonSchema`, the language that the API's guide to structured output uses. */
export function encodeJsonSchema(
  schema: Readonly<Record<string, unknown>>,
  path: string,
): Encoded<Record<string, unknown>> {
  const { node, dropped } = readSchema(schema, path);
  const json = new JsonSchema();
  return { schema: json.encode(node), dropped: [...dropped, ...json.dropped] };
}

const isEmptyObject = ({ type, properties, additionalProperties }: SchemaNode): boolean =>
  type === 'object' && Object.keys(properties ?? {}).length === 0 && !additionalProperties;

/** Formats that the API takes; of others it says "only 'enum' and 'date-time' are supported for STRING type". */
const OWN_FORMATS: Readonly<Partial<Record<SchemaType, readonly string[]>>> = {
  string: ['date-time', 'enum'],
  number: ['float', 'double'],
  integer: ['int32', 'int64'],
};

/** Writes `Schema`; null for what it cannot say. */
class OwnLanguage {
  readonly dropped: string[] = [];

  encode(node: SchemaNode): GeminiSchema | null {
    if (node.anyOf) return this.#union(node, node.anyOf);
    if (node.type === undefined || node.additionalProperties || node.prefixItems) return null;
    const words = node.enum?.filter((value) => typeof value === 'string');
    if (words && (node.type !== 'string' || words.length !== node.enum?.length)) return null;
    const schema: GeminiSchema = {
      type: node.type.toUpperCase() as Uppercase<SchemaType>,
      ...texts(node),
      ...node.bounds,
    };
    if (node.nullable) schema.nullable = true;
    if (words) schema.enum = words;
    if (node.pattern !== undefined) schema.pattern = node.pattern;
    if (node.default !== undefined) schema.default = node.default;
    if (node.format !== undefined) {
      if (OWN_FORMATS[node.type]?.includes(node.format)) schema.format = node.format;
      else this.dropped.push(`${node.path}.format: ${node.format} is not taken by the provider, dropped`);
    }
    if (node.type === 'array') {
      const items = node.items ? this.encode(node.items) : null;
      if (items === null) return null;
      schema.items = items;
    }
    return node.type === 'object' ? this.#object(node, schema) : schema;
  }

  #object(node: SchemaNode, schema: GeminiSchema): GeminiSchema | null {
    const properties = Object.entries(node.properties ?? {}).map(
      ([name, child]) => [name, this.encode(child)] as const,
    );
    // The API refuses an object without properties ("should be non-empty for OBJECT type").
    if (properties.length === 0 || properties.some(([, child]) => child === null)) return null;
    schema.properties = Object.fromEntries(properties) as Record<string, GeminiSchema>;
    if (node.required) schema.required = node.required;
    return schema;
  }

  /** Beside `anyOf` the API wants nothing else, so its members carry the rest. */
  #union({ description, nullable }: SchemaNode, members: readonly SchemaNode[]): GeminiSchema | null {
    const anyOf: GeminiSchema[] = [];
    for (const member of members) {
      const schema = this.encode(member);
      if (schema === null) return null;
      const inherited = schema.description ?? description;
      anyOf.push({
        ...schema,
        ...(inherited === undefined ? {} : { description: inherited }),
        ...(nullable ? { nullable } : {}),
      });
    }
    return { anyOf };
  }
}

/** Keywords of JSON Schema that `responseJsonSchema` lacks (its description in the API reference lists what it has). */
const JSON_BOUNDS = ['minimum', 'maximum', 'minItems', 'maxItems'];
const JSON_FORMATS = ['date-time', 'date', 'time'];

class JsonSchema {
  readonly dropped: string[] = [];

  encode(node: SchemaNode): Record<string, unknown> {
    const schema: Record<string, unknown> = { ...texts(node) };
    if (node.anyOf) {
      const members = node.anyOf.map((member) => this.encode(member));
      schema.anyOf = node.nullable ? [...members, { type: 'null' }] : members;
      return schema;
    }
    if (node.type !== undefined) schema.type = node.type;
    if (node.enum) schema.enum = node.enum;
    if (node.items) schema.items = this.encode(node.items);
    if (node.prefixItems) schema.prefixItems = node.prefixItems.map((item) => this.encode(item));
    this.#object(node, schema);
    this.#constraints(node, schema);
    if (!node.nullable) return schema;
    if (node.type !== undefined && !node.enum) return { ...schema, type: [node.type, 'null'] };
    if (Object.keys(schema).length === 0) return schema;
    const { title, description, ...rest } = schema;
    return { ...texts(node), anyOf: [rest, { type: 'null' }] };
  }

  #object(node: SchemaNode, schema: Record<string, unknown>): void {
    const { properties, required, additionalProperties: more } = node;
    if (properties && Object.keys(properties).length > 0) {
      schema.properties = Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [name, this.encode(child)]),
      );
    }
    if (required) schema.required = required;
    if (more !== undefined) schema.additionalProperties = typeof more === 'boolean' ? more : this.encode(more);
  }

  #constraints(node: SchemaNode, schema: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(node.bounds)) {
      if (JSON_BOUNDS.includes(name)) schema[name] = value;
      else this.#drop(node, name);
    }
    if (node.format !== undefined && JSON_FORMATS.includes(node.format)) schema.format = node.format;
    else if (node.format !== undefined) this.#drop(node, 'format');
    if (node.pattern !== undefined) this.#drop(node, 'pattern');
    if (node.default !== undefined) this.#drop(node, 'default');
  }

  #drop({ path }: SchemaNode, keyword: string): void {
    this.dropped.push(`${path}.${keyword}: not taken by the provider, dropped`);
  }
}

const texts = ({ title, description }: SchemaNode): { title?: string; description?: string } => ({
  ...(title === undefined ? {} : { title }),
  ...(description === undefined ? {} : { description }),
});
