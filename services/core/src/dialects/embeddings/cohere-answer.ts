import { arrayElements, objectMembers, type Span } from '../../json/index.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../embedding-dialect.ts';
import { refused } from './fields.ts';
import { countOrNull, cutVectors, memberOf, oneForEach, valueAt } from './vectors.ts';

/**
 * Cohere's answers, at its own API and on Bedrock: vectors under the name of their type (`embeddings: {float: [...]}`), or, from
 * models on Bedrock that were asked for no type, in a plain list. Usage is there where it is billed by the answer.
 */
export function cohereAnswer(bytes: Buffer, call: EmbeddingCall): EmbeddingAnswer {
  const { outline, vectors } = cutVectors(bytes, findVectors);
  return {
    vectors: oneForEach(vectors, call.items.length),
    promptTokens: countOrNull(memberOf(memberOf(outline.meta, 'billed_units'), 'input_tokens')),
    responseModel: null,
  };
}

const OPEN_BRACE = 0x7b;

function findVectors(bytes: Buffer): Span[] {
  const embeddings = valueAt(bytes, ['embeddings']);
  if (embeddings === null) return [];
  if (bytes[embeddings.start] !== OPEN_BRACE) return arrayElements(bytes, embeddings.start);
  // One type was asked for; the SDKs of old show the others as null.
  const lists = objectMembers(bytes, embeddings.start).map(({ valueStart }) => arrayElements(bytes, valueStart));
  return lists.find((list) => list.length > 0) ?? [];
}

/** Throws where vectors of more than one type, or packed ones, are asked for: an item has one vector in OpenAI's answer. */
export function checkTypes(types: unknown): void {
  const known = ['float', 'int8', 'uint8', 'binary', 'ubinary'];
  if (Array.isArray(types) && types.length === 1 && known.includes(String(types[0]))) return;
  throw refused('embedding_types', 'unsupported_value', `embedding_types: must name one of ${known.join(', ')}.`);
}
