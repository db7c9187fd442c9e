import type { Target } from '../dialect.ts';
import type { EmbeddingAnswer, EmbeddingCall, EmbeddingDialect, EmbeddingVector } from '../embedding-dialect.ts';
import { decodeOpenAiError } from '../openai/error.ts';
import { unreadableAnswer } from '../translation/provider-json.ts';
import { compatibleOf } from './compatible.ts';
import { type Body, bearer, checkDimensions, jsonRequest, layOver, refused, textsOf, Wishes } from './fields.ts';
import { countOrNull, cutVectors, eachAt, elementsAt, memberOf, oneForEach } from './vectors.ts';

/** OpenAI's embeddings (https://platform.openai.com/docs/api-reference/embeddings/create), and everybody who speaks as it does. */
export const openaiEmbeddings: EmbeddingDialect = {
  name: 'openai',
  authorization: 'header',
  limits: (target) => compatibleOf(target).limits,
  encodeEmbeddings(call, target) {
    const { body, warnings } = openaiBody(call, target);
    return jsonRequest(`${target.baseUrl}/embeddings`, body, warnings, bearer(target));
  },
  decodeEmbeddings: (body, call) => openaiAnswer(body, call),
  decodeError: decodeOpenAiError,
};

const DECIDED = ['input', 'model', 'encoding_format'];

export function openaiBody(
  call: EmbeddingCall,
  target: Target,
): { readonly body: Body; readonly warnings: readonly string[] } {
  const own = compatibleOf(target);
  if (own.foreignVectors) {
    throw refused('model', 'unsupported_model', `${target.provider} has vectors of 8-bit integers or bits only.`);
  }
  const wishes = new Wishes(call);
  for (const name of own.refuses) if (wishes.take(name) !== undefined) wishes.drop(name);
  const input = own.tokenIds ? call.items : textsOf(call.items, target);
  const isFloat = (call.options.output_dtype ?? call.extra.output_dtype ?? 'float') === 'float';
  const body: Body = { ...wishes.takeAll(), model: target.model, input };
  if (own.encodingFormat) body.encoding_format = isFloat ? call.format : 'float';
  const field = own.dimensions(target.model);
  if (field === null) checkDimensions(call.dimensions, [], target);
  else if (call.dimensions !== null) body[field] = call.dimensions;
  const warnings = [...wishes.done()];
  layOver(body, call.options, DECIDED, target, warnings);
  return { body, warnings };
}

/** Also Voyage's answers: they differ in the usage alone. */
export function openaiAnswer(bytes: Buffer, call: EmbeddingCall): EmbeddingAnswer {
  const { outline, vectors } = cutVectors(bytes, (body) => eachAt(body, elementsAt(body, ['data']), ['embedding']));
  const { data, usage, model } = outline;
  return {
    vectors: inOrder(oneForEach(vectors, call.items.length), Array.isArray(data) ? data : []),
    promptTokens: countOrNull(memberOf(usage, 'prompt_tokens')) ?? countOrNull(memberOf(usage, 'total_tokens')),
    responseModel: typeof model === 'string' ? model : null,
  };
}

/** By `index`, which all entries have or none. */
function inOrder(vectors: readonly EmbeddingVector[], entries: readonly unknown[]): readonly EmbeddingVector[] {
  if (entries.every((entry) => memberOf(entry, 'index') === undefined)) return vectors;
  const ordered = new Map<unknown, EmbeddingVector>();
  for (const [at, vector] of vectors.entries()) ordered.set(memberOf(entries[at], 'index'), vector);
  return vectors.map((_, index) => {
    const vector = ordered.get(index);
    if (vector === undefined) throw unreadableAnswer(`no vector for item ${index}`);
    return vector;
  });
}
