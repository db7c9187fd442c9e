import { ANTHROPIC_MODELS } from './builtin/anthropic.ts';
import { EMBEDDING_MODELS } from './builtin/embeddings.ts';
import { GOOGLE_MODELS } from './builtin/google.ts';
import { OPEN_MODELS } from './builtin/open-models.ts';
import { OPENAI_MODELS } from './builtin/openai.ts';
import { OTHER_MODELS } from './builtin/others.ts';

/**
 * What Headgate knows of a model without being told. Facts that a vendor does not publish, or that we could not check,
 * are absent rather than guessed. Prices come from the price library, not from here.
 */
export interface BuiltinModel {
  /** Public id, creator/name. */
  readonly id: string;
  readonly type: 'chat' | 'embedding';
  readonly name: string;
  readonly description?: string;
  /** First public release, ISO date. */
  readonly released?: string;
  /** Tokens. */
  readonly contextWindow?: number;
  readonly maxOutputTokens?: number;
  readonly input: readonly Modality[];
  readonly tags: readonly Tag[];
  readonly parameters: readonly string[];
  /** Well-known provider name and that provider's model id, in default order. */
  readonly endpoints: readonly (readonly [provider: string, model: string])[];
}

export type Modality = 'text' | 'image' | 'audio' | 'video' | 'file';

export type Tag =
  | 'reasoning'
  | 'tool-use'
  | 'vision'
  | 'file-input'
  | 'web-search'
  | 'implicit-caching'
  | 'explicit-caching'
  | 'fast';

export const BUILTIN_MODELS: readonly BuiltinModel[] = [
  ...OPENAI_MODELS,
  ...ANTHROPIC_MODELS,
  ...GOOGLE_MODELS,
  ...OTHER_MODELS,
  ...OPEN_MODELS,
  ...EMBEDDING_MODELS,
];

export const BUILTIN_MODEL_BY_ID: ReadonlyMap<string, BuiltinModel> = new Map(
  BUILTIN_MODELS.map((model) => [model.id, model]),
);
