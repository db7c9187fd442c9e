import type { CreateEmbeddingResponse, Embedding, EmbeddingCreateParams } from 'openai/resources/embeddings';
import { base64Of, type EmbeddingItem, seedTextOf, vectorOf } from '../../embedding/vectors.ts';
import { type Directives, splitText } from '../../faults/directives.ts';
import { countTokens } from '../../text/tokens.ts';
import { badRequest } from './errors.ts';
import { type Check, checkBody, type Fields, integer, oneOf, string, wrongType } from './shape.ts';

const maxItems = 2048;
const maxItemTokens = 8192;
const maxRequestTokens = 300_000;

const input: Check = (value, path) => {
  if (typeof value !== 'string' && !Array.isArray(value)) throw wrongType(path, 'a string or an array', value);
  if (value.length === 0) throw badRequest(`'$.input' is invalid: it must not be empty.`, path, 'empty_input');
};

const embeddingFields: Fields = {
  required: { model: string, input },
  optional: {
    dimensions: integer(1),
    encoding_format: oneOf('float', 'base64'),
    user: string,
  },
};

type Base64Embedding = Omit<Embedding, 'embedding'> & { embedding: string };

export interface EmbeddingAnswer {
  /** `data` is empty here. */
  readonly value: CreateEmbeddingResponse;
  /** The entries of `data`, made one by one. */
  readonly data: Iterable<Embedding | Base64Embedding>;
  readonly tokens: number;
}

/** Validates as OpenAI does and answers; throws an `ApiError` for the first thing that is wrong. */
export function embed(body: unknown, model: string, directives: Directives): EmbeddingAnswer {
  checkBody(body, embeddingFields, directives.lenient === true);
  const params = body as unknown as EmbeddingCreateParams;
  const items = itemsOf(params.input);
  const tokens = countItems(items);
  const dimensions = wantedDimensions(params, model);
  return {
    value: { object: 'list', data: [], model, usage: { prompt_tokens: tokens, total_tokens: tokens } },
    data: dataOf(directives.empty ? [] : items, directives.dims ?? dimensions, params.encoding_format === 'base64'),
    tokens,
  };
}

function* dataOf(items: readonly EmbeddingItem[], dimensions: number, base64: boolean) {
  for (const [index, item] of items.entries()) {
    const vector = vectorOf(seedTextOf(item), dimensions);
    yield { object: 'embedding' as const, index, embedding: base64 ? base64Of(vector) : Array.from(vector) } as
      | Embedding
      | Base64Embedding;
  }
}

function itemsOf(given: unknown): EmbeddingItem[] {
  if (typeof given === 'string') return [splitText(given).rest];
  const list: unknown[] = Array.isArray(given) ? given : [];
  if (list.every((item) => typeof item === 'number')) return [tokenIds(list, 'input')];
  if (list.length > maxItems)
    throw badRequest(
      `Invalid 'input': array too long. Expected an array with maximum length ${maxItems}, but got an array with length ${list.length} instead.`,
      'input',
      'array_above_max_length',
    );
  return list.map((item, index) => {
    const path = `input[${index}]`;
    if (item === '' || (Array.isArray(item) && item.length === 0))
      throw badRequest(`'$.${path}' is invalid: it must not be empty.`, 'input', 'empty_input');
    if (typeof item === 'string' && typeof list[0] === 'string') return splitText(item).rest;
    if (Array.isArray(item) && Array.isArray(list[0])) return tokenIds(item, path);
    throw wrongType(path, `${Array.isArray(list[0]) ? 'an array of integers' : 'a string'}`, item);
  });
}

function tokenIds(list: readonly unknown[], path: string): readonly number[] {
  return list.map((id, index) => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0)
      throw wrongType(`${path}[${index}]`, 'an integer', id);
    return id;
  });
}

function countItems(items: readonly EmbeddingItem[]): number {
  const counts = items.map((item) => (typeof item === 'string' ? countTokens(item) : item.length));
  const longest = Math.max(...counts);
  if (longest > maxItemTokens)
    throw badRequest(
      `This model's maximum context length is ${maxItemTokens} tokens, however you requested ${longest} tokens (${longest} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.`,
    );
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total > maxRequestTokens)
    throw badRequest(
      `Invalid 'input': maximum request size is ${maxRequestTokens} tokens per request.`,
      'input',
      'max_tokens_per_request',
    );
  return total;
}

/** Dimensions of the known models; others have 1536. */
function nativeDimensions(model: string): number {
  return model.includes('text-embedding-3-large') ? 3072 : 1536;
}

function wantedDimensions({ dimensions }: EmbeddingCreateParams, model: string): number {
  const native = nativeDimensions(model);
  if (dimensions === undefined) return native;
  if (model.includes('ada-002')) throw badRequest('This model does not support specifying dimensions.', 'dimensions');
  if (dimensions > native)
    throw badRequest(
      `Invalid value for 'dimensions' = ${dimensions}. Must be less than or equal to ${native}.`,
      'dimensions',
      'invalid_value',
    );
  return dimensions;
}
