import type { ReasoningDetail, Usage } from '../../chat/index.ts';

/** OpenAI's finish reasons; a provider's own are mapped completely, and an unknown one is an error (WIRE 2.19). */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/**
 * What an answer says, piece by piece, in a provider-neutral form. A dialect tells its JSON answers and its stream events
 * to the same sink, which is why a stream equals the whole answer (DESIGN 5, law 1).
 * `choice` is the index of the choice, 0 for providers that know only one.
 */
export interface AnswerSink {
  /** The provider's own ids; kept for spans, never shown as the answer's id or model. */
  identity(responseId: string | null, responseModel: string | null): void;
  text(choice: number, text: string): void;
  refusal(choice: number, text: string): void;
  /** Thinking to be read; goes to `reasoning`, never to the content. */
  reasoning(choice: number, text: string): void;
  /**
   * A piece of `reasoning_details` (WIRE 2.8). Pieces with the same `index` and type belong together: their `text` and
   * `summary` are joined, other fields are set.
   */
  reasoningDetail(choice: number, detail: ReasoningDetail): void;
  /** Opens a call; returns its index. `id` null: the provider gives none, one is made up. */
  toolCall(choice: number, id: string | null, name: string, extra?: Readonly<Record<string, unknown>>): number;
  /** A fragment of the JSON text of a call's arguments. */
  toolArguments(choice: number, call: number, fragment: string): void;
  /** An image as data URI. */
  image(choice: number, dataUri: string): void;
  /** A citation, as OpenAI's `annotations` have it. */
  annotation(choice: number, annotation: Readonly<Record<string, unknown>>): void;
  finish(choice: number, reason: FinishReason): void;
  /** The tier that served the request, by OpenAI's name where it has one. */
  servedBy(tier: string): void;
  /** The later one wins; a provider that reports in pieces merges them first. */
  usage(usage: Usage): void;
}
