import { pick, randomFrom } from './random.ts';

type Schema = Readonly<Record<string, unknown>>;

export interface SampleOptions {
  readonly seed: number;
  /** Preferred values of string properties, by property name. */
  readonly named?: Readonly<Record<string, string>>;
}

/** Below this depth only what is required is filled in, so that recursive schemas end. */
const fullDepth = 4;
const maxDepth = 24;

const words = ['river', 'gate', 'mill', 'lantern', 'harbour', 'heron', 'bridge', 'ledger'];

const formats: Readonly<Record<string, string>> = {
  'date-time': '2025-08-05T12:00:00Z',
  date: '2025-08-05',
  time: '12:00:00Z',
  duration: 'P1D',
  email: 'miller@example.com',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/gate',
  uuid: '123e4567-e89b-42d3-a456-426614174000',
};

/** A value that conforms to a JSON Schema (the subset that OpenAI's structured outputs support, `pattern` excepted). */
export function sampleOf(schema: unknown, options: SampleOptions): unknown {
  const random = randomFrom(options.seed);
  const root = isSchema(schema) ? schema : {};
  return new Sampler(root, random, options.named ?? {}).value(root, 0, '');
}

class Sampler {
  readonly #root: Schema;
  readonly #random: () => number;
  readonly #named: Readonly<Record<string, string>>;

  constructor(root: Schema, random: () => number, named: Readonly<Record<string, string>>) {
    this.#root = root;
    this.#random = random;
    this.#named = named;
  }

  value(schema: Schema, depth: number, name: string): unknown {
    if (depth > maxDepth) return null;
    if (typeof schema.$ref === 'string') return this.value(this.#resolve(schema.$ref), depth + 1, name);
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum) && schema.enum.length > 0) return pick<unknown>(schema.enum, this.#random);
    const choices = schemas(schema.anyOf ?? schema.oneOf);
    if (choices.length > 0) return this.value(this.#choose(choices, depth), depth + 1, name);
    const all = schemas(schema.allOf);
    if (all.length > 0) return this.value(Object.assign({}, ...all.map((part) => this.#flat(part))), depth + 1, name);
    switch (this.#type(schema, depth)) {
      case 'object':
        return this.#object(schema, depth);
      case 'array':
        return this.#array(schema, depth, name);
      case 'integer':
        return this.#number(schema, 1);
      case 'number':
        return this.#number(schema, 0.5);
      case 'boolean':
        return this.#random() < 0.5;
      case 'null':
        return null;
      default:
        return this.#string(schema, name);
    }
  }

  #type(schema: Schema, depth: number): unknown {
    if (Array.isArray(schema.type)) return depth > fullDepth && schema.type.includes('null') ? 'null' : schema.type[0];
    if (schema.type !== undefined) return schema.type;
    if (schema.properties !== undefined) return 'object';
    return schema.items === undefined ? 'string' : 'array';
  }

  #object(schema: Schema, depth: number): Record<string, unknown> {
    const properties = Object.entries(isSchema(schema.properties) ? schema.properties : {});
    const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : [];
    const wanted = properties.filter(([name]) => depth < fullDepth || required.includes(name));
    const filled = wanted.map(([name, property]) => [name, this.value(asSchema(property), depth + 1, name)]);
    return Object.fromEntries(filled);
  }

  #array(schema: Schema, depth: number, name: string): unknown[] {
    const min = numberOr(schema.minItems, 0);
    const wanted = depth < fullDepth ? Math.max(min, 1 + Math.floor(this.#random() * 2)) : min;
    const length = Math.min(wanted, numberOr(schema.maxItems, Number.POSITIVE_INFINITY));
    return Array.from({ length }, () => this.value(asSchema(schema.items), depth + 1, name));
  }

  #number(schema: Schema, step: number): number {
    const multiple = numberOr(schema.multipleOf, step);
    const above = typeof schema.exclusiveMinimum === 'number' ? schema.exclusiveMinimum + multiple : 0;
    const low = Math.max(numberOr(schema.minimum, above), above);
    const below = typeof schema.exclusiveMaximum === 'number' ? schema.exclusiveMaximum - multiple : low + 100;
    const high = Math.min(numberOr(schema.maximum, below), below);
    const value = Math.ceil((low + this.#random() * Math.max(0, high - low)) / multiple) * multiple;
    return value <= high ? value : Math.ceil(low / multiple) * multiple;
  }

  #string(schema: Schema, name: string): string {
    const format = typeof schema.format === 'string' ? formats[schema.format] : undefined;
    if (format !== undefined) return format;
    let value = this.#named[name] ?? pick(words, this.#random);
    while (value.length < numberOr(schema.minLength, 0)) value += ` ${pick(words, this.#random)}`;
    return value.slice(0, numberOr(schema.maxLength, value.length));
  }

  #choose(choices: readonly Schema[], depth: number): Schema {
    const flat = choices.map((choice) => this.#flat(choice));
    const ending =
      flat.find(({ type }) => type === 'null') ?? flat.find(({ type }) => type !== 'object' && type !== 'array');
    return (depth >= fullDepth ? ending : undefined) ?? choices[0] ?? {};
  }

  #flat(schema: Schema): Schema {
    return typeof schema.$ref === 'string' ? this.#resolve(schema.$ref) : schema;
  }

  #resolve(ref: string): Schema {
    let at: unknown = this.#root;
    for (const step of ref.replace(/^#\/?/, '').split('/').filter(Boolean)) {
      at = isSchema(at) ? at[decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
    }
    return asSchema(at);
  }
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asSchema(value: unknown): Schema {
  return isSchema(value) ? value : {};
}

function schemas(value: unknown): readonly Schema[] {
  return Array.isArray(value) ? value.filter(isSchema) : [];
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' ? value : fallback;
}
