import { decodeBase64 } from '../../media/sniff.ts';
import { type ServiceException, unreadable, validation } from './errors.ts';

/** Checks one value at `path`; throws the exception that Bedrock would answer with. */
export type Check = (value: unknown, path: string) => void;
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where AWS expects a value of another type, it names the token that it found. */
function mistyped(value: unknown, wanted: string): ServiceException {
  if (typeof value === 'object' && value !== null)
    return unreadable('Start of structure or list found where not expected.');
  const found =
    typeof value === 'string'
      ? 'STRING_VALUE'
      : typeof value === 'number'
        ? 'NUMBER_VALUE'
        : `${String(value).toUpperCase()}_VALUE`;
  return unreadable(`${found} can not be converted to ${wanted}`);
}

function unmet(value: unknown, path: string, constraint: string): ServiceException {
  const shown = JSON.stringify(value) ?? 'null';
  return validation(
    `1 validation error detected: Value ${shown.length > 100 ? '' : `'${shown}' `}at '${path}' failed to satisfy constraint: Member must ${constraint}`,
  );
}

/** Smithy takes null for absent. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

/** Any JSON. */
export const document: Check = () => {};

export const boolean: Check = (value) => {
  if (typeof value !== 'boolean') throw mistyped(value, 'Boolean');
};

export function string({ min = 0, max = Number.MAX_SAFE_INTEGER, pattern = /(?:)/ } = {}): Check {
  return (value, path) => {
    if (typeof value !== 'string') throw mistyped(value, 'a String');
    if (value.length < min) throw unmet(value, path, `have length greater than or equal to ${min}`);
    if (value.length > max) throw unmet(value, path, `have length less than or equal to ${max}`);
    if (!pattern.test(value)) throw unmet(value, path, `satisfy regular expression pattern: ${pattern.source}`);
  };
}

export function integer(min: number): Check {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw mistyped(value, 'an Integer');
    if (value < min) throw unmet(value, path, `have value greater than or equal to ${min}`);
  };
}

export function float(min: number, max: number): Check {
  return (value, path) => {
    if (typeof value !== 'number') throw mistyped(value, 'a Float');
    if (value < min) throw unmet(value, path, `have value greater than or equal to ${min}`);
    if (value > max) throw unmet(value, path, `have value less than or equal to ${max}`);
  };
}

export function oneOf(allowed: readonly string[]): Check {
  return (value, path) => {
    if (typeof value !== 'string') throw mistyped(value, 'a String');
    if (!allowed.includes(value)) throw unmet(value, path, `satisfy enum value set: [${allowed.join(', ')}]`);
  };
}

/** Bytes, which JSON carries in base64. */
export const blob: Check = (value, path) => {
  if (typeof value !== 'string') throw mistyped(value, 'a Blob');
  if (value === '') throw unmet(value, path, 'have length greater than or equal to 1');
  if (decodeBase64(value) === undefined) throw unreadable(`Unable to decode base64 at '${path}'.`);
};

export function listOf(check: Check, min = 0, max = Number.MAX_SAFE_INTEGER): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw isObject(value) ? mistyped(value, '') : unreadable('Expected list or null');
    if (value.length < min) throw unmet(value, path, `have length greater than or equal to ${min}`);
    if (value.length > max) throw unmet(value, path, `have length less than or equal to ${max}`);
    value.forEach((item, index) => {
      if (isAbsent(item)) throw unmet(null, `${path}.${index}`, 'not be null');
      check(item, `${path}.${index}`);
    });
  };
}

export function mapOf(check: Check): Check {
  return (value, path) => {
    if (!isObject(value)) throw mistyped(value, 'a Map');
    for (const [name, item] of Object.entries(value)) check(item, `${path}.${name}`);
  };
}

export interface Members {
  readonly required?: Readonly<Record<string, Check>>;
  readonly optional?: Readonly<Record<string, Check>>;
}

/** A structure with these members and no others; a path of '' is the body itself. */
export function structure({ required = {}, optional = {} }: Members = {}, lenient = false): Check {
  const known = new Map(Object.entries({ ...required, ...optional }));
  return (value, path) => {
    if (!isObject(value)) throw mistyped(value, 'a Structure');
    if (!lenient) refuseUnknown(value, path, known);
    for (const name of Object.keys(required))
      if (isAbsent(value[name])) throw unmet(null, at(path, name), 'not be null');
    for (const [name, check] of known) if (!isAbsent(value[name])) check(value[name], at(path, name));
  };
}

/** A structure of which exactly one member is set. */
export function union(members: Readonly<Record<string, Check>>): Check {
  const known = new Map(Object.entries(members));
  return (value, path) => {
    if (!isObject(value)) throw mistyped(value, 'a Structure');
    refuseUnknown(value, path, known);
    const set = [...known].filter(([name]) => !isAbsent(value[name]));
    const [first] = set;
    if (first === undefined || set.length > 1)
      throw validation(
        `The value at ${path} is invalid: exactly one of ${[...known.keys()].join(', ')} must be set, found ${set.map(([name]) => name).join(', ') || 'none'}.`,
      );
    const [name, check] = first;
    check(value[name], at(path, name));
  };
}

function refuseUnknown(value: JsonObject, path: string, known: ReadonlyMap<string, Check>): void {
  const extra = Object.keys(value).find((name) => !known.has(name));
  if (extra !== undefined)
    throw validation(
      `Malformed input request: #/${path.replaceAll('.', '/')}: extraneous key [${extra}] is not permitted, please reformat your input and try again.`,
    );
}

function at(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
