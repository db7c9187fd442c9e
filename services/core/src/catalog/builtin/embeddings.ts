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
}

function embedding(id: string, provider: string, model: string, { dimensions, ...facts }: Facts): BuiltinModel {
  return {
    id,
    type: 'embedding',
    ...facts,
    input: ['text'],
    tags: [],
    parameters: dimensions ? WITH_DIMENSIONS : PLAIN,
    endpoints: [[provider, model]],
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
  embedding('google/gemini-embedding-001', 'gemini', 'gemini-embedding-001', {
    name: 'Gemini Embedding 001',
    description: 'Embeddings for many languages, 3072 dimensions or fewer.',
    released: '2025-07-14',
    contextWindow: 2048,
    dimensions: true,
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
