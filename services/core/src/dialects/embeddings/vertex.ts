import type { Target } from '../dialect.ts';
import type { EmbeddingAnswer, EmbeddingCall, EmbeddingDialect } from '../embedding-dialect.ts';
import { decodeGoogleError } from '../gemini/error.ts';
import { modelPath } from '../vertex/model-path.ts';
import { type Body, jsonRequest, refused, textsOf } from './fields.ts';
import { googleSettings } from './google-fields.ts';
import { countOrNull, cutVectors, eachAt, elementsAt, memberOf, oneForEach, valueAt } from './vectors.ts';

const FIELDS = ['taskType', 'title', 'outputDimensionality', 'autoTruncate'];

/**
 * Vertex AI (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api): `predict` of one text of
 * gemini-embedding-001, or 250 texts and 20,000 tokens of the others; `embedContent` of one text of gemini-embedding-2.
 */
export const vertexEmbeddings: EmbeddingDialect = {
  name: 'vertex',
  authorization: 'google',
  limits: ({ model }) => ({ items: model.includes('gemini-embedding') ? 1 : 250, tokens: 20_000 }),
  encodeEmbeddings(call, target) {
    const texts = textsOf(call.items, target);
    const { fields, warnings } = googleSettings(call, target, FIELDS);
    const method = isSecond(target) ? 'embedContent' : 'predict';
    return jsonRequest(
      `${target.baseUrl}/v1/${modelPath(target, 'google')}:${method}`,
      isSecond(target) ? contentBody(texts, fields) : predictBody(texts, fields),
      warnings,
    );
  },
  decodeEmbeddings: (body, call, target) => (isSecond(target) ? contentAnswer(body, call) : predictAnswer(body, call)),
  decodeError: decodeGoogleError,
};

const isSecond = ({ model }: Target): boolean => model.includes('gemini-embedding-2');

function predictBody(texts: readonly string[], { taskType, title, ...parameters }: Body): object {
  const settings = {
    ...(taskType === undefined ? {} : { task_type: taskType }),
    ...(title === undefined ? {} : { title }),
  };
  const instances = texts.map((content) => ({ content, ...settings }));
  return { instances, ...(Object.keys(parameters).length === 0 ? {} : { parameters }) };
}

function contentBody(texts: readonly string[], fields: Body): object {
  const [text, ...others] = texts;
  if (text === undefined || others.length > 0) throw refused('input', 'unsupported_content', 'input: one text a call.');
  const content = { parts: [{ text }] };
  return { content, ...(Object.keys(fields).length === 0 ? {} : { embedContentConfig: fields }) };
}

function predictAnswer(bytes: Buffer, call: EmbeddingCall): EmbeddingAnswer {
  const { outline, vectors } = cutVectors(bytes, (body) =>
    eachAt(body, elementsAt(body, ['predictions']), ['embeddings', 'values']),
  );
  const predictions = Array.isArray(outline.predictions) ? outline.predictions : [];
  const counts = predictions.map((entry) =>
    countOrNull(memberOf(memberOf(memberOf(entry, 'embeddings'), 'statistics'), 'token_count')),
  );
  // What one of them leaves out, no sum can say.
  const sum = counts.reduce((total, count) => (total === null || count === null ? null : total + count), 0);
  return { vectors: oneForEach(vectors, call.items.length), promptTokens: sum, responseModel: null };
}

function contentAnswer(bytes: Buffer, call: EmbeddingCall): EmbeddingAnswer {
  const { outline, vectors } = cutVectors(bytes, (body) => {
    const values = valueAt(body, ['embedding', 'values']);
    return values === null ? [] : [values];
  });
  return {
    vectors: oneForEach(vectors, call.items.length),
    promptTokens: countOrNull(memberOf(outline.usageMetadata, 'promptTokenCount')),
    responseModel: null,
  };
}
