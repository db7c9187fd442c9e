import { type Fitted, fitText } from '../../embedding/fit.ts';
import { type Directives, splitText } from '../../faults/directives.ts';
import { ApiError, invalid } from './errors.ts';

export const embeddingTypes = ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'] as const;
export type EmbeddingType = (typeof embeddingTypes)[number];

export interface ReadEmbed {
  /** As they came, but for directives. */
  readonly texts: readonly string[];
  /** The same as the model takes them, cut where they are too long. */
  readonly fitted: readonly Fitted[];
  readonly types: readonly EmbeddingType[];
  readonly dimensions: number;
}

type Json = Readonly<Record<string, unknown>>;

const maxItems = 96;
const inputTypes = ['search_document', 'search_query', 'classification', 'clustering', 'image'];
const sizes = [256, 512, 1024, 1536];

/** Goes into the type names of Cohere's messages. */
const fields: Readonly<Record<string, string>> = {
  texts: '[]string',
  images: '[]string',
  inputs: '[]object',
  model: 'string',
  input_type: 'string',
  max_tokens: 'integer',
  output_dimension: 'integer',
  embedding_types: '[]string',
  truncate: 'string',
  priority: 'integer',
};

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the versions of Embed allow; names without a version are as v4. */
function modelLimits(model: string): { tokens: number; dimensions: number; sizes: readonly number[] } {
  if (!/v[123]/.test(model)) return { tokens: 128_000, dimensions: 1536, sizes };
  return { tokens: 512, dimensions: model.includes('light') ? 384 : 1024, sizes: [] };
}

/** Validates as Cohere does (API reference, "Embed API (v2)"); throws an `ApiError` for the first thing that is wrong. */
export function readEmbed(body: unknown, model: string, directives: Directives): ReadEmbed {
  if (!isObject(body)) throw invalid('the body must be a JSON object');
  if (!directives.lenient) checkNames(body);
  for (const [name, type] of Object.entries(fields)) checkType(name, type, body[name]);
  if (model === '') throw invalid('model is required');
  const limits = modelLimits(model);
  if (body.input_type === undefined) throw invalid('valid input_type must be provided with the provided model');
  checkOneOf('input_type', body.input_type, inputTypes);
  const texts = textsOf(body);
  return {
    texts,
    fitted: texts.map((text, index) => fitted(text, index, body, limits.tokens)),
    types: typesOf(body.embedding_types),
    dimensions: directives.dims ?? dimensionsOf(body.output_dimension, limits),
  };
}

function checkNames(body: Json): void {
  const unknown = Object.keys(body).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) throw new ApiError(422, `unknown field: parameter '${unknown}' is not a valid field`);
}

function checkType(name: string, type: string, value: unknown): void {
  if (value === undefined || value === null) return;
  const found = typeNameOf(value);
  if (type.startsWith('[]') && Array.isArray(value)) {
    const odd = value.find((item) => typeNameOf(item) !== type.slice(2));
    if (odd !== undefined) throw wrongType(name, `[]${typeNameOf(odd)}`, type);
  } else if (found !== type) throw wrongType(name, found, type);
}

function wrongType(name: string, found: string, wanted: string): ApiError {
  return new ApiError(
    400,
    `invalid type: parameter ${name} is of type ${found} but should be of type ${wanted}. For proper usage, please refer to https://docs.cohere.com`,
  );
}

function typeNameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'float';
  return typeof value;
}

function checkOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (!allowed.some((item) => item === value))
    throw invalid(`${name} must be one of ${allowed.join(', ')} - received ${String(value)}`);
}

/** Exactly one of texts, inputs and images holds what is to be embedded. */
function textsOf({ texts, inputs, images }: Json): string[] {
  const given = [texts, inputs, images].filter((list) => Array.isArray(list));
  if (given.length !== 1) throw invalid('exactly one of texts, images, or inputs must be provided');
  if (Array.isArray(images)) throw invalid('images are not supported by this simulator');
  const list: unknown[] = given[0] ?? [];
  if (list.length === 0) throw invalid('at least one text must be provided');
  if (list.length > maxItems)
    throw invalid(`total number of texts must be at most ${maxItems} - received ${list.length}`);
  return list.map((item, index) => {
    const text = typeof item === 'string' ? item : inputText(item);
    if (text === '') throw invalid(`texts[${index}] must not be empty`);
    return splitText(text).rest;
  });
}

/** The text of one of `inputs`: `{"content": [{"type": "text", "text": "..."}]}`. */
export function inputText(input: unknown): string {
  const content = isObject(input) && Array.isArray(input.content) ? input.content : [];
  return content
    .map((part: unknown) => {
      if (!isObject(part) || part.type !== 'text' || typeof part.text !== 'string')
        throw invalid('this simulator takes inputs of text content only');
      return part.text;
    })
    .join('\n');
}

function fitted(text: string, index: number, { truncate, max_tokens: wanted }: Json, most: number): Fitted {
  const cut = truncate ?? 'END';
  checkOneOf('truncate', cut, ['NONE', 'START', 'END']);
  const limit = Math.min(most, typeof wanted === 'number' ? wanted : most);
  const fit = fitText(text, limit, cut === 'START' ? 'start' : 'end');
  if (fit.truncated && cut === 'NONE')
    throw invalid(
      `texts[${index}] is too long: total number of tokens must be at most ${limit} - received more; use truncate START or END`,
    );
  return fit;
}

function typesOf(given: unknown): EmbeddingType[] {
  const list: unknown[] = Array.isArray(given) && given.length > 0 ? given : ['float'];
  for (const item of list) checkOneOf('embedding_types', item, embeddingTypes);
  return embeddingTypes.filter((type) => list.includes(type));
}

function dimensionsOf(wanted: unknown, limits: { dimensions: number; sizes: readonly number[] }): number {
  if (typeof wanted !== 'number') return limits.dimensions;
  if (limits.sizes.length === 0) throw invalid('output_dimension is not supported by the provided model');
  if (!limits.sizes.includes(wanted))
    throw invalid(`output_dimension must be one of ${limits.sizes.join(', ')} - received ${wanted}`);
  return wanted;
}
