import type { EmbeddingDialect } from '../embedding-dialect.ts';
import { decodeGoogleError } from '../gemini/error.ts';
import { hasKey, jsonRequest, textsOf } from './fields.ts';
import { googleSettings } from './google-fields.ts';
import { countOrNull, cutVectors, eachAt, elementsAt, memberOf, oneForEach } from './vectors.ts';

const FIELDS = ['taskType', 'title', 'outputDimensionality'];

/** Google AI Studio (https://ai.google.dev/api/embeddings#method:-models.batchembedcontents): 100 texts a call. */
export const geminiEmbeddings: EmbeddingDialect = {
  name: 'gemini',
  authorization: 'header',
  limits: () => ({ items: 100, tokens: 0 }),
  encodeEmbeddings(call, target) {
    const { fields, warnings } = googleSettings(call, target, FIELDS);
    const model = target.model.includes('/') ? target.model : `models/${target.model}`;
    const requests = textsOf(call.items, target).map((text) => ({ model, content: { parts: [{ text }] }, ...fields }));
    const { apiKey } = target.credentials;
    return jsonRequest(
      `${target.baseUrl}/v1beta/${model}:batchEmbedContents`,
      { requests },
      warnings,
      hasKey(apiKey) ? ['x-goog-api-key', apiKey] : [],
    );
  },
  decodeEmbeddings(bytes, call) {
    const { outline, vectors } = cutVectors(bytes, (body) =>
      eachAt(body, elementsAt(body, ['embeddings']), ['values']),
    );
    return {
      vectors: oneForEach(vectors, call.items.length),
      promptTokens: countOrNull(memberOf(outline.usageMetadata, 'promptTokenCount')),
      responseModel: null,
    };
  },
  decodeError: decodeGoogleError,
};
