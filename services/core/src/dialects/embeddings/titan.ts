import type { Target } from '../dialect.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../embedding-dialect.ts';
import { type Body, checkDimensions, refused, type Wishes } from './fields.ts';
import { countOrNull, cutVectors, oneForEach, valueAt } from './vectors.ts';

const V2_SIZES = [256, 512, 1024];
const IMAGE_SIZES = [256, 384, 1024];

/**
 * Amazon Titan (https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html, and
 * -titan-embed-mm.html for the one that also reads images): one text a call.
 */
export function titanBody(texts: readonly string[], call: EmbeddingCall, target: Target, wishes: Wishes): Body {
  const [inputText, ...others] = texts;
  if (inputText === undefined || others.length > 0) {
    throw refused('input', 'unsupported_content', `input: ${target.model} takes one text a call.`);
  }
  const { dimensions } = call;
  if (target.model.includes('embed-image')) {
    checkDimensions(dimensions, IMAGE_SIZES, target);
    return { inputText, ...(dimensions === null ? {} : { embeddingConfig: { outputEmbeddingLength: dimensions } }) };
  }
  const isV2 = target.model.includes('text-v2');
  checkDimensions(dimensions, isV2 ? V2_SIZES : [], target);
  const normalize = isV2 ? wishes.take('normalize') : undefined;
  return {
    inputText,
    ...(dimensions === null ? {} : { dimensions }),
    ...(normalize === undefined ? {} : { normalize }),
  };
}

export function titanAnswer(bytes: Buffer, call: EmbeddingCall): EmbeddingAnswer {
  const { outline, vectors } = cutVectors(bytes, (body) => {
    const vector = valueAt(body, ['embedding']);
    return vector === null ? [] : [vector];
  });
  return {
    vectors: oneForEach(vectors, call.items.length),
    promptTokens: countOrNull(outline.inputTextTokenCount),
    responseModel: null,
  };
}
