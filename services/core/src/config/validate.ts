import { closest, distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import type { ConfigIssue } from './config-error.ts';
import type { Path, YamlSource } from './yaml-source.ts';

/** Values under these keys are never shown. */
const SECRET_KEYS = new Set([
  'apiKey',
  'key',
  'keyHash',
  'accessToken',
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
  'credentials',
  'password',
  'token',
  'secret',
]);

type Validated<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly issues: ConfigIssue[] };

/** Checks the values of a YAML source against a schema and words every issue for a person. */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  source: YamlSource,
): Validated<z.output<Schema>> {
  const first = schema.safeParse(value);
  const result =
    first.success || !readVariablesAsScalars(value, first.error.issues, source) ? first : schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, issues: result.error.issues.flatMap((issue) => wordIssue(issue, schema, value, source)) };
}

/**
 * Environment variables are text. Where the schema wants a number or a boolean and the file has an unquoted `${NAME}`,
 * the text is read as one. Returns whether anything changed.
 */
function readVariablesAsScalars(value: unknown, issues: readonly z.core.$ZodIssue[], source: YamlSource): boolean {
  let changed = false;
  for (const issue of issues) {
    const found = valueAt(value, issue.path);
    const key = issue.path.at(-1);
    const parent = valueAt(value, issue.path.slice(0, -1));
    if (typeof found !== 'string' || key === undefined || !source.isUnquotedReference(issue.path)) continue;
    const scalar = readScalar(found);
    if (scalar === null || typeof parent !== 'object' || parent === null) continue;
    Reflect.set(parent, key, scalar);
    changed = true;
  }
  return changed;
}

function readScalar(text: string): number | boolean | null {
  if (text === 'true') return true;
  if (text === 'false') return false;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null;
}

function wordIssue(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown, source: YamlSource): ConfigIssue[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, issue.path);
    return issue.keys.map((key) => source.issue([...issue.path, key], `unknown key${suggestion(key, known)}`, 'key'));
  }
  const found = valueAt(value, issue.path);
  const shown = showFound(found, issue.path, source);
  const near =
    issue.code === 'invalid_value' && typeof found === 'string' ? nearest(found, issue.values.map(String)) : null;
  const hint = near === null ? '' : `; did you mean "${near}"?`;
  return [source.issue(issue.path, `found ${shown}, expected ${issue.message}${hint}`)];
}

/** `; did you mean "x"?`, or the list of what is known when nothing is near. */
export function suggestion(word: string, known: readonly string[]): string {
  if (known.length === 0) return '';
  const near = nearest(word, known);
  return near === null ? `; known here: ${known.join(', ')}` : `; did you mean "${near}"?`;
}

/** The known word that was probably meant: a few letters may be wrong, case does not count. */
export function nearest(word: string, known: readonly string[]): string | null {
  const lower = word.toLowerCase();
  const best = closest(
    lower,
    known.map((name) => name.toLowerCase()),
  );
  const mistakes = word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3));
  if (distance(lower, best) > mistakes) return null;
  return known.find((name) => name.toLowerCase() === best) ?? null;
}

/** What stands at a path, for a message: a secret only by its kind, a variable by its name. */
export function showFound(found: unknown, path: Path, source: YamlSource | null): string {
  if (found === undefined || found === null) return 'nothing';
  const variables = source?.variablesAt(path) ?? [];
  if (variables.length > 0) return `the value of ${variables.map((name) => `\${${name}}`).join(' and ')} (not shown)`;
  const secret = path.some((segment) => SECRET_KEYS.has(String(segment)));
  if (Array.isArray(found)) return found.length === 0 ? 'an empty list' : 'a list';
  if (typeof found === 'object') return 'a mapping';
  if (found === '') return 'an empty text';
  if (secret) return `a ${typeof found === 'string' ? 'text' : typeof found} (not shown)`;
  if (typeof found === 'string') return JSON.stringify(shorten(withoutUserInfo(found)));
  return String(found);
}

function withoutUserInfo(text: string): string {
  return text.replace(/\/\/[^/@\s]*@/, '//***@');
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const segment of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = Reflect.get(current, segment);
  }
  return current;
}

/** The keys that the mapping at a path may have. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  let current: z.core.$ZodType | undefined = schema;
  for (const segment of path) {
    const { def } = unwrap(current) as { def: SchemaDef };
    if (def.type === 'object') current = def.shape?.[String(segment)];
    else if (def.type === 'record') current = def.valueType;
    else if (def.type === 'array') current = def.element;
    else return [];
    if (current === undefined) return [];
  }
  const { def } = unwrap(current) as { def: SchemaDef };
  return Object.keys(def.shape ?? {});
}

interface SchemaDef {
  readonly type: string;
  readonly shape?: Record<string, z.core.$ZodType>;
  readonly valueType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
}

function unwrap(schema: z.core.$ZodType): unknown {
  const { def } = schema._zod as unknown as { def: SchemaDef };
  return def.innerType === undefined ? { def } : unwrap(def.innerType);
}
