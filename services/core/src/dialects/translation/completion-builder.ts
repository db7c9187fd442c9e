import { joinReasoningDetail, type ReasoningDetail, type Usage } from '../../chat/index.ts';
import { GatewayError } from '../../errors/index.ts';
import type { AnswerContext, AnswerMetadata, ChatAnswer } from '../dialect.ts';
import type { AnswerSink, FinishReason } from './answer-sink.ts';
import { type CallState, Choices } from './choice-state.ts';
import { usageToOpenAi } from './usage.ts';

interface MessageParts {
  text: string | null;
  refusal: string | null;
  reasoning: string | null;
  readonly details: Record<string, unknown>[];
  readonly images: string[];
  readonly annotations: Readonly<Record<string, unknown>>[];
}

/** Builds a whole `chat.completion` from what a dialect tells. */
export class CompletionBuilder implements AnswerSink {
  #usage: Usage | null = null;
  #responseId: string | null = null;
  #responseModel: string | null = null;
  #serviceTier: string | null = null;
  readonly #context: AnswerContext;
  readonly #choices = new Choices();
  readonly #parts = new Map<number, MessageParts>();

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  identity(responseId: string | null, responseModel: string | null): void {
    this.#responseId = responseId;
    this.#responseModel = responseModel;
  }

  text(choice: number, text: string): void {
    if (text === '') return;
    const parts = this.#of(choice);
    parts.text = (parts.text ?? '') + text;
    this.#choices.at(choice).hasContent = true;
  }

  refusal(choice: number, text: string): void {
    if (text === '') return;
    const parts = this.#of(choice);
    parts.refusal = (parts.refusal ?? '') + text;
    this.#choices.at(choice).hasContent = true;
  }

  reasoning(choice: number, text: string): void {
    if (text === '') return;
    const parts = this.#of(choice);
    parts.reasoning = (parts.reasoning ?? '') + text;
    this.#choices.at(choice).hasContent = true;
  }

  reasoningDetail(choice: number, detail: ReasoningDetail): void {
    joinReasoningDetail(this.#of(choice).details, detail);
  }

  toolCall(choice: number, id: string | null, name: string, extra?: Readonly<Record<string, unknown>>): number {
    this.#of(choice);
    return this.#choices.at(choice).openCall(id, name, extra ?? null).index;
  }

  toolArguments(choice: number, call: number, fragment: string): void {
    const state = this.#choices.at(choice).calls[call];
    if (state) state.arguments += fragment;
  }

  image(choice: number, dataUri: string): void {
    this.#of(choice).images.push(dataUri);
    this.#choices.at(choice).hasContent = true;
  }

  annotation(choice: number, annotation: Readonly<Record<string, unknown>>): void {
    this.#of(choice).annotations.push(annotation);
  }

  finish(choice: number, reason: FinishReason): void {
    this.#of(choice);
    this.#choices.at(choice).finishReason = reason;
  }

  servedBy(tier: string): void {
    this.#serviceTier = tier;
  }

  usage(usage: Usage): void {
    this.#usage = usage;
  }

  /** The answer, once all is told. Throws a GatewayError when a choice has no finish reason: its end is not proved. */
  build(): ChatAnswer {
    const choices = this.#choices.all();
    if (choices.length === 0 || choices.some(({ finishReason }) => finishReason === null)) {
      throw new GatewayError('response_error', 'The provider sent an answer that cannot be read: it has no end.', {
        failure: 'overloaded',
        code: 'invalid_provider_response',
      });
    }
    return {
      usage: this.#usage,
      finishReasons: choices.map((choice) => choice.finalReason()),
      responseId: this.#responseId,
      responseModel: this.#responseModel,
      hasContent: this.#choices.hasContent,
      serviceTier: this.#serviceTier,
      render: (metadata) => this.#render(metadata),
    };
  }

  #render(metadata: AnswerMetadata): Buffer {
    const { generationId, model, created } = this.#context;
    const usage = this.#usage;
    const choices = this.#choices.all().map((choice) => ({
      index: choice.index,
      message: this.#message(choice.index, choice.calls, metadata),
      logprobs: null,
      finish_reason: choice.finalReason(),
    }));
    const body = {
      id: generationId,
      object: 'chat.completion',
      created,
      model,
      choices,
      ...(usage === null ? {} : { usage: usageToOpenAi(usage) }),
      ...(metadata.atTop ? { provider_metadata: JSON.parse(metadata.json) as unknown } : {}),
    };
    return Buffer.from(JSON.stringify(body));
  }

  #message(index: number, calls: readonly CallState[], metadata: AnswerMetadata) {
    const parts = this.#of(index);
    return {
      role: 'assistant',
      content: parts.text,
      refusal: parts.refusal,
      ...(parts.reasoning === null ? {} : { reasoning: parts.reasoning }),
      ...(parts.details.length === 0 ? {} : { reasoning_details: parts.details }),
      ...(calls.length === 0 ? {} : { tool_calls: calls.map(toolCallJson) }),
      ...(parts.images.length === 0 ? {} : { images: parts.images.map(imageJson) }),
      ...(parts.annotations.length === 0 ? {} : { annotations: parts.annotations }),
      provider_metadata: JSON.parse(metadata.json) as unknown,
    };
  }

  #of(choice: number): MessageParts {
    let parts = this.#parts.get(choice);
    if (!parts) {
      parts = { text: null, refusal: null, reasoning: null, details: [], images: [], annotations: [] };
      this.#parts.set(choice, parts);
      this.#choices.at(choice);
    }
    return parts;
  }
}

export const imageJson = (dataUri: string) => ({ type: 'image_url', image_url: { url: dataUri } });

function toolCallJson(call: CallState) {
  const text = call.arguments.trim() === '' ? '{}' : call.arguments;
  return { id: call.id, type: 'function', function: { name: call.name, arguments: text }, ...call.extra };
}
