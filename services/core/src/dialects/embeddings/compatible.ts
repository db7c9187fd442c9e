import type { Target } from '../dialect.ts';
import type { EmbeddingLimits } from '../embedding-dialect.ts';
import { presetNameOf } from '../openai/compatible/presets.ts';

/** How the embeddings of a provider that speaks OpenAI's language differ from OpenAI's. */
export interface CompatibleEmbeddings {
  readonly limits: EmbeddingLimits;
  /** Takes token ids in place of texts. */
  readonly tokenIds: boolean;
  /** Knows `encoding_format`, base64 included (or passes over it, as the answer shows). */
  readonly encodingFormat: boolean;
  /** The field for the number of dimensions; null where the model has one size only. */
  readonly dimensions: (model: string) => 'dimensions' | 'output_dimension' | null;
  /** Fields that it refuses. */
  readonly refuses: readonly string[];
  /** Its vectors are not float32, so that nobody who asked for floats could read them. */
  readonly foreignVectors: boolean;
}

/** 2048 items and 300,000 tokens a request: https://platform.openai.com/docs/api-reference/embeddings/create, `input`. */
const OPENAI: CompatibleEmbeddings = {
  limits: { items: 2048, tokens: 300_000 },
  tokenIds: true,
  encodingFormat: true,
  // ada-002 is the one that came before `dimensions`.
  dimensions: (model) => (model.includes('ada-002') ? null : 'dimensions'),
  refuses: [],
  foreignVectors: false,
};

/** Limits of the operator's own servers are theirs to say; OpenAI's number of items is what clients are written for. */
const UNKNOWN: CompatibleEmbeddings = {
  ...OPENAI,
  limits: { items: 2048, tokens: 0 },
  dimensions: () => 'dimensions',
};

const TEXTS_ONLY: CompatibleEmbeddings = { ...UNKNOWN, tokenIds: false };

const BY_NAME: ReadonlyMap<string, CompatibleEmbeddings> = new Map([
  ['openai', OPENAI],
  ['azure', OPENAI],
  ['azure-old', OPENAI],
  [
    // https://docs.mistral.ai/api/endpoint/embeddings; "Too many tokens in batch. Max is 16384" is what its API answers beyond.
    'mistral',
    {
      ...TEXTS_ONLY,
      limits: { items: 128, tokens: 16_384 },
      encodingFormat: false,
      dimensions: (model) => (model.includes('codestral-embed') ? 'output_dimension' : null),
      refuses: ['user'],
    },
  ],
  ['together', TEXTS_ONLY],
  ['ollama', TEXTS_ONLY],
  ['lmstudio', TEXTS_ONLY],
  // `encoding_format` is base64_int8 or base64_binary: https://docs.perplexity.ai/api-reference/embeddings-post
  ['perplexity', { ...TEXTS_ONLY, foreignVectors: true }],
]);

export const compatibleOf = (target: Target): CompatibleEmbeddings => BY_NAME.get(presetNameOf(target)) ?? UNKNOWN;
