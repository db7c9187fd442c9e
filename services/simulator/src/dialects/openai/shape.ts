import { type ApiError, badRequest } from './errors.ts';

/** Checks one value at `path`; throws the error that OpenAI would answer with. */
export type Check = (value: unknown, path: string) => void;

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}

export function wrongType(path: string, expected: string, value: unknown): ApiError {
  return badRequest(
    `Invalid type for '${path}': expected ${expected}, but got ${describe(value)} instead.`,
    path,
    'invalid_type',
  );
}

export function missing(path: string): ApiError {
  return badRequest(`Missing required parameter: '${path}'.`, path, 'missing_required_parameter');
}

export const anything: Check = () => {};

export const string: Check = (value, path) => {
  if (typeof value !== 'string') throw wrongType(path, 'a string', value);
};

export const boolean: Check = (value, path) => {
  if (typeof value !== 'boolean') throw wrongType(path, 'a boolean', value);
};

export const object: Check = (value, path) => {
  if (!isObject(value)) throw wrongType(path, 'an object', value);
};

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  return (value, path) => {
    if (!Number.isInteger(value)) throw wrongType(path, 'an integer', value);
    inRange(Number(value), path, min, max, 'integer');
  };
}

export function decimal(min: number, max: number): Check {
  return (value, path) => {
    if (typeof value !== 'number') throw wrongType(path, 'a decimal', value);
    inRange(value, path, min, max, 'decimal');
  };
}

function inRange(value: number, path: string, min: number, max: number, noun: string): void {
  if (value > max)
    throw badRequest(
      `Invalid '${path}': ${noun} above maximum value. Expected a value <= ${max}, but got ${value} instead.`,
      path,
      `${noun}_above_max_value`,
    );
  if (value < min)
    throw badRequest(
      `Invalid '${path}': ${noun} below minimum value. Expected a value >= ${min}, but got ${value} instead.`,
      path,
      `${noun}_below_min_value`,
    );
}

export function oneOf(...allowed: readonly string[]): Check {
  return (value, path) => {
    string(value, path);
    if (!allowed.some((item) => item === value)) {
      const last = allowed.length - 1;
      const list = allowed.map((item, index) => `${index > 0 && index === last ? 'and ' : ''}'${item}'`).join(', ');
      throw badRequest(`Invalid value: '${String(value)}'. Supported values are: ${list}.`, path, 'invalid_value');
    }
  };
}

/** Null is as good as absent. */
export function nullable(check: Check): Check {
  return (value, path) => {
    if (value !== null) check(value, path);
  };
}

export function arrayOf(check: Check, min = 0, max = Number.MAX_SAFE_INTEGER): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrongType(path, 'an array', value);
    if (value.length < min)
      throw badRequest(
        `Invalid '${path}': empty array. Expected an array with minimum length ${min}, but got an empty array instead.`,
        path,
        'empty_array',
      );
    if (value.length > max)
      throw badRequest(
        `Invalid '${path}': array too long. Expected an array with maximum length ${max}, but got an array with length ${value.length} instead.`,
        path,
        'array_above_max_length',
      );
    value.forEach((item, index) => {
      check(item, `${path}[${index}]`);
    });
  };
}

export interface Fields {
  readonly required?: Readonly<Record<string, Check>>;
  readonly optional?: Readonly<Record<string, Check>>;
}

/** An object with these fields and no others. */
export function shape(fields: Fields): Check {
  const required = Object.entries(fields.required ?? {});
  const known = new Map([...required, ...Object.entries(fields.optional ?? {})]);
  return (value, path) => {
    if (!isObject(value)) throw wrongType(path, 'an object', value);
    for (const name of Object.keys(value)) {
      if (!known.has(name))
        throw badRequest(`Unknown parameter: '${path}.${name}'.`, `${path}.${name}`, 'unknown_parameter');
    }
    for (const [name] of required) if (value[name] === undefined) throw missing(`${path}.${name}`);
    for (const [name, check] of known) if (value[name] !== undefined) check(value[name], `${path}.${name}`);
  };
}

/** The body itself: its unknown names are called arguments, and its paths have no prefix. */
export function checkBody(body: unknown, fields: Fields, lenient: boolean): asserts body is JsonObject {
  if (!isObject(body))
    throw badRequest('We could not parse the JSON body of your request. The API expects a JSON object.');
  const required = Object.entries(fields.required ?? {});
  const known = new Map([...required, ...Object.entries(fields.optional ?? {})]);
  const unknown = Object.keys(body).filter((name) => !known.has(name));
  if (unknown.length > 0 && !lenient)
    throw badRequest(`Unrecognized request argument${unknown.length > 1 ? 's' : ''} supplied: ${unknown.join(', ')}`);
  for (const [name] of required) if (body[name] === undefined) throw missing(name);
  for (const [name, check] of known) if (body[name] !== undefined) check(body[name], name);
}

/** Chooses the check by the value's own `field` (such as `role` or `type`). */
export function byField(field: string, checks: Readonly<Record<string, Check>>): Check {
  const names = oneOf(...Object.keys(checks));
  return (value, path) => {
    if (!isObject(value)) throw wrongType(path, 'an object', value);
    if (value[field] === undefined) throw missing(`${path}.${field}`);
    names(value[field], `${path}.${field}`);
    checks[String(value[field])]?.(value, path);
  };
}

/** The first check for a plain string, the second for everything else. */
export function stringOr(other: Check): Check {
  return (value, path) => {
    if (typeof value !== 'string') other(value, path);
  };
}
