import type { ContentEmbedding, UsageMetadata } from '@google/genai';
import { type Fitted, fitText } from '../../embedding/fit.ts';
import { vectorOf } from '../../embedding/vectors.ts';
import { type Directives, splitText } from '../../faults/directives.ts';
import type { LazyLists } from '../../http/jsonPieces.ts';
import { type EmbedMethod, embedParsers } from './embedFields.ts';
import { badRequest, type FieldViolation, type Host, invalidFields } from './errors.ts';
import { isObject, type JsonObject } from './proto.ts';

export interface EmbedAnswer {
  readonly value: object;
  /** Entries of lists that are empty in `value`. */
  readonly lists: LazyLists;
  readonly tokens: number;
}

/** One text to embed and its settings, as they came. */
interface Wanted {
  readonly text: string;
  readonly dimensions: unknown;
  readonly autoTruncate: unknown;
}

const maxBatch = 100;
const maxInstances = 250;
const maxPredictTokens = 20_000;

/** The Gemini API serves both content methods, Vertex predict and the single one. */
export function isEmbedMethod(method: string | undefined, host: Host): method is EmbedMethod {
  return method === 'embedContent' || method === (host === 'vertex' ? 'predict' : 'batchEmbedContents');
}

interface ModelLimits {
  /** Of one text; longer ones are cut unless the request forbids it. */
  readonly tokens: number;
  readonly dimensions: number;
}

function limitsOf(model: string): ModelLimits {
  if (/embedding-2/.test(model)) return { tokens: 8192, dimensions: 3072 };
  return { tokens: 2048, dimensions: model.includes('gemini-embedding') ? 3072 : 768 };
}

/** Validates as Google does and answers; throws an `ApiError` for what the parser, or then the service, finds wrong. */
export function embed(
  body: unknown,
  { method, model, host }: { readonly method: EmbedMethod; readonly model: string; readonly host: Host },
  directives: Directives,
): EmbedAnswer {
  const violations: FieldViolation[] = [];
  const read = embedParsers[method](body, '', violations);
  if (violations.length > 0 && !directives.lenient) throw invalidFields(violations);
  if (!isObject(read)) throw badRequest('Invalid JSON payload received. Expected an object.');
  if (method === 'predict') return predict(read, model, directives);
  const wanted = method === 'embedContent' ? [wantedOf(read, 'EmbedContentRequest', model)] : batchOf(read, model);
  const limits = limitsOf(model);
  const fitted = wanted.map((item) => fitOne(item, limits));
  const tokens = sum(fitted);
  const usage = directives.nousage ? {} : { usageMetadata: usageOf(tokens, host) };
  const dimensions = wanted.map((item) => directives.dims ?? dimensionsOf(item.dimensions, limits));
  const embeddings = function* (): Generator<ContentEmbedding> {
    if (directives.empty) return;
    for (const [index, { text }] of fitted.entries())
      yield { values: Array.from(vectorOf(text, dimensions[index] ?? limits.dimensions)) };
  };
  if (method === 'batchEmbedContents')
    return { value: { embeddings: [], ...usage }, lists: { embeddings: embeddings() }, tokens };
  const [embedding] = embeddings();
  const truncated = host === 'vertex' ? { truncated: fitted.some((fit) => fit.truncated) } : {};
  return { value: { ...(embedding === undefined ? {} : { embedding }), ...usage, ...truncated }, lists: {}, tokens };
}

/** Google AI Studio has a message of its own for it, EmbeddingUsageMetadata, whose details are spelt differently. */
function usageOf(tokens: number, host: Host): Pick<UsageMetadata, 'promptTokenCount' | 'totalTokenCount'> {
  const details = [{ modality: 'TEXT', tokenCount: tokens }];
  const inStudio = { promptTokenCount: tokens, promptTokenDetails: details };
  const inVertex = { promptTokenCount: tokens, totalTokenCount: tokens, promptTokensDetails: details };
  return host === 'studio' ? inStudio : inVertex;
}

function batchOf({ requests }: JsonObject, model: string): Wanted[] {
  const list = Array.isArray(requests) ? requests : [];
  if (list.length === 0) throw badRequest('* BatchEmbedContentsRequest.requests: must not be empty\n');
  if (list.length > maxBatch)
    throw badRequest(`* BatchEmbedContentsRequest.requests: at most ${maxBatch} requests can be in one batch\n`);
  return list.filter(isObject).map((request, index) => {
    const place = `BatchEmbedContentsRequest.requests[${index}]`;
    if (request.model === undefined) throw badRequest(`* ${place}.model: must not be empty\n`);
    return wantedOf(request, place, model);
  });
}

function wantedOf(request: JsonObject, place: string, model: string): Wanted {
  const { content, embedContentConfig: config = {} } = request;
  // Directives in the path's name are not repeated in the body by every client.
  if (typeof request.model === 'string' && request.model.replace(/\+[a-z].*$/, '') !== `models/${model}`)
    throw badRequest(`* ${place}.model: must match the model in the parent: models/${model}\n`);
  if (!isObject(content)) throw badRequest(`* ${place}.content: contents is not specified\n`);
  const parts = Array.isArray(content.parts) ? content.parts.filter(isObject) : [];
  if (parts.length === 0 || parts.some(({ text }) => text === ''))
    throw badRequest(`* ${place}.content contains an empty Part.\n`);
  if (parts.some(({ text }) => typeof text !== 'string'))
    throw badRequest('This model only supports text parts in its content.');
  const settings = isObject(config) ? config : {};
  return {
    text: splitText(parts.map(({ text }) => text).join('\n')).rest,
    dimensions: settings.outputDimensionality ?? request.outputDimensionality,
    autoTruncate: settings.autoTruncate,
  };
}

/** Vertex AI's text embeddings ("Text embeddings API"): one text of Gemini models, up to 250 of the others. */
function predict({ instances, parameters = {} }: JsonObject, model: string, directives: Directives): EmbedAnswer {
  const list = Array.isArray(instances) ? instances.filter(isObject) : [];
  const most = model.includes('gemini-embedding') ? 1 : maxInstances;
  if (list.length === 0) throw badRequest('Empty instances.');
  if (list.length > most) throw badRequest(`${most} instance(s) is allowed per prediction. Actual: ${list.length}`);
  const { outputDimensionality, autoTruncate } = isObject(parameters) ? parameters : {};
  const limits = limitsOf(model);
  const wanted = list.map(({ content, title, taskType }, index): Wanted => {
    if (typeof content !== 'string' || content === '') throw badRequest('The text content is empty.');
    if (title !== undefined && taskType !== 'RETRIEVAL_DOCUMENT')
      throw badRequest(`title is only applicable to task_type RETRIEVAL_DOCUMENT, at instances[${index}].`);
    const text = splitText(content).rest;
    return { text, dimensions: outputDimensionality, autoTruncate };
  });
  const fitted = wanted.map((item) => fitOne(item, limits));
  const tokens = sum(fitted);
  if (tokens > maxPredictTokens) throw tooLong(tokens, maxPredictTokens);
  const dimensions = directives.dims ?? dimensionsOf(outputDimensionality, limits);
  const billableCharacterCount = fitted.reduce((total, { text }) => total + text.replace(/\s/g, '').length, 0);
  return {
    value: { predictions: [], ...(directives.nousage ? {} : { metadata: { billableCharacterCount } }) },
    lists: { predictions: predictions(directives.empty ? [] : fitted, dimensions, directives.nousage === true) },
    tokens,
  };
}

function* predictions(fitted: readonly Fitted[], dimensions: number, silent: boolean) {
  for (const { text, tokens, truncated } of fitted) {
    const statistics = { truncated, token_count: tokens };
    const values = Array.from(vectorOf(text, dimensions));
    yield { embeddings: silent ? { values } : { statistics, values } };
  }
}

function fitOne({ text, autoTruncate }: Wanted, { tokens }: ModelLimits): Fitted {
  const fit = fitText(text, tokens);
  if (fit.truncated && autoTruncate === false) throw tooLong(fitText(text, text.length).tokens, tokens);
  return fit;
}

function tooLong(tokens: number, most: number) {
  return badRequest(
    `Unable to submit request because the input token count is ${tokens} but the model supports up to ${most}. Reduce the input token count and try again. You can also use the CountTokens API to calculate prompt token count and billable characters. Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini`,
  );
}

function dimensionsOf(wanted: unknown, { dimensions }: ModelLimits): number {
  if (wanted === undefined) return dimensions;
  const number = Number(wanted);
  if (number < 1 || number > dimensions)
    throw badRequest(`outputDimensionality must be between 1 and ${dimensions}, got ${number}.`);
  return number;
}

function sum(fitted: readonly Fitted[]): number {
  return fitted.reduce((total, { tokens }) => total + tokens, 0);
}
