import {
  isNull,
  isRecord,
  merge,
  type Raw,
  resolvePointer,
  SILENT,
  setOwn,
  typeOfValues,
  typesOf,
  withoutAnnotations,
} from './raw-schema.ts';

/**
 * A JSON Schema reduced to what both of Gemini's schema languages can be made of: no references, no `allOf`, one type, `null`
 * as a mark. What that leaves out is in `dropped`, by path.
 */
export interface SchemaNode {
  readonly path: string;
  /** Absent: any value, or one of `anyOf`. */
  type?: SchemaType;
  nullable: boolean;
  title?: string;
  description?: string;
  default?: unknown;
  format?: string;
  pattern?: string;
  enum?: (string | number)[];
  /** `minimum`, `maxItems`, ...: keywords whose values are numbers. */
  bounds: Record<string, number>;
  properties?: Record<string, SchemaNode>;
  required?: string[];
  additionalProperties?: boolean | SchemaNode;
  items?: SchemaNode;
  prefixItems?: SchemaNode[];
  anyOf?: SchemaNode[];
}

export type SchemaType = 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'object';

const TYPES: readonly string[] = ['string', 'number', 'integer', 'boolean', 'array', 'object'];
const BOUNDS = [
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
];
/** Read by name below. */
const READ = new Set([
  ...BOUNDS,
  ...['type', 'nullable', 'title', 'description', 'default', 'format', 'pattern', 'enum', 'const', 'properties'],
  ...[
    'required',
    'additionalProperties',
    'items',
    'prefixItems',
    'anyOf',
    'oneOf',
    'exclusiveMinimum',
    'exclusiveMaximum',
  ],
]);

/** How often one reference may be followed inside itself: Gemini itself unrolls recursion to a limited degree. */
const UNROLL = 2;
/** References that fan out could otherwise grow a small schema without end. */
const MOST_NODES = 4_000;

/** The schema as a node, and what of it was dropped. Recursive references are unrolled, then cut. */
export function readSchema(schema: Raw, path: string): { node: SchemaNode; dropped: readonly string[] } {
  const reader = new Reader(schema);
  const node = reader.read(schema, path, []);
  return { node, dropped: [...reader.dropped] };
}

class Reader {
  readonly dropped = new Set<string>();
  readonly #root: Raw;
  #nodes = 0;

  constructor(root: Raw) {
    this.#root = root;
  }

  read(schema: unknown, path: string, outer: readonly string[]): SchemaNode {
    const node: SchemaNode = { path, nullable: false, bounds: {} };
    if (schema === true) return node;
    if (!isRecord(schema)) {
      this.#drop(path, 'is no schema that the provider takes, any value is allowed');
      return node;
    }
    if (++this.#nodes > MOST_NODES) {
      this.#drop(path, 'the schema is too large, cut here');
      return { ...node, type: 'object' };
    }
    const { flat, refs } = this.#flatten(schema, path, outer);
    for (const keyword of Object.keys(flat)) {
      if (!READ.has(keyword) && !SILENT.has(keyword)) this.#drop(`${path}.${keyword}`);
    }
    copyTexts(flat, node);
    const union = this.#union(flat, path);
    if (union !== null) return this.#readUnion(node, union, flat, refs);
    const types = typesOf(flat);
    node.nullable = types.includes('null') || flat.nullable === true;
    const [type, ...more] = types.filter((name) => name !== 'null');
    if (more.length > 0) {
      const bare = withoutAnnotations(flat);
      return this.#readUnion(
        node,
        types.map((name) => ({ ...bare, type: name })),
        {},
        refs,
      );
    }
    if (type !== undefined && TYPES.includes(type)) node.type = type as SchemaType;
    else if (type !== undefined) this.#drop(`${path}.type`);
    this.#readEnum(flat, node);
    this.#readBounds(flat, node);
    this.#readObject(flat, node, refs);
    this.#readArray(flat, node, refs);
    return node;
  }

  #drop(path: string, why = 'not taken by the provider, dropped'): void {
    this.dropped.add(`${path}: ${why}`);
  }

  /** Follows `$ref` and merges `allOf`: what is left has neither. */
  #flatten(schema: Raw, path: string, refs: readonly string[]): { flat: Raw; refs: readonly string[] } {
    const { $ref: ref, allOf, ...rest } = schema;
    if (ref === undefined && allOf === undefined) return { flat: schema, refs };
    let flat: Raw = {};
    let followed = refs;
    const take = (part: unknown): void => {
      if (!isRecord(part)) return;
      const inner = this.#flatten(part, path, followed);
      flat = merge(flat, inner.flat);
      followed = inner.refs;
    };
    if (typeof ref === 'string') {
      const target = resolvePointer(this.#root, ref);
      if (target === undefined) this.#drop(`${path}.$ref`, `${ref} is not in the schema, dropped`);
      else if (refs.filter((name) => name === ref).length >= UNROLL) {
        this.#drop(path, `the recursion into ${ref} is cut off here`);
        flat = { type: isRecord(target) ? (target.type ?? 'object') : 'object' };
      } else {
        followed = [...refs, ref];
        take(target);
      }
    }
    if (Array.isArray(allOf)) for (const part of allOf) take(part);
    return { flat: merge(flat, rest), refs: followed };
  }

  #union(flat: Raw, path: string): readonly unknown[] | null {
    const anyOf = Array.isArray(flat.anyOf) && flat.anyOf.length > 0 ? flat.anyOf : null;
    const oneOf = Array.isArray(flat.oneOf) && flat.oneOf.length > 0 ? flat.oneOf : null;
    if (anyOf !== null && oneOf !== null) this.#drop(`${path}.oneOf`);
    // Both languages read `oneOf` as `anyOf`, where they have it at all.
    return anyOf ?? oneOf;
  }

  /** What stands beside a union holds for each of its members, so it is told to each: Gemini wants `anyOf` to stand alone. */
  #readUnion(node: SchemaNode, members: readonly unknown[], flat: Raw, refs: readonly string[]): SchemaNode {
    const { anyOf: _, oneOf: __, nullable, ...beside } = withoutAnnotations(flat);
    if (nullable === true || typesOf(flat).includes('null')) node.nullable = true;
    const nodes: SchemaNode[] = [];
    members.forEach((member, i) => {
      if (isRecord(member) && isNull(member)) {
        node.nullable = true;
        return;
      }
      const whole = isRecord(member) ? this.#beside(beside, member, node.path, refs) : { schema: member, refs };
      const read = this.read(whole.schema, `${node.path}.anyOf.${i}`, whole.refs);
      if (read.nullable) node.nullable = true;
      nodes.push({ ...read, nullable: false });
    });
    const [only] = nodes;
    if (nodes.length === 1 && only !== undefined) {
      const { title = only.title, description = only.description } = node;
      return {
        ...only,
        nullable: node.nullable,
        ...(title === undefined ? {} : { title }),
        ...(description === undefined ? {} : { description }),
        ...(node.default === undefined ? {} : { default: node.default }),
      };
    }
    if (nodes.length > 0) node.anyOf = nodes;
    return node;
  }

  #beside(beside: Raw, member: Raw, path: string, refs: readonly string[]): { schema: Raw; refs: readonly string[] } {
    if (Object.keys(beside).length === 0) return { schema: member, refs };
    const inner = this.#flatten(member, path, refs);
    return { schema: merge(beside, inner.flat), refs: inner.refs };
  }

  #readEnum(flat: Raw, node: SchemaNode): void {
    const given = Object.hasOwn(flat, 'const') ? [flat.const] : flat.enum;
    if (!Array.isArray(given)) return;
    if (given.includes(null)) node.nullable = true;
    const values = given.filter((value) => value !== null);
    // Only words and numbers can be listed, and no empty word.
    const usable = values.filter((value) => (typeof value === 'string' && value !== '') || typeof value === 'number');
    const everyBoolean = values.includes(true) && values.includes(false);
    if (usable.length < values.length && !everyBoolean)
      this.#drop(`${node.path}.enum`, 'values dropped that the provider does not take');
    if (usable.length > 0) node.enum = usable;
    node.type ??= typeOfValues(values);
  }

  #readBounds(flat: Raw, node: SchemaNode): void {
    for (const name of BOUNDS) {
      const value = flat[name];
      if (typeof value === 'number') node.bounds[name] = value;
    }
    this.#readExclusive(flat, node, 'exclusiveMinimum', 'minimum', 1);
    this.#readExclusive(flat, node, 'exclusiveMaximum', 'maximum', -1);
  }

  /** A number (JSON Schema since draft 6), or `true` beside the inclusive bound (draft 4). */
  #readExclusive(flat: Raw, node: SchemaNode, keyword: string, inclusive: string, step: 1 | -1): void {
    const value = flat[keyword] === true ? node.bounds[inclusive] : flat[keyword];
    if (typeof value !== 'number') return;
    const isWhole = node.type === 'integer';
    const next = step > 0 ? Math.floor(value) + 1 : Math.ceil(value) - 1;
    const bound = isWhole ? next : value;
    if (!isWhole) this.#drop(`${node.path}.${keyword}`, `sent as ${inclusive}, which allows ${value} itself`);
    const known = node.bounds[inclusive];
    node.bounds[inclusive] = known === undefined ? bound : step > 0 ? Math.max(known, bound) : Math.min(known, bound);
  }

  #readObject(flat: Raw, node: SchemaNode, refs: readonly string[]): void {
    const { properties, required, additionalProperties: more } = flat;
    if (node.type === undefined && isRecord(properties)) node.type = 'object';
    if (node.type !== 'object') return;
    node.properties = {};
    for (const [name, property] of Object.entries(isRecord(properties) ? properties : {})) {
      const path = `${node.path}.properties.${name}`;
      if (property === false) this.#drop(path);
      else setOwn(node.properties, name, this.read(property, path, refs));
    }
    if (Array.isArray(required)) {
      const known = required.filter((name) => typeof name === 'string' && Object.hasOwn(node.properties ?? {}, name));
      if (known.length < required.length) this.#drop(`${node.path}.required`, 'names dropped that are no properties');
      if (known.length > 0) node.required = known;
    }
    if (typeof more === 'boolean') node.additionalProperties = more;
    else if (isRecord(more)) {
      const isAny = Object.keys(more).length === 0;
      node.additionalProperties = isAny || this.read(more, `${node.path}.additionalProperties`, refs);
    }
  }

  #readArray(flat: Raw, node: SchemaNode, refs: readonly string[]): void {
    const { items, prefixItems } = flat;
    if (node.type === undefined && (items !== undefined || prefixItems !== undefined)) node.type = 'array';
    if (node.type !== 'array') return;
    const tuple = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : null;
    if (tuple) node.prefixItems = tuple.map((item, i) => this.read(item, `${node.path}.prefixItems.${i}`, refs));
    if (items === false) node.bounds.maxItems ??= tuple?.length ?? 0;
    else if (items !== undefined && !Array.isArray(items)) node.items = this.read(items, `${node.path}.items`, refs);
  }
}

function copyTexts(flat: Raw, node: SchemaNode): void {
  for (const name of ['title', 'description', 'format', 'pattern'] as const) {
    const value = flat[name];
    if (typeof value === 'string') node[name] = value;
  }
  if (flat.default !== undefined && flat.default !== null) node.default = flat.default;
}
