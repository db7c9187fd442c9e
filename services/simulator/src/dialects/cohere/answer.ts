import { randomUUID } from 'node:crypto';
import type { Cohere } from 'cohere-ai';
import { quantised } from '../../embedding/quantised.ts';
import { base64Of, vectorOf } from '../../embedding/vectors.ts';
import type { SnakeCased } from '../../embedding/wire.ts';
import type { Directives } from '../../faults/directives.ts';
import type { LazyLists } from '../../http/jsonPieces.ts';
import type { EmbeddingType, ReadEmbed } from './request.ts';

export interface EmbedAnswer {
  /** The lists of `embeddings` are empty here. */
  readonly value: SnakeCased<Cohere.EmbedByTypeResponse>;
  readonly lists: LazyLists;
  readonly tokens: number;
}

/** Vectors by type; Bedrock's Cohere models answer with them, too. */
export function vectorLists({ fitted, types, dimensions }: ReadEmbed, { empty }: Directives): LazyLists {
  const texts = empty ? [] : fitted.map(({ text }) => text);
  return Object.fromEntries(types.map((type) => [type, entries(texts, dimensions, type)]));
}

function* entries(texts: readonly string[], dimensions: number, type: EmbeddingType): Generator<number[] | string> {
  for (const text of texts) {
    const vector = vectorOf(text, dimensions);
    if (type === 'base64') yield base64Of(vector);
    else yield Array.from(type === 'float' ? vector : quantised(vector, type));
  }
}

export function embedAnswer(read: ReadEmbed, directives: Directives): EmbedAnswer {
  const tokens = read.fitted.reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    value: {
      id: randomUUID(),
      texts: [...read.texts],
      embeddings: Object.fromEntries(read.types.map((type) => [type, []])),
      ...(directives.nousage
        ? {}
        : { meta: { api_version: { version: '2' }, billed_units: { input_tokens: tokens } } }),
      response_type: 'embeddings_by_type',
    },
    lists: vectorLists(read, directives),
    tokens,
  };
}
