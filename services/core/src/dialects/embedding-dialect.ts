import type { GatewayError } from '../errors/index.ts';
import type { Dialect, EncodedRequest, ErrorAnswer, Target } from './dialect.ts';

/** What is to be embedded: a text, or the ids of its tokens as the model's own tokenizer made them. */
export type EmbeddingItem = string | readonly number[];

/** How vectors are written: as JSON numbers, or as base64 of little-endian float32 (WIRE 2.9). */
export type EmbeddingFormat = 'float' | 'base64';

/** One call to a provider: at most as many items and tokens as `EmbeddingDialect.limits` allows. */
export interface EmbeddingCall {
  readonly items: readonly EmbeddingItem[];
  /** Null: the model's own number. */
  readonly dimensions: number | null;
  /** What the client wants; a dialect asks for the form that spares a conversion, and says which it got by the answer. */
  readonly format: EmbeddingFormat;
  /** '' for none. */
  readonly user: string;
  /** Further top-level fields of the client's request, as they came (`input_type` and the like), without the gateway's own. */
  readonly extra: Readonly<Record<string, unknown>>;
  /** `providerOptions.<provider>` of the target's provider; empty for none. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What one call may carry. Sources stand at each dialect. */
export interface EmbeddingLimits {
  readonly items: number;
  /** Of all items together, as the provider counts them; 0: no such limit is known. */
  readonly tokens: number;
}

export interface EmbeddingAnswer {
  /** One a given item, in the same order. */
  readonly vectors: readonly EmbeddingVector[];
  /** Of the input; null where the provider does not say. */
  readonly promptTokens: number | null;
  readonly responseModel: string | null;
}

/** As the provider wrote it, so that nothing is lost on the way: `json` is the text of an array of numbers, `[0.1,-2e-3]`. */
export type EmbeddingVector =
  | { readonly form: 'json'; readonly text: string }
  | { readonly form: 'base64'; readonly text: string };

/**
 * The embeddings of one provider language: pure functions, as `Dialect`. Vectors may be turned from one form into the other by
 * the caller (room `embeddings`); a dialect never rounds them.
 */
export interface EmbeddingDialect {
  readonly name: string;
  readonly authorization: Dialect['authorization'];
  limits(target: Target): EmbeddingLimits;
  /**
   * Throws a GatewayError (400, `failure: 'bad_request'`) for what the provider cannot take: `dimensions` it does not know, token
   * ids where only texts go. What is dropped is named in `warnings` (DESIGN 5, law 2).
   */
  encodeEmbeddings(call: EmbeddingCall, target: Target): EncodedRequest;
  /** Throws a GatewayError when the body is not an answer of this dialect, or has not one vector for each item. */
  decodeEmbeddings(body: Buffer, call: EmbeddingCall, target: Target): EmbeddingAnswer;
  /** Any non-2xx answer; never throws. */
  decodeError(answer: ErrorAnswer): GatewayError;
}
