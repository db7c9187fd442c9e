import type { EmbeddingDialect } from '../embedding-dialect.ts';
import { azureEmbeddings } from './azure.ts';
import { bedrockEmbeddings } from './bedrock.ts';
import { cohereEmbeddings } from './cohere.ts';
import { geminiEmbeddings } from './gemini.ts';
import { openaiEmbeddings } from './openai.ts';
import { vertexEmbeddings } from './vertex.ts';
import { voyageEmbeddings } from './voyage.ts';

const dialects: ReadonlyMap<string, EmbeddingDialect> = new Map(
  [
    openaiEmbeddings,
    azureEmbeddings,
    geminiEmbeddings,
    vertexEmbeddings,
    bedrockEmbeddings,
    cohereEmbeddings,
    voyageEmbeddings,
  ].map((dialect) => [dialect.name, dialect]),
);

/** Undefined for a name whose language has no embeddings in this release, such as `anthropic`. */
export const findEmbeddingDialect = (name: string): EmbeddingDialect | undefined => dialects.get(name);
