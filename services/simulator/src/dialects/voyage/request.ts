import { type Fitted, fitText } from '../../embedding/fit.ts';
import { type Directives, splitText } from '../../faults/directives.ts';
import { type ApiError, badRequest } from './errors.ts';

export const outputTypes = ['float', 'int8', 'uint8', 'binary', 'ubinary'] as const;
export type OutputType = (typeof outputTypes)[number];

export interface ReadEmbeddings {
  /** As the model takes them, cut where they are too long. */
  readonly fitted: readonly Fitted[];
  readonly tokens: number;
  readonly dimensions: number;
  readonly type: OutputType;
  readonly base64: boolean;
}

type Json = Readonly<Record<string, unknown>>;

const maxItems = 1000;
const names = [
  'input',
  'model',
  'input_type',
  'truncation',
  'output_dimension',
  'output_dtype',
  'encoding_format',
] as const;

interface ModelLimits {
  /** Of one text. */
  readonly context: number;
  /** Of all texts together. */
  readonly total: number;
  readonly dimensions: number;
  readonly sizes: readonly number[];
}

/** By name, as the documentation's tables say ("Text embeddings", "Embeddings API"). */
function limitsOf(model: string): ModelLimits {
  const flexible = /voyage-(3-large|3\.5|4|code-3)/.test(model);
  const total = /(3|3\.5|4)-lite/.test(model) ? 1_000_000 : /large|code|finance|law/.test(model) ? 120_000 : 320_000;
  const context = /voyage-2$/.test(model) ? 4000 : /(law|code|large)-2/.test(model) ? 16_000 : 32_000;
  const dimensions = /(large|code)-2/.test(model) ? 1536 : /voyage-3-lite/.test(model) ? 512 : 1024;
  return { context, total, dimensions, sizes: flexible ? [256, 512, 1024, 2048] : [dimensions] };
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Validates as Voyage does; throws an `ApiError` for the first thing that is wrong. */
export function readEmbeddings(body: unknown, model: string, directives: Directives): ReadEmbeddings {
  if (!isObject(body)) throw badRequest('The request body is not valid JSON.');
  const unknown = Object.keys(body).find((name) => !names.some((known) => known === name));
  if (unknown !== undefined && !directives.lenient)
    throw badRequest(`Argument '${unknown}' is not supported by our API`);
  if (model === '') throw badRequest("Argument 'model' is required.");
  const limits = limitsOf(model);
  checkOneOf('input_type', body.input_type, ['query', 'document']);
  checkOneOf('output_dtype', body.output_dtype, outputTypes);
  checkOneOf('encoding_format', body.encoding_format, ['base64']);
  const truncation = body.truncation ?? true;
  if (typeof truncation !== 'boolean') throw badValue('truncation', body.truncation);
  const fitted = textsOf(body.input, model).map((text, index) =>
    fitOne(text, index, { model, most: limits.context, truncation }),
  );
  const tokens = fitted.reduce((sum, { tokens }) => sum + tokens, 0);
  if (tokens > limits.total)
    throw badRequest(
      `Request to model '${model}' failed. The max allowed tokens per submitted batch is ${limits.total}. Your batch has ${tokens} tokens after truncation. Please lower the number of tokens in the batch.`,
    );
  return {
    fitted,
    tokens,
    dimensions: directives.dims ?? dimensionsOf(body.output_dimension, model, limits),
    type: outputTypes.find((type) => type === body.output_dtype) ?? 'float',
    base64: body.encoding_format === 'base64',
  };
}

function badValue(name: string, value: unknown): ApiError {
  return badRequest(`Value '${JSON.stringify(value)}' provided for argument '${name}' is not supported.`);
}

/** Null is as good as absent. */
function checkOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (value !== undefined && value !== null && !allowed.some((item) => item === value)) throw badValue(name, value);
}

function textsOf(input: unknown, model: string): string[] {
  if (input === undefined || input === null) throw badRequest("Argument 'input' is required.");
  const list: unknown[] = Array.isArray(input) ? input : [input];
  if (list.length > maxItems)
    throw badRequest(
      `Request to model '${model}' failed. The batch size limit is ${maxItems}. Your batch size is ${list.length}.`,
    );
  if (list.length === 0 || list.includes('')) throw badRequest('Input cannot contain empty strings or empty lists');
  return list.map((item) => {
    if (typeof item !== 'string') throw badRequest('Input must be a string or a list of strings.');
    return splitText(item).rest;
  });
}

function fitOne(
  text: string,
  index: number,
  { model, most, truncation }: { model: string; most: number; truncation: boolean },
): Fitted {
  const fit = fitText(text, most);
  if (fit.truncated && !truncation)
    throw badRequest(
      `Request to model '${model}' failed. The example at index ${index} in your batch has too many tokens and does not fit into the model's context window of ${most} tokens. Please lower the number of tokens in the listed example(s) or use truncation.`,
    );
  return fit;
}

function dimensionsOf(wanted: unknown, model: string, { dimensions, sizes }: ModelLimits): number {
  if (wanted === undefined || wanted === null) return dimensions;
  if (!sizes.some((size) => size === wanted))
    throw badRequest(
      `Value '${String(wanted)}' provided for argument 'output_dimension' is not supported by model '${model}'. Supported values are [${sizes.join(', ')}].`,
    );
  return Number(wanted);
}
