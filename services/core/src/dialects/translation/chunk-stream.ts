import type { ReasoningDetail, Usage } from '../../chat/index.ts';
import type { AnswerMetadata, FrameSink, StreamContext, StreamProgress } from '../dialect.ts';
import type { AnswerSink, FinishReason } from './answer-sink.ts';
import { Choices } from './choice-state.ts';
import { imageJson } from './completion-builder.ts';
import { usageToOpenAi } from './usage.ts';

/**
 * Writes what a dialect tells as OpenAI chunks (WIRE 2.13): the role in each choice's first delta, one `id` for all,
 * finish reasons and usage only at the proved end.
 */
export class ChunkStream implements AnswerSink {
  /** The provider's terminal event has been seen. */
  ended = false;
  #usage: Usage | null = null;
  #responseId: string | null = null;
  #responseModel: string | null = null;
  #serviceTier: string | null = null;
  readonly #context: StreamContext;
  readonly #head: string;
  readonly #tail: string;
  readonly #choices = new Choices();
  readonly #roles = new Set<number>();
  #out: FrameSink | null = null;

  constructor(context: StreamContext) {
    this.#context = context;
    const { generationId, created, model } = context;
    this.#head = `data: {"id":"${generationId}","object":"chat.completion.chunk","created":${created},"model":${JSON.stringify(model)},"choices":[`;
    this.#tail = context.includeUsage ? '],"usage":null}\n\n' : ']}\n\n';
  }

  /** Where the frames of the current event go. */
  writeTo(out: FrameSink): void {
    this.#out = out;
  }

  /** Live: reads the state of the moment. */
  readonly progress: StreamProgress = this.#makeProgress();

  #makeProgress(): StreamProgress {
    const stream = this;
    return {
      get hasContent() {
        return stream.#choices.hasContent;
      },
      get complete() {
        return stream.#choices.finished >= stream.#context.choices;
      },
      get ended() {
        return stream.ended;
      },
      get usage() {
        return stream.#usage;
      },
      get finishReasons() {
        return stream.#choices.all().flatMap((choice) => (choice.finishReason === null ? [] : [choice.finalReason()]));
      },
      get responseId() {
        return stream.#responseId;
      },
      get responseModel() {
        return stream.#responseModel;
      },
      get serviceTier() {
        return stream.#serviceTier;
      },
    };
  }

  identity(responseId: string | null, responseModel: string | null): void {
    this.#responseId = responseId;
    this.#responseModel = responseModel;
  }

  text(choice: number, text: string): void {
    if (text === '') return;
    this.#choices.at(choice).hasContent = true;
    this.#context.transcript?.content(choice, text);
    this.#delta(choice, `"content":${JSON.stringify(text)}`);
  }

  refusal(choice: number, text: string): void {
    if (text === '') return;
    this.#choices.at(choice).hasContent = true;
    this.#context.transcript?.refusal(choice, text);
    this.#delta(choice, `"refusal":${JSON.stringify(text)}`);
  }

  reasoning(choice: number, text: string): void {
    if (text === '') return;
    this.#choices.at(choice).hasContent = true;
    this.#context.transcript?.reasoning(choice, text);
    this.#delta(choice, `"reasoning":${JSON.stringify(text)}`);
  }

  reasoningDetail(choice: number, detail: ReasoningDetail): void {
    this.#context.transcript?.detail(choice, detail);
    this.#delta(choice, `"reasoning_details":[${JSON.stringify(detail)}]`);
  }

  toolCall(choice: number, id: string | null, name: string, extra?: Readonly<Record<string, unknown>>): number {
    const call = this.#choices.at(choice).openCall(id, name, extra ?? null);
    this.#context.transcript?.call(choice, call.index, call.id, name);
    const opened = { index: call.index, id: call.id, type: 'function', function: { name, arguments: '' }, ...extra };
    this.#delta(choice, `"tool_calls":[${JSON.stringify(opened)}]`);
    return call.index;
  }

  toolArguments(choice: number, call: number, fragment: string): void {
    const state = this.#choices.at(choice).calls[call];
    if (!state || fragment === '') return;
    // Whether there were any is all that is kept of them.
    if (state.arguments === '' && fragment.trim() !== '') state.arguments = '…';
    this.#context.transcript?.arguments(choice, call, fragment);
    this.#delta(choice, `"tool_calls":[{"index":${call},"function":{"arguments":${JSON.stringify(fragment)}}}]`);
  }

  image(choice: number, dataUri: string): void {
    this.#choices.at(choice).hasContent = true;
    this.#context.transcript?.unrepeatable();
    this.#delta(choice, `"images":[${JSON.stringify({ index: 0, ...imageJson(dataUri) })}]`);
  }

  annotation(choice: number, annotation: Readonly<Record<string, unknown>>): void {
    this.#context.transcript?.annotation(choice);
    this.#delta(choice, `"annotations":[${JSON.stringify(annotation)}]`);
  }

  finish(choice: number, reason: FinishReason): void {
    this.#choices.at(choice).finishReason = reason;
  }

  servedBy(tier: string): void {
    this.#serviceTier = tier;
  }

  usage(usage: Usage): void {
    this.#usage = usage;
  }

  #delta(choice: number, members: string): void {
    const role = this.#roles.has(choice) ? '' : '"role":"assistant",';
    this.#roles.add(choice);
    this.#out?.text(`${this.#head}{"index":${choice},"delta":{${role}${members}},"finish_reason":null}${this.#tail}`);
  }

  /** The end of the stream, once it is proved. */
  close(metadata: AnswerMetadata, out: FrameSink): void {
    this.#out = out;
    for (const { index, calls } of this.#choices.all()) {
      for (const call of calls) if (call.arguments === '') this.#emptyArguments(index, call.index);
    }
    this.#delta(0, `"provider_metadata":${metadata.json}`);
    for (const choice of this.#choices.all()) {
      out.text(
        `${this.#head}{"index":${choice.index},"delta":{},"finish_reason":"${choice.finalReason()}"}${this.#tail}`,
      );
    }
    if (this.#context.includeUsage && this.#usage !== null) {
      out.text(`${this.#head}],"usage":${JSON.stringify(usageToOpenAi(this.#usage))}}\n\n`);
    }
    out.text('data: [DONE]\n\n');
  }

  /** An empty-argument call must end up as `{}` (WIRE 2.13). */
  #emptyArguments(choice: number, call: number): void {
    this.#delta(choice, `"tool_calls":[{"index":${call},"function":{"arguments":"{}"}}]`);
  }
}
