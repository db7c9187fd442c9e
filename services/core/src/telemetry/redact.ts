/** Takes secrets out of what is about to be logged: by the name of a field, and inside text by its look. */

export const REDACTED = '[redacted]';

const SECRET_WORDS =
  /authorization|apikey|accesskey|secret|passw|passphrase|cookie|credential|privatekey|signingkey|encryptionkey|keyhash|signature/;

/** `token` and `accessToken` are secrets, `promptTokens` is a count; `key` is one, `keyName` and `endpoint_key` are not. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replaceAll(/[-_. ]/g, '');
  return plain === 'key' || plain.endsWith('token') || SECRET_WORDS.test(plain);
}

const MAYBE_SECRET = /:\/\/|[?&]|bearer|basic|sk-|eyj/i;
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'@]*@/gi;
const QUERY_SECRET =
  /([?&](?:[\w.-]*(?:key|token|secret|password|passwd|signature|credential)|sig|auth|code)=)[^&\s#"']+/gi;
const SCHEME_SECRET = /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi;
const LOOKS_LIKE_KEY = /\b(?:sk-[\w-]{8,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)/g;

/** Text with credentials in URLs, bearer tokens and things that look like API keys or JWTs taken out. */
export function redactText(text: string): string {
  if (!MAYBE_SECRET.test(text)) return text;
  return text
    .replaceAll(URL_CREDENTIALS, `$1${REDACTED}@`)
    .replaceAll(QUERY_SECRET, `$1${REDACTED}`)
    .replaceAll(SCHEME_SECRET, `$1 ${REDACTED}`)
    .replaceAll(LOOKS_LIKE_KEY, REDACTED);
}

const DEEPEST = 6;
const LONGEST_LIST = 100;
const LONGEST_TEXT = 16_384;
/** Of an error only these: libraries hang whole requests, with headers, on their errors. */
const ERROR_FIELDS = ['code', 'errno', 'syscall', 'address', 'port', 'status', 'statusCode', 'type', 'param'] as const;

/** Any value as something `JSON.stringify` takes, without secrets; undefined for what has no place in a log. */
export function loggable(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}...` : value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return value.toString();
    case 'object':
      return value === null ? null : loggableObject(value, depth);
    default:
      return undefined;
  }
}

function loggableObject(value: object, depth: number): unknown {
  if (value instanceof Error) return loggableError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof URL) return redactText(value.href);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEEPEST) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, LONGEST_LIST).map((item) => loggable(item, depth + 1) ?? null);
  if (value instanceof Set) return loggable([...value], depth);
  const entries = value instanceof Map ? value.entries() : Object.entries(value);
  const result: Record<string, unknown> = {};
  for (const [key, item] of entries) {
    const name = String(key);
    const kept = isSecretName(name) && item !== null && item !== undefined ? REDACTED : loggable(item, depth + 1);
    if (kept !== undefined) result[name] = kept;
  }
  return result;
}

function loggableError(error: Error, depth: number): unknown {
  const result: Record<string, unknown> = { name: error.name, message: redactText(error.message) };
  for (const field of ERROR_FIELDS) {
    const value: unknown = (error as unknown as Record<string, unknown>)[field];
    if (typeof value === 'string' || typeof value === 'number') result[field] = loggable(value);
  }
  if (typeof error.stack === 'string') result.stack = redactText(error.stack);
  if (error.cause !== undefined && depth < DEEPEST) result.cause = loggable(error.cause, depth + 1);
  if (error instanceof AggregateError && depth < DEEPEST) {
    result.errors = error.errors.slice(0, 5).map((one) => loggable(one, depth + 1) ?? null);
  }
  return result;
}
