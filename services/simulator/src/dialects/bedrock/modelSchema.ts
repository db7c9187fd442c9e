import { type ServiceException, validation } from './errors.ts';
import { isObject, type JsonObject } from './shape.ts';

/** What one member of a model's own body may be: the part of JSON Schema that the embedding models need. */
export interface MemberSchema {
  readonly type: 'String' | 'Integer' | 'Boolean' | 'JSONArray';
  readonly enum?: readonly (string | number)[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly items?: MemberSchema;
}

export interface BodySchema {
  readonly required: readonly string[];
  readonly members: Readonly<Record<string, MemberSchema>>;
}

/** Checks an InvokeModel body; throws Bedrock's ValidationException that lists all that is wrong with it. */
export function checkModelBody(body: unknown, { required, members }: BodySchema, lenient: boolean): JsonObject {
  if (!isObject(body)) throw malformed([`#: expected type: JSONObject, found: ${typeNameOf(body)}`]);
  const problems = [
    ...required.filter((name) => body[name] === undefined).map((name) => `#: required key [${name}] not found`),
    ...Object.keys(body)
      .filter((name) => !lenient && !Object.hasOwn(members, name))
      .map((name) => `#: extraneous key [${name}] is not permitted`),
    ...Object.entries(members).flatMap(([name, schema]) =>
      body[name] === undefined ? [] : problemsOf(body[name], schema, `#/${name}`),
    ),
  ];
  if (problems.length > 0) throw malformed(problems);
  return body;
}

export function malformed(problems: readonly string[]): ServiceException {
  return validation(`Malformed input request: ${problems.join('')}, please reformat your input and try again.`);
}

function problemsOf(value: unknown, schema: MemberSchema, path: string): string[] {
  const found = typeNameOf(value);
  if (found !== schema.type) return [`${path}: expected type: ${schema.type}, found: ${found}`];
  if (schema.enum !== undefined && !schema.enum.some((allowed) => allowed === value))
    return [`${path}: ${String(value)} is not a valid enum value`];
  if (typeof value === 'string') return lengthProblems(value.length, schema, path);
  if (!Array.isArray(value)) return [];
  const { maxItems, items } = schema;
  if (maxItems !== undefined && value.length > maxItems)
    return [`${path}: expected maximum item count: ${maxItems}, found: ${value.length}`];
  return items === undefined ? [] : value.flatMap((item, index) => problemsOf(item, items, `${path}/${index}`));
}

function lengthProblems(length: number, { minLength = 0, maxLength }: MemberSchema, path: string): string[] {
  if (length < minLength) return [`${path}: expected minLength: ${minLength}, actual: ${length}`];
  return maxLength !== undefined && length > maxLength
    ? [`${path}: expected maxLength: ${maxLength}, actual: ${length}`]
    : [];
}

function typeNameOf(value: unknown): string {
  if (value === null) return 'Null';
  if (Array.isArray(value)) return 'JSONArray';
  if (typeof value === 'number') return Number.isInteger(value) ? 'Integer' : 'BigDecimal';
  if (typeof value === 'string') return 'String';
  return typeof value === 'boolean' ? 'Boolean' : 'JSONObject';
}
