/**
 * Byte-level views of JSON text, for bodies that pass through and must not be parsed and written again.
 * The scanners assume valid JSON: callers validate by parsing the text (or the skeleton) as well.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** From here on a set finds duplicates faster than looking at each pair. */
const MANY_MEMBERS = 32;

/** A byte range, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One member of an object; `start` is the key's opening quote, `end` the end of the value. */
export interface Member extends Span {
  /** As `JSON.parse` reads it. */
  readonly key: string;
  readonly valueStart: number;
  /** The key is written with an escape: another parser may read another name. */
  readonly escaped: boolean;
}

/** Index of the closing quote of the string that opens at `open`, or -1 when the text ends inside it. */
export function stringEnd(bytes: Buffer, open: number): number {
  let at = open + 1;
  for (;;) {
    // Short runs are cheaper here than a native call; an escape puts us back into this loop.
    const near = Math.min(at + 48, bytes.length);
    while (at < near) {
      const byte = bytes[at];
      if (byte === QUOTE) return at;
      at += byte === BACKSLASH ? 2 : 1;
    }
    if (at >= bytes.length) return -1;
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0) return -1;
    let slashes = quote;
    while (slashes > at && bytes[slashes - 1] === BACKSLASH) slashes--;
    if (((quote - slashes) & 1) === 0) return quote;
    at = quote + 1;
  }
}

export function skipSpace(bytes: Buffer, at: number): number {
  let next = at;
  while (next < bytes.length) {
    const byte = bytes[next];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    next++;
  }
  return next;
}

/** End of the value that starts at `at` (no leading space), exclusive; the end of the text when it is cut off. */
export function valueEnd(bytes: Buffer, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) {
    const close = stringEnd(bytes, at);
    return close < 0 ? bytes.length : close + 1;
  }
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    let end = at;
    while (end < bytes.length && !endsScalar(bytes[end])) end++;
    return end;
  }
  let depth = 0;
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      i = stringEnd(bytes, i);
      if (i < 0) return bytes.length;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return i + 1;
  }
  return bytes.length;
}

function endsScalar(byte: number | undefined): boolean {
  return byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || (byte !== undefined && byte <= 0x20);
}

/** The members of the object that opens at `open`, in order of appearance; empty when there is no object. */
export function objectMembers(bytes: Buffer, open = skipSpace(bytes, 0)): Member[] {
  const members: Member[] = [];
  if (bytes[open] !== OPEN_BRACE) return members;
  let at = skipSpace(bytes, open + 1);
  while (at < bytes.length && bytes[at] === QUOTE) {
    const keyEnd = stringEnd(bytes, at);
    if (keyEnd < 0) break;
    const colon = skipSpace(bytes, keyEnd + 1);
    if (bytes[colon] !== COLON) break;
    const valueStart = skipSpace(bytes, colon + 1);
    const end = valueEnd(bytes, valueStart);
    members.push(memberOf(bytes, at, keyEnd, valueStart, end));
    at = skipSpace(bytes, end);
    if (bytes[at] !== COMMA) break;
    at = skipSpace(bytes, at + 1);
  }
  return members;
}

function memberOf(bytes: Buffer, start: number, keyEnd: number, valueStart: number, end: number): Member {
  let escaped = false;
  let ascii = true;
  for (let i = start + 1; i < keyEnd; i++) {
    const byte = bytes[i];
    if (byte === BACKSLASH) escaped = true;
    else if (byte !== undefined && byte >= 0x80) ascii = false;
  }
  const raw = ascii && !escaped ? knownKey(bytes, start + 1, keyEnd) : bytes.toString('utf8', start + 1, keyEnd);
  return { key: escaped ? unescaped(raw) : raw, escaped, start, valueStart, end };
}

/** Keys of the documents that pass here, by length: found without making a string anew each time. */
const KNOWN_KEYS: ReadonlyMap<number, readonly string[]> = Map.groupBy(
  [
    ...['id', 'object', 'created', 'model', 'choices', 'usage', 'system_fingerprint', 'service_tier'],
    ...['index', 'message', 'delta', 'finish_reason', 'logprobs', 'role', 'content', 'refusal', 'tool_calls'],
    ...['messages', 'stream', 'stream_options', 'temperature', 'max_tokens', 'max_completion_tokens', 'top_p', 'n'],
    ...['tools', 'tool_choice', 'response_format', 'providerOptions', 'user', 'stop', 'seed', 'type', 'annotations'],
  ],
  (key) => key.length,
);

function knownKey(bytes: Buffer, start: number, end: number): string {
  for (const key of KNOWN_KEYS.get(end - start) ?? []) if (isKey(bytes, start, key)) return key;
  return bytes.toString('latin1', start, end);
}

function isKey(bytes: Buffer, start: number, key: string): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key.charCodeAt(i)) return false;
  return true;
}

/** A key with a bad escape stays as it is: no parser reads the text it stands in. */
function unescaped(key: string): string {
  try {
    return String(JSON.parse(`"${key}"`));
  } catch {
    return key;
  }
}

/**
 * True when another parser could read the object in another way than `JSON.parse` does: a key that occurs twice (it takes
 * the last, another may take the first) or that is written with escapes.
 */
export function isAmbiguous(members: readonly Member[]): boolean {
  if (members.length > MANY_MEMBERS) {
    return members.some(({ escaped }) => escaped) || new Set(members.map(({ key }) => key)).size < members.length;
  }
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    if (!member || member.escaped) return true;
    for (let j = 0; j < i; j++) if (members[j]?.key === member.key) return true;
  }
  return false;
}

/** The elements of the array that opens at `open`; empty when there is no array. */
export function arrayElements(bytes: Buffer, open: number): Span[] {
  const elements: Span[] = [];
  if (bytes[open] !== OPEN_BRACKET) return elements;
  let at = skipSpace(bytes, open + 1);
  while (at < bytes.length && bytes[at] !== CLOSE_BRACKET) {
    const end = valueEnd(bytes, at);
    elements.push({ start: at, end });
    at = skipSpace(bytes, end);
    if (bytes[at] !== COMMA) break;
    at = skipSpace(bytes, at + 1);
  }
  return elements;
}

/** The last member named `key`, as `JSON.parse` would choose it. */
export function findMember(members: readonly Member[], key: string): Member | undefined {
  for (let i = members.length - 1; i >= 0; i--) if (members[i]?.key === key) return members[i];
  return undefined;
}
