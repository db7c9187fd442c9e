import { decodeBedrockError } from '../bedrock/error.ts';
import type { Target } from '../dialect.ts';
import type { EmbeddingCall, EmbeddingDialect } from '../embedding-dialect.ts';
import { COHERE_PURPOSES } from './cohere.ts';
import { checkTypes, cohereAnswer } from './cohere-answer.ts';
import { type Body, checkDimensions, jsonRequest, layOver, purposeOf, refused, textsOf, Wishes } from './fields.ts';
import { titanAnswer, titanBody } from './titan.ts';

const DECIDED = ['inputText', 'inputImage', 'texts', 'images', 'inputs', 'embeddingTypes'];
const V4_SIZES = [256, 512, 1024, 1536];

/**
 * Embedding models on AWS Bedrock by InvokeModel (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html):
 * Titan, one text and 8,192 tokens a call, and Cohere's, 96 texts a call
 * (https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html).
 */
export const bedrockEmbeddings: EmbeddingDialect = {
  name: 'bedrock',
  authorization: 'aws',
  limits: ({ model }) => (isCohere(model) ? { items: 96, tokens: 0 } : { items: 1, tokens: 8192 }),
  encodeEmbeddings(call, target) {
    const texts = textsOf(call.items, target);
    const wishes = new Wishes(call);
    const body = isCohere(target.model)
      ? cohereBody(texts, call, target, wishes)
      : titanBody(texts, call, titanTarget(target), wishes);
    const warnings = [...wishes.done()];
    layOver(body, call.options, DECIDED, target, warnings);
    if (isCohere(target.model)) checkTypes(body.embedding_types);
    return jsonRequest(`${target.baseUrl}/model/${encodeURIComponent(target.model)}/invoke`, body, warnings);
  },
  // Cohere's answers here have no count: it stands in a header.
  decodeEmbeddings: (body, call, { model }) => (isCohere(model) ? cohereAnswer(body, call) : titanAnswer(body, call)),
  decodeError: decodeBedrockError,
};

const isCohere = (model: string): boolean => /cohere\.embed/.test(model);

function titanTarget(target: Target): Target {
  if (/titan-embed/.test(target.model)) return target;
  throw refused(
    'model',
    'unsupported_model',
    `model: embeddings of ${target.model} on Bedrock are not known; Titan (amazon.titan-embed-...) and Cohere (cohere.embed-...) are.`,
  );
}

function cohereBody(texts: readonly string[], call: EmbeddingCall, target: Target, wishes: Wishes): Body {
  const isV4 = target.model.includes('embed-v4');
  checkDimensions(call.dimensions, isV4 ? V4_SIZES : [], target);
  const purpose = purposeOf(wishes, COHERE_PURPOSES) ?? COHERE_PURPOSES.document;
  const truncate = wishes.take('truncate');
  const most = isV4 ? wishes.take('max_tokens') : undefined;
  return {
    texts,
    input_type: purpose,
    embedding_types: wishes.take('embedding_types') ?? ['float'],
    ...(call.dimensions === null ? {} : { output_dimension: call.dimensions }),
    ...(truncate === undefined ? {} : { truncate }),
    ...(most === undefined ? {} : { max_tokens: most }),
  };
}
