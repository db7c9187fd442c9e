import type { FieldViolation } from './errors.ts';

/**
 * Reads a value as protobuf's JSON mapping does: lowerCamelCase or snake_case names, null as absent, numbers also as
 * strings. Returns it with lowerCamelCase names; adds to `violations` what is wrong at `path`.
 */
export type Parse = (value: unknown, path: string, violations: FieldViolation[]) => unknown;

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function report(violations: FieldViolation[], field: string, description: string): undefined {
  violations.push({ field, description });
  return undefined;
}

function invalidValue(path: string, type: string, value: unknown): string {
  const shown =
    typeof value === 'object' && value !== null ? 'Starting an object on a scalar field' : JSON.stringify(value);
  return `Invalid value at '${path}' (${type}), ${shown}`;
}

const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A message with these fields and no others. A function, so that messages may contain themselves. */
export function message(fields: () => Readonly<Record<string, Parse>>): Parse {
  return (value, path, violations) => {
    if (Array.isArray(value)) {
      const dot = path.lastIndexOf('.');
      const at = dot < 0 ? '' : ` at '${path.slice(0, dot)}'`;
      const name = camel(path.slice(dot + 1));
      return report(
        violations,
        path.slice(0, Math.max(0, dot)),
        `Invalid JSON payload received. Unknown name "${name}"${at}: Proto field is not repeating, cannot start list.`,
      );
    }
    if (!isObject(value)) return report(violations, path, invalidValue(path, 'TYPE_MESSAGE', value));
    const known = fields();
    const read: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(value)) {
      const field = Object.hasOwn(known, name) ? name : camel(name);
      const parse = Object.hasOwn(known, field) ? known[field] : undefined;
      if (parse === undefined) {
        const at = path === '' ? '' : ` at '${path}'`;
        report(violations, path, `Invalid JSON payload received. Unknown name "${name}"${at}: Cannot find field.`);
      } else if (item !== null) {
        read[field] = parse(item, path === '' ? snake(field) : `${path}.${snake(field)}`, violations);
      }
    }
    return read;
  };
}

/** One value is as good as a list of one. */
export function repeated(item: Parse): Parse {
  return (value, path, violations) =>
    (Array.isArray(value) ? value : [value]).map((element, index) => item(element, `${path}[${index}]`, violations));
}

export function map(item: Parse): Parse {
  return (value, path, violations) => {
    if (!isObject(value)) return report(violations, path, invalidValue(path, 'TYPE_MESSAGE', value));
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([key, element], index) => [key, item(element, `${path}[${index}].value`, violations)]),
    );
  };
}

function scalar<T>(type: string, read: (value: unknown) => T | undefined): Parse {
  return (value, path, violations) => {
    if (Array.isArray(value)) {
      const dot = path.lastIndexOf('.');
      return report(
        violations,
        path.slice(0, Math.max(0, dot)),
        `Invalid JSON payload received. Unknown name "${camel(path.slice(dot + 1))}" at '${path.slice(0, Math.max(0, dot))}': Proto field is not repeating, cannot start list.`,
      );
    }
    return read(value) ?? report(violations, path, invalidValue(path, type, value));
  };
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
}

function wholeOf(value: unknown): number | undefined {
  const number = numberOf(value);
  return Number.isInteger(number) ? number : undefined;
}

export const text = scalar('TYPE_STRING', (value) => (typeof value === 'string' ? value : undefined));
export const flag = scalar('TYPE_BOOL', (value) => (typeof value === 'boolean' ? value : undefined));
export const float = scalar('TYPE_FLOAT', numberOf);
export const int32 = scalar('TYPE_INT32', wholeOf);
export const int64 = scalar('TYPE_INT64', wholeOf);

/** Names of an enum, in any case. */
export function oneOf(type: string, ...names: readonly string[]): Parse {
  return scalar(`type.googleapis.com/google.ai.generativelanguage.v1beta.${type}`, (value) =>
    typeof value === 'string' && names.includes(value.toUpperCase()) ? value.toUpperCase() : undefined,
  );
}

/** google.protobuf.Value: any JSON. */
export const anything: Parse = (value) => value;

/** google.protobuf.Struct: any JSON object. */
export const struct: Parse = (value, path, violations) =>
  isObject(value)
    ? value
    : report(
        violations,
        path,
        `Invalid value at '${path}' (type.googleapis.com/google.protobuf.Struct), ${JSON.stringify(value)}`,
      );

/** Base64, also the URL-safe alphabet; stays text. */
export const bytes: Parse = (value, path, violations) => {
  if (typeof value !== 'string') return report(violations, path, invalidValue(path, 'TYPE_BYTES', value));
  if (/^[A-Za-z0-9+/_-]*={0,2}$/.test(value) && value.replace(/=+$/, '').length % 4 !== 1) return value;
  return report(
    violations,
    path,
    `Invalid value at '${path}' (TYPE_BYTES), Base64 decoding failed for "${value.slice(0, 100)}"`,
  );
};
