import type { GatewayError } from '../../errors/index.ts';
import type { ErrorAnswer } from '../dialect.ts';
import type { EmbeddingDialect } from '../embedding-dialect.ts';
import { decodeOpenAiError } from '../openai/error.ts';
import { checkTypes, cohereAnswer } from './cohere-answer.ts';
import { type Body, bearer, checkDimensions, jsonRequest, layOver, purposeOf, textsOf, Wishes } from './fields.ts';

const DECIDED = ['texts', 'images', 'inputs', 'model'];
const SIZES = [256, 512, 1024, 1536];

export const COHERE_PURPOSES = {
  query: 'search_query',
  document: 'search_document',
  classification: 'classification',
  clustering: 'clustering',
} as const;

/**
 * Cohere (https://docs.cohere.com/reference/embed): 96 texts a call. Numbers are asked for, not its `base64`, of which no document
 * says how many bits a number has.
 */
export const cohereEmbeddings: EmbeddingDialect = {
  name: 'cohere',
  authorization: 'header',
  limits: () => ({ items: 96, tokens: 0 }),
  encodeEmbeddings(call, target) {
    const wishes = new Wishes(call);
    checkDimensions(call.dimensions, target.model.includes('v4') ? SIZES : [], target);
    const purpose = purposeOf(wishes, COHERE_PURPOSES) ?? COHERE_PURPOSES.document;
    const [truncate, priority, most] = [wishes.take('truncate'), wishes.take('priority'), wishes.take('max_tokens')];
    const body: Body = {
      model: target.model,
      texts: textsOf(call.items, target),
      input_type: purpose,
      embedding_types: wishes.take('embedding_types') ?? ['float'],
      ...(call.dimensions === null ? {} : { output_dimension: call.dimensions }),
      ...(truncate === undefined ? {} : { truncate }),
      ...(priority === undefined ? {} : { priority }),
      ...(most === undefined ? {} : { max_tokens: most }),
    };
    const warnings = [...wishes.done()];
    layOver(body, call.options, DECIDED, target, warnings);
    checkTypes(body.embedding_types);
    return jsonRequest(`${target.baseUrl}/v2/embed`, body, warnings, bearer(target));
  },
  decodeEmbeddings: (body, call) => cohereAnswer(body, call),
  decodeError: decodeCohereError,
};

/** `{"id", "message"}`; a status of 498 is an invalid token here, 499 a request that its sender gave up. */
function decodeCohereError(answer: ErrorAnswer): GatewayError {
  const status = answer.status === 498 ? 401 : answer.status === 499 ? 408 : answer.status;
  return decodeOpenAiError({ ...answer, status });
}
