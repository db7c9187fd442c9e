/** A JSON Schema as it came. */
export type Raw = Record<string, unknown>;

/** Say nothing about a value: gone without a word. */
export const SILENT = new Set(['$schema', '$id', '$anchor', '$comment', '$defs', 'definitions', 'propertyOrdering']);
const ANNOTATIONS = new Set(['title', 'description', 'default']);

export const isRecord = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A JSON pointer into the schema itself (RFC 6901). */
export function resolvePointer(root: Raw, ref: string): unknown {
  if (ref === '#') return root;
  if (!ref.startsWith('#/')) return undefined;
  let at: unknown = root;
  for (const step of ref.slice(2).split('/')) {
    const key = decode(step).replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(at)) at = at[Number(key)];
    else if (isRecord(at) && Object.hasOwn(at, key)) at = at[key];
    else return undefined;
  }
  return at;
}

/** All that either says; where both speak, the second has it. */
export function merge(first: Raw, second: Raw): Raw {
  const merged: Raw = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const known = merged[key];
    if (key === 'properties' && isRecord(known) && isRecord(value)) merged[key] = mergeProperties(known, value);
    else if (key === 'required' && Array.isArray(known) && Array.isArray(value)) {
      merged[key] = [...new Set([...known, ...value])];
    } else setOwn(merged, key, value);
  }
  return merged;
}

function mergeProperties(first: Raw, second: Raw): Raw {
  const merged: Raw = { ...first };
  for (const [name, value] of Object.entries(second)) {
    const known = merged[name];
    setOwn(merged, name, isRecord(known) && isRecord(value) ? merge(known, value) : value);
  }
  return merged;
}

/** A property may be called `__proto__`. */
export function setOwn<T>(holder: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

export function withoutAnnotations(flat: Raw): Raw {
  return Object.fromEntries(Object.entries(flat).filter(([key]) => !ANNOTATIONS.has(key) && !SILENT.has(key)));
}

/** Lower case: clients that know Gemini write `STRING`. */
export function typesOf({ type }: Raw): string[] {
  const types = Array.isArray(type) ? type : [type];
  return [...new Set(types.filter((name) => typeof name === 'string').map((name) => name.toLowerCase()))];
}

export function isNull(schema: Raw): boolean {
  const types = typesOf(schema);
  if (types.length === 1 && types[0] === 'null') return true;
  return schema.const === null || (Array.isArray(schema.enum) && schema.enum.length === 1 && schema.enum[0] === null);
}

export function typeOfValues(values: readonly unknown[]): 'boolean' | 'integer' | 'number' | 'string' {
  if (values.every((value) => typeof value === 'boolean')) return 'boolean';
  if (values.every(Number.isInteger)) return 'integer';
  return values.every((value) => typeof value === 'number') ? 'number' : 'string';
}

function decode(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}
