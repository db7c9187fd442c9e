import type { ChatRequest, Usage } from '../chat/index.ts';
import type { GatewayError } from '../errors/index.ts';
import type { Transcript } from './transcript.ts';

/**
 * One provider language: pure functions from data to data, no I/O and no clock. A dialect turns an OpenAI request into
 * the provider's, and the provider's answers, stream events and errors into OpenAI's.
 */
export interface Dialect {
  readonly name: string;
  /** How a stream's events are framed. */
  readonly framing: 'sse' | 'aws-event-stream';
  /** `header`: the dialect writes the credential itself; else `upstream` authorizes the encoded request. */
  readonly authorization: 'header' | 'google' | 'aws' | 'azure';
  /**
   * URLs of images and files in the request that this provider will not fetch itself: the gateway does, and hands their
   * bytes to `encodeChat`. Absent where the provider takes URLs, or where none are taken at all.
   */
  remoteMedia?(request: ChatRequest, target: Target): readonly string[];
  /**
   * Whether this target goes on with an assistant message that ends the conversation, letter by letter, in place of
   * answering it; absent: it never does.
   */
  continuesAssistant?(request: ChatRequest, target: Target): boolean;
  /**
   * Where it does: further fields of that message that ask for it, and whether the answer repeats the message before it goes on.
   * Absent: none, and it does not.
   */
  readonly prefill?: { readonly mark: Readonly<Record<string, unknown>>; readonly echoed: boolean };
  /**
   * Whether the provider goes on generating, and billing, when nobody reads its stream any more; absent: it stops. (Answers that
   * are not streamed are generated, and billed, to their end everywhere.) As OpenRouter found out by provider:
   * https://openrouter.ai/docs/api-reference/streaming, "Stream Cancellation".
   */
  billsAfterAbort?(target: Target): boolean;
  /** Whether the usage in the middle of a stream counts all said until then; absent: before the end its output tells nothing. */
  usageRuns?(target: Target): boolean;
  /** Throws a GatewayError (400) for what the provider cannot take. */
  encodeChat(request: ChatRequest, target: Target, media: FetchedMedia): EncodedRequest;
  /** Throws a GatewayError when the body is not an answer of this dialect. */
  decodeChat(body: Buffer, context: AnswerContext): ChatAnswer;
  /** One decoder a stream. */
  streamDecoder(context: StreamContext): StreamDecoder;
  /** Any non-2xx answer; never throws. The result's `failure` tells the relay what to do next. */
  decodeError(answer: ErrorAnswer): GatewayError;
}

/** What of an endpoint a dialect may see. */
export interface Target {
  /** Provider's name in the configuration; picks `providerOptions.<name>`. */
  readonly provider: string;
  /** The provider's own model id. */
  readonly model: string;
  readonly baseUrl: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  /** What the model can put out at most, in tokens; 0 when unknown. */
  readonly maxOutputTokens: number;
  /** Vertex: `google` or `anthropic`; '' is inferred from the model's name. */
  readonly publisher: string;
}

/** What was fetched for the URLs of `remoteMedia`, by URL. */
export type FetchedMedia = ReadonlyMap<string, { readonly mediaType: string /** Base64. */; readonly data: string }>;

export interface EncodedRequest {
  /** Absolute URL. */
  readonly url: string;
  /** Flat name, value list, lower-case names; includes the credential where `authorization` is `header`. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** Fields that were dropped or altered, for `provider_metadata.gateway.warnings`. */
  readonly warnings: readonly string[];
}

export interface AnswerContext {
  /** Becomes the answer's `id`. */
  readonly generationId: string;
  /** Public id of the model that answers. */
  readonly model: string;
  /** Seconds since the epoch, where the provider gives no such time. */
  readonly created: number;
  /** The endpoint that answers: Vertex has models of several publishers, each with its own kind of answer. */
  readonly target: Target;
}

export interface ChatAnswer {
  /** The finished answer: JSON text with the gateway's metadata in its places. */
  render(metadata: AnswerMetadata): Buffer;
  readonly usage: Usage | null;
  readonly finishReasons: readonly string[];
  readonly responseId: string | null;
  readonly responseModel: string | null;
  /** Some choice has text, a tool call, a refusal or the like. */
  readonly hasContent: boolean;
  /** The tier that served the request, by OpenAI's name where it has one (`default`, `flex`, `priority`); null where it is not said. */
  readonly serviceTier: string | null;
}

/** JSON texts made by the relay once the outcome is known. */
export interface AnswerMetadata {
  /** The `provider_metadata` object. */
  readonly json: string;
  /** Repeat it at the top level (header `x-gateway-metadata: top`). */
  readonly atTop: boolean;
}

export interface StreamContext extends AnswerContext {
  readonly includeUsage: boolean;
  /** Number of choices that must finish. */
  readonly choices: number;
  /** Where the decoder writes down what it says; absent where nobody could go on from it. */
  readonly transcript?: Transcript | null;
}

/** Collects finished SSE frames. */
export interface FrameSink {
  bytes(bytes: Buffer, start?: number, end?: number): void;
  text(text: string): void;
}

/** Decodes one provider stream into OpenAI SSE frames. The frames that end the stream come from `finish`, and only then. */
export interface StreamDecoder {
  /**
   * Takes one provider event (its `data`, and its `event` name or ''). Throws a GatewayError when the event is malformed
   * or reports a failure.
   */
  event(data: Buffer, name: string, out: FrameSink): void;
  /** Takes over what the provider has proved: writes metadata, finish chunks, the usage chunk if asked for, and `[DONE]`. */
  finish(metadata: AnswerMetadata, out: FrameSink): void;
  readonly progress: StreamProgress;
}

export interface StreamProgress {
  /** Content (text, reasoning, tool call, refusal, ...) has been written. */
  readonly hasContent: boolean;
  /** Every choice has its finish reason: the answer is complete. */
  readonly complete: boolean;
  /** The provider's terminal event has been seen. */
  readonly ended: boolean;
  readonly usage: Usage | null;
  readonly finishReasons: readonly string[];
  readonly responseId: string | null;
  readonly responseModel: string | null;
  /** The tier that served the request, by OpenAI's name where it has one (`default`, `flex`, `priority`); null where it is not said. */
  readonly serviceTier: string | null;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: Buffer;
  readonly provider: string;
  /** Milliseconds since the epoch, for HTTP dates in `retry-after`. */
  readonly now: number;
}
