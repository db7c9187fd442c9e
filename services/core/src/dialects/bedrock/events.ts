import type {
  ContentBlockDeltaEvent,
  ContentBlockStartEvent,
  ConverseStreamMetadataEvent,
  MessageStopEvent,
} from '@aws-sdk/client-bedrock-runtime';
import { type AnswerSink, type EventTeller, jsonObject, unreadableEvent } from '../translation/index.ts';
import { Blocks } from './blocks.ts';
import { streamFailure } from './error.ts';
import { finishReason } from './stop-reason.ts';
import { usageFromConverse } from './usage.ts';

type StreamEvent = Partial<ContentBlockStartEvent & ContentBlockDeltaEvent & MessageStopEvent> &
  Partial<ConverseStreamMetadataEvent> & { readonly message?: string };

/**
 * A ConverseStream, event by event, each named by its frame's `:event-type`. `messageStop` proves that the message is whole;
 * `metadata` with the usage follows, and both together are the end. A stream that is cut between the two has said all but its
 * usage, and passes.
 */
export class ConverseEvents implements EventTeller {
  readonly #model: string;
  #blocks: Blocks | null = null;
  #stopped = false;
  #counted = false;

  constructor(model: string) {
    this.#model = model;
  }

  tell(data: Buffer, name: string, sink: AnswerSink): boolean {
    const event = parse(data, name);
    this.#blocks ??= new Blocks(sink, this.#model);
    const index = event.contentBlockIndex ?? 0;
    switch (name) {
      case 'contentBlockStart':
        this.#blocks.start(index, event.start);
        return false;
      case 'contentBlockDelta':
        if (event.delta) this.#blocks.delta(index, event.delta);
        return false;
      case 'contentBlockStop':
        this.#blocks.stop(index);
        return false;
      case 'messageStop':
        this.#blocks.end();
        if (typeof event.stopReason === 'string') {
          sink.finish(0, finishReason(event.stopReason));
          this.#stopped = true;
        }
        return this.#stopped && this.#counted;
      case 'metadata':
        this.#count(event, sink);
        return this.#stopped && this.#counted;
      default:
        // messageStart, and event types that are yet to come.
        return false;
    }
  }

  #count({ usage, trace, serviceTier }: StreamEvent, sink: AnswerSink): void {
    const counted = usageFromConverse(usage);
    if (counted) sink.usage(counted);
    if (serviceTier?.type) sink.servedBy(serviceTier.type);
    if (trace?.promptRouter?.invokedModelId) sink.identity(null, trace.promptRouter.invokedModelId);
    this.#counted = true;
  }
}

/** Throws a GatewayError for an exception or error frame, and for an event that cannot be read. */
function parse(data: Buffer, name: string): StreamEvent {
  const event: StreamEvent | null = jsonObject(data);
  const [, kind, type] = /^(exception|error)\/(.*)$/s.exec(name) ?? [];
  if (kind !== undefined) throw streamFailure(type ?? '', event?.message ?? '');
  if (event !== null) return event;
  throw unreadableEvent();
}
