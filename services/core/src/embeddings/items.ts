import type { EmbeddingItem } from '../dialects/index.ts';
import { GatewayError } from '../errors/index.ts';
import { tokensOfBytes } from '../tokens/index.ts';

const FORMS = 'a string, an array of strings, an array of token ids or an array of arrays of token ids';

/** Reads `input` (WIRE 2.9): one item or a list of them. Throws a GatewayError (400) that names the item at fault. */
export function readItems(input: unknown, maxItems: number): readonly EmbeddingItem[] {
  if (input === undefined) {
    throw new GatewayError('invalid_request_error', "Invalid request: missing required parameter 'input'", {
      param: 'input',
      code: 'missing_parameter',
    });
  }
  if (typeof input === 'string') return [textAt(input, 'input')];
  if (!Array.isArray(input)) throw wrong('input', `expected ${FORMS}, got ${kindOf(input)}`, 'invalid_type');
  const [first] = input as readonly unknown[];
  if (first === undefined) throw wrong('input', 'it is an empty array, expected at least one item', 'empty_input');
  if (typeof first === 'number') return [tokensAt(input, 'input')];
  if (input.length > maxItems) {
    throw wrong(
      'input',
      `it has ${input.length} items, at most ${maxItems} are taken in one request`,
      'too_many_items',
    );
  }
  if (typeof first === 'string') return input.map((item, i) => textAt(item, `input.${i}`));
  if (Array.isArray(first)) return input.map((item, i) => tokensAt(item, `input.${i}`));
  throw wrong('input.0', `expected ${FORMS}, got ${kindOf(first)}`, 'invalid_type');
}

function textAt(item: unknown, param: string): string {
  if (typeof item !== 'string')
    throw wrong(param, `expected a string as the items before it, got ${kindOf(item)}`, 'invalid_type');
  if (item === '') throw wrong(param, 'it is an empty string, which has no embedding', 'empty_input');
  return item;
}

function tokensAt(item: unknown, param: string): readonly number[] {
  if (!Array.isArray(item)) {
    throw wrong(param, `expected an array of token ids as the items before it, got ${kindOf(item)}`, 'invalid_type');
  }
  if (item.length === 0) throw wrong(param, 'it is an empty array, which has no embedding', 'empty_input');
  const bad = item.findIndex((id) => !isTokenId(id));
  if (bad < 0) return item as readonly number[];
  const found: unknown = item[bad];
  const code = typeof found === 'number' ? 'invalid_value' : 'invalid_type';
  const shown = typeof found === 'number' ? String(found) : kindOf(found);
  throw wrong(`${param}.${bad}`, `expected a token id, a whole number from 0, got ${shown}`, code);
}

/** Ids are 32 bits wide wherever they travel. */
const isTokenId = (id: unknown): boolean =>
  typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff;

const wrong = (param: string, what: string, code: string): GatewayError =>
  new GatewayError('invalid_request_error', `Invalid request: invalid value for '${param}': ${what}.`, { param, code });

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : typeof value;
}

/** Of a text about, of token ids exactly. */
export const itemTokens = (item: EmbeddingItem): number =>
  typeof item === 'string' ? tokensOfBytes(Buffer.byteLength(item)) : item.length;

export const tokensOfItems = (items: readonly EmbeddingItem[]): number =>
  items.reduce((sum, item) => sum + itemTokens(item), 0);
