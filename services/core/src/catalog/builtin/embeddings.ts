import type { BuiltinModel } from '../builtin-models.ts';

const WITH_DIMENSIONS = ['dimensions', 'encoding_format'];
const PLAIN = ['encoding_format'];

interface Facts {
  readonly name: string;
  readonly description: string;
  readonly released?: string;
  /** Longest single input, tokens. */
  readonly contextWindow: number;
  readonly dimensions: boolean;
  /** Further providers of the same model, whose vectors are the same. */
  readonly also?: readonly (readonly [provider: string, model: string])[];
}

function embedding(
  id: string,
  provider: string,
  model: string,
  { dimensions, also = [], ...facts }: Facts,
): BuiltinModel {
  return {
    id,
    type: 'embedding',
    ...facts,
    input: ['text'],
    tags: [],
    parameters: dimensions ? WITH_DIMENSIONS : PLAIN,
    endpoints: [[provider, model], ...also],
  };
}

export const EMBEDDING_MODELS: readonly BuiltinModel[] = [
  embedding('openai/text-embedding-3-small', 'openai', 'text-embedding-3-small', {
    name: 'Text Embedding 3 Small',
    description: 'Cheap embeddings, 1536 dimensions or fewer.',
    released: '2024-01-25',
    contextWindow: 8192,
    dimensions: true,
  }),
  embedding('openai/text-embedding-3-large', 'openai', 'text-embedding-3-large', {
    name: 'Text Embedding 3 Large',
    description: 'Strong embeddings, 3072 dimensions or fewer.',
    released: '2024-01-25',
    contextWindow: 8192,
    dimensions: true,
  }),
  embedding('openai/text-embedding-ada-002', 'openai', 'text-embedding-ada-002', {
    name: 'Text Embedding Ada 002',
    description: 'The older embeddings of OpenAI, 1536 dimensions.',
    released: '2022-12-15',
    contextWindow: 8192,
    dimensions: false,
  }),
  embedding('google/gemini-embedding-001', 'gemini', 'gemini-embedding-001', {
    name: 'Gemini Embedding 001',
    description: 'Embeddings for many languages, 3072 dimensions or fewer.',
    released: '2025-07-14',
    contextWindow: 2048,
    dimensions: true,
    also: [['vertex', 'gemini-embedding-001']],
  }),
  embedding('amazon/titan-embed-text-v2', 'bedrock', 'amazon.titan-embed-text-v2:0', {
    name: 'Titan Text Embeddings V2',
    description: 'Text embeddings of 1024, 512 or 256 dimensions.',
    released: '2024-04-30',
    contextWindow: 8192,
    dimensions: true,
  }),
  embedding('amazon/titan-embed-text-v1', 'bedrock', 'amazon.titan-embed-text-v1', {
    name: 'Titan Embeddings G1 - Text',
    description: 'Text embeddings, 1536 dimensions.',
    contextWindow: 8192,
    dimensions: false,
  }),
  embedding('mistral/mistral-embed', 'mistral', 'mistral-embed', {
    name: 'Mistral Embed',
    description: 'Text embeddings, 1024 dimensions.',
    contextWindow: 8192,
    dimensions: false,
  }),
  embedding('cohere/embed-v4.0', 'cohere', 'embed-v4.0', {
    name: 'Embed v4.0',
    description: 'Embeddings for many languages, 1536 dimensions or fewer.',
    released: '2025-04-15',
    contextWindow: 128_000,
    dimensions: true,
    also: [['bedrock', 'cohere.embed-v4:0']],
  }),
  embedding('voyage/voyage-3-large', 'voyage', 'voyage-3-large', {
    name: 'Voyage 3 large',
    description: 'Strong retrieval in many languages, 2048 dimensions or fewer.',
    released: '2025-01-07',
    contextWindow: 32_000,
    dimensions: true,
  }),
  embedding('voyage/voyage-3.5', 'voyage', 'voyage-3.5', {
    name: 'Voyage 3.5',
    description: 'General retrieval, 2048 dimensions or fewer.',
    released: '2025-05-20',
    contextWindow: 32_000,
    dimensions: true,
  }),
  embedding('voyage/voyage-3.5-lite', 'voyage', 'voyage-3.5-lite', {
    name: 'Voyage 3.5 lite',
    description: 'Cheap, fast retrieval, 2048 dimensions or fewer.',
    released: '2025-05-20',
    contextWindow: 32_000,
    dimensions: true,
  }),
  embedding('voyage/voyage-code-3', 'voyage', 'voyage-code-3', {
    name: 'Voyage Code 3',
    description: 'Retrieval of code, 2048 dimensions or fewer.',
    released: '2024-12-04',
    contextWindow: 32_000,
    dimensions: true,
  }),
];
