import { arrayElements, findMember, objectMembers, type Span, skipSpace, splice } from '../../json/index.ts';
import type { EmbeddingVector } from '../embedding-dialect.ts';
import { jsonObject, unreadableAnswer } from '../translation/provider-json.ts';

export interface CutAnswer {
  /** The answer as parsed, with a zero in the place of each vector. */
  readonly outline: Readonly<Record<string, unknown>>;
  /** In order of appearance. */
  readonly vectors: readonly EmbeddingVector[];
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const QUOTE = 0x22;

/**
 * Cuts the vectors out of an answer as the provider wrote them, letter by letter. `find` says where they stand. Their numbers are
 * looked at, one vector after the other, but never kept. Throws for text that is no JSON, and for a vector that is none.
 */
export function cutVectors(body: Buffer, find: (bytes: Buffer) => readonly Span[]): CutAnswer {
  const spans = find(body);
  const outline = jsonObject(
    splice(
      body,
      spans.map((span) => ({ ...span, text: '0' })),
    ),
  );
  if (outline === null || Array.isArray(outline)) throw unreadableAnswer('it is not a JSON object');
  return { outline: outline as Record<string, unknown>, vectors: spans.map((span) => vectorAt(body, span)) };
}

function vectorAt(body: Buffer, { start, end }: Span): EmbeddingVector {
  const text = body.toString('latin1', start, end);
  if (body[start] !== QUOTE) {
    if (!isNumbers(text)) throw unreadableAnswer('a vector is not a list of numbers');
    return { form: 'json', text };
  }
  const base64 = unquoted(text);
  // Float32: four bytes a number.
  if (!BASE64.test(base64) || Buffer.byteLength(base64, 'base64') % 4 !== 0) {
    throw unreadableAnswer('a vector is not base64 of float32');
  }
  return { form: 'base64', text: base64 };
}

/** At least one number, and each of them finite: `1e999` is none that a float could hold. */
function isNumbers(text: string): boolean {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.length > 0 && list.every(Number.isFinite);
  } catch {
    return false;
  }
}

/** Some writers escape the slashes of base64. */
function unquoted(text: string): string {
  if (!text.includes('\\')) return text.slice(1, -1);
  try {
    return String(JSON.parse(text));
  } catch {
    return '';
  }
}

/** The value that `keys` lead to from the object at `from` on; null where the way ends. */
export function valueAt(bytes: Buffer, keys: readonly string[], from = skipSpace(bytes, 0)): Span | null {
  let span: Span = { start: from, end: bytes.length };
  for (const key of keys) {
    const member = findMember(objectMembers(bytes, span.start), key);
    if (member === undefined) return null;
    span = { start: member.valueStart, end: member.end };
  }
  return span;
}

/** The elements of the array that `keys` lead to; empty when there is none. */
export function elementsAt(bytes: Buffer, keys: readonly string[]): Span[] {
  const list = valueAt(bytes, keys);
  return list === null ? [] : arrayElements(bytes, list.start);
}

/** What `keys` lead to in each element of a list. Throws where one lacks it. */
export function eachAt(bytes: Buffer, elements: readonly Span[], keys: readonly string[]): Span[] {
  return elements.map(({ start }) => {
    const span = valueAt(bytes, keys, start);
    if (span === null) throw unreadableAnswer(`an item has no ${keys.join('.')}`);
    return span;
  });
}

/** Throws unless there is one vector for each item. */
export function oneForEach(vectors: readonly EmbeddingVector[], items: number): readonly EmbeddingVector[] {
  if (vectors.length !== items) throw unreadableAnswer(`${vectors.length} vectors for ${items} items`);
  return vectors;
}

/** A count of tokens, or null for anything else. */
export const countOrNull = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;

/** A member of what may be an object. */
export const memberOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
