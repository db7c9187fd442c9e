import { invalid } from './errors.ts';

/** Checks one value at `path`; throws the error that Anthropic would answer with. */
export type Check = (value: unknown, path: string) => void;
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const anything: Check = () => {};

export const string: Check = (value, path) => {
  if (typeof value !== 'string') throw invalid(path, 'Input should be a valid string');
};

export const boolean: Check = (value, path) => {
  if (typeof value !== 'boolean') throw invalid(path, 'Input should be a valid boolean');
};

export const dictionary: Check = (value, path) => {
  if (!isObject(value)) throw invalid(path, 'Input should be a valid dictionary');
};

export function matching(pattern: RegExp): Check {
  return (value, path) => {
    string(value, path);
    if (!pattern.test(String(value))) throw invalid(path, `String should match pattern '${pattern.source}'`);
  };
}

export function integer(min: number): Check {
  return (value, path) => {
    if (!Number.isInteger(value)) throw invalid(path, 'Input should be a valid integer');
    atLeast(Number(value), min, path);
  };
}

export function number(min: number, max: number): Check {
  return (value, path) => {
    if (typeof value !== 'number') throw invalid(path, 'Input should be a valid number');
    if (value > max) throw invalid(path, `Input should be less than or equal to ${max}`);
    atLeast(value, min, path);
  };
}

function atLeast(value: number, min: number, path: string): void {
  if (value < min) throw invalid(path, `Input should be greater than or equal to ${min}`);
}

export function oneOf(...allowed: readonly string[]): Check {
  return (value, path) => {
    if (!allowed.some((item) => item === value)) throw invalid(path, `Input should be ${listed(allowed)}`);
  };
}

function listed(items: readonly string[]): string {
  const quoted = items.map((item) => `'${item}'`);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}

export function nullable(check: Check): Check {
  return (value, path) => {
    if (value !== null) check(value, path);
  };
}

export function arrayOf(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw invalid(path, 'Input should be a valid list');
    value.forEach((item, index) => {
      check(item, `${path}.${index}`);
    });
  };
}

export function stringOr(other: Check): Check {
  return (value, path) => {
    if (typeof value !== 'string') other(value, path);
  };
}

export interface Fields {
  readonly required?: Readonly<Record<string, Check>>;
  readonly optional?: Readonly<Record<string, Check>>;
}

/** An object with these fields and no others; a path of '' is the body itself. */
export function shape(fields: Fields, lenient = false): Check {
  const required = Object.entries(fields.required ?? {});
  const known = new Map([...required, ...Object.entries(fields.optional ?? {})]);
  return (value, path) => {
    const at = (name: string) => (path === '' ? name : `${path}.${name}`);
    if (!isObject(value)) throw invalid(path || 'body', 'Input should be a valid dictionary');
    for (const [name] of required) if (value[name] === undefined) throw invalid(at(name), 'Field required');
    for (const [name, check] of known) if (value[name] !== undefined) check(value[name], at(name));
    for (const name of Object.keys(value))
      if (!known.has(name) && !lenient) throw invalid(at(name), 'Extra inputs are not permitted');
  };
}

/** Chooses the check by the value's `type`, which becomes a part of the path. */
export function tagged(checks: Readonly<Record<string, Check>>): Check {
  return (value, path) => {
    if (!isObject(value)) throw invalid(path, 'Input should be a valid dictionary');
    if (value.type === undefined) throw invalid(`${path}.type`, 'Field required');
    const check = typeof value.type === 'string' ? checks[value.type] : undefined;
    if (check === undefined)
      throw invalid(
        path,
        `Input tag '${String(value.type)}' found using 'type' does not match any of the expected tags: ${Object.keys(
          checks,
        )
          .map((tag) => `'${tag}'`)
          .join(', ')}`,
      );
    check(value, `${path}.${String(value.type)}`);
  };
}
