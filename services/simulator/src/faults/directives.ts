/**
 * Directives steer one answer. The same names and values work in three places:
 *   model name    `gpt-4o+status=429+retry-after=2`   (separated by `+`, values percent-encoded)
 *   message text  `[[sim cut=40 ttft=200]]`           (separated by spaces, values percent-encoded)
 *   control       `POST /__sim/faults` with `{"fault": {"status": 429, "retry-after": 2}}`
 * A name without a value (`+crlf`) means `true` or the default of that directive.
 */

/** Thrown for a directive that does not exist or has a bad value, so that a typo in a test cannot pass unnoticed. */
export class DirectiveError extends Error {
  override readonly name = 'DirectiveError';
}

type Read<T> = (value: string, name: string) => T;

const whole =
  (max: number): Read<number> =>
  (value, name) => {
    if (!/^\d{1,15}$/.test(value) || Number(value) > max)
      throw new DirectiveError(`Directive '${name}' needs a whole number of at most ${max}, got '${value}'.`);
    return Number(value);
  };
/** Any number of tokens, bytes or milliseconds that a test can need. */
const integer = whole(1_000_000_000);
const decimal: Read<number> = (value, name) => {
  const number = Number(value);
  if (value === '' || !Number.isFinite(number) || number < 0)
    throw new DirectiveError(`Directive '${name}' needs a number of at least 0, got '${value}'.`);
  return number;
};
const text: Read<string> = (value) => value;
const flag: Read<boolean> = (value, name) => {
  if (value === '' || value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  throw new DirectiveError(`Directive '${name}' is a flag: give it no value, 1 or 0; got '${value}'.`);
};
const countOr =
  (fallback: number): Read<number> =>
  (value, name) =>
    value === '' ? fallback : integer(value, name);

function oneOf<const T extends string>(...allowed: readonly T[]): Read<T> {
  return (value, name) => {
    const found = allowed.find((item) => item === value);
    if (found === undefined)
      throw new DirectiveError(`Directive '${name}' must be one of ${allowed.join(', ')}; got '${value}'.`);
    return found;
  };
}

/** `reset=before`, `reset=after` or `reset=N`. */
const place: Read<'before' | 'after' | number> = (value, name) =>
  value === 'before' || value === 'after' ? value : value === '' ? 'before' : integer(value, name);

/** `stall=N` (for ever) or `stall=N:MS`. */
const pause: Read<{ readonly at: number; readonly ms: number | undefined }> = (value, name) => {
  const [at = '', ms] = value.split(':');
  return { at: integer(at, name), ms: ms === undefined ? undefined : integer(ms, name) };
};

export const errorKinds = [
  'context_length',
  'content_filter',
  'invalid_key',
  'forbidden',
  'model_not_found',
  'rate_limit',
  'quota',
  'server',
  'unavailable',
  'overloaded',
] as const;
export type ErrorKind = (typeof errorKinds)[number];

const table = {
  // what is said
  text,
  tokens: whole(1_000_000),
  salt: text,
  emoji: flag,
  pad: whole(16_777_216),
  finish: oneOf('stop', 'length', 'tool_calls', 'content_filter'),
  'stop-reason': text,
  refusal: text,
  calls: whole(128),
  args: text,
  think: whole(1_000_000),
  'think-as': oneOf('reasoning_content', 'reasoning', 'tag', 'redacted'),
  'reasoning-tokens': integer,
  prefill: oneOf('ignore', 'continue', 'reject', 'echo'),
  cached: integer,
  empty: flag,
  dims: whole(16_384),
  // when it is said
  ttft: decimal,
  tps: decimal,
  slow: integer,
  // instead of an answer
  error: oneOf(...errorKinds),
  status: whole(599),
  message: text,
  type: text,
  code: text,
  body: text,
  'retry-after': text,
  'retry-after-ms': integer,
  'retry-after-date': integer,
  concurrency: integer,
  hang: flag,
  silent: flag,
  reset: place,
  // on the way
  stall: pause,
  cut: integer,
  tear: integer,
  partial: flag,
  malformed: integer,
  'stream-error': integer,
  nodone: flag,
  nofinish: flag,
  nousage: flag,
  split: countOr(1),
  crlf: flag,
  nospace: flag,
  comments: countOr(1),
  'content-type': text,
  gzip: flag,
  // when the directives apply
  times: integer,
  for: text,
  lenient: flag,
} as const satisfies Record<string, Read<unknown>>;

export type DirectiveName = keyof typeof table;
export type Directives = { readonly [K in DirectiveName]?: ReturnType<(typeof table)[K]> } & {
  /** Response headers from `header-NAME=VALUE`. */
  readonly headers?: Readonly<Record<string, string>>;
};

export const directiveNames = Object.keys(table);

function isDirectiveName(name: string): name is DirectiveName {
  return Object.hasOwn(table, name);
}

/** Reads `[name, value]` pairs; throws a `DirectiveError` that names the first bad one. */
export function readDirectives(pairs: Iterable<readonly [string, string]>): Directives {
  const found: Record<string, unknown> = {};
  const headers: Record<string, string> = {};
  for (const [name, value] of pairs) {
    if (name.startsWith('header-')) headers[name.slice('header-'.length)] = value;
    else if (isDirectiveName(name)) found[name] = table[name](value, name);
    else throw new DirectiveError(`Unknown simulator directive '${name}'. Known: ${directiveNames.join(', ')}.`);
  }
  if (Object.keys(headers).length > 0) found.headers = headers;
  return found;
}

/** Later sources win, name by name; headers are joined. */
export function mergeDirectives(...sources: readonly Directives[]): Directives {
  const headers = Object.assign({}, ...sources.map((source) => source.headers));
  const merged: Directives = Object.assign({}, ...sources);
  return Object.keys(headers).length > 0 ? { ...merged, headers } : merged;
}

/** The model proper and the directives behind its first `+name`. */
export function splitModel(model: string): { readonly base: string; readonly directives: Directives } {
  const start = model.search(/\+[a-z]/);
  if (start < 0) return { base: model, directives: {} };
  const words = model.slice(start + 1).split('+');
  return { base: model.slice(0, start), directives: readDirectives(words.map(pairOf)) };
}

const block = /\[\[sim\s+([^\]]*)\]\]\s?/g;

/** Removes every `[[sim ...]]` block and returns the rest with the blocks' directives, one entry a block. */
export function splitText(source: string): { readonly rest: string; readonly blocks: readonly Directives[] } {
  if (!source.includes('[[sim')) return { rest: source, blocks: [] };
  const blocks: Directives[] = [];
  const rest = source.replace(block, (_whole, words: string) => {
    blocks.push(readDirectives(words.split(/\s+/).filter(Boolean).map(pairOf)));
    return '';
  });
  return { rest, blocks };
}

function pairOf(word: string): [string, string] {
  const equals = word.indexOf('=');
  if (equals < 0) return [word, ''];
  const value = word.slice(equals + 1);
  try {
    return [word.slice(0, equals), decodeURIComponent(value)];
  } catch {
    throw new DirectiveError(
      `Directive '${word.slice(0, equals)}' has a value that is not percent-encoded: '${value}'.`,
    );
  }
}
