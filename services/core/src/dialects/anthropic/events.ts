import { type AnswerSink, type EventTeller, jsonObject, unreadableEvent } from '../translation/index.ts';
import { type Block, Blocks } from './blocks.ts';
import { providerFailure } from './error.ts';
import { finishReason } from './stop-reason.ts';
import { type AnthropicUsage, mergeUsage, tellUsage } from './usage.ts';

interface StreamEvent {
  readonly type?: string;
  readonly index?: number;
  readonly message?: {
    readonly id?: string;
    readonly model?: string;
    readonly usage?: AnthropicUsage;
    readonly content?: readonly Block[];
  };
  readonly content_block?: Block;
  readonly delta?: Block & { readonly stop_reason?: string | null };
  readonly usage?: AnthropicUsage;
  readonly error?: { readonly type?: string; readonly message?: string };
}

/** A Messages stream (https://docs.anthropic.com/en/docs/build-with-claude/streaming). Its end is `message_stop`, nothing else. */
export class AnthropicEvents implements EventTeller {
  #blocks: Blocks | null = null;
  #usage: AnthropicUsage = {};

  tell(data: Buffer, _name: string, sink: AnswerSink): boolean {
    const event = parse(data);
    this.#blocks ??= new Blocks(sink);
    switch (event.type) {
      case 'message_start':
        sink.identity(event.message?.id ?? null, event.message?.model ?? null);
        this.#count(event.message?.usage, sink);
        return false;
      case 'content_block_start':
        if (event.content_block) this.#blocks.start(event.index ?? 0, event.content_block);
        return false;
      case 'content_block_delta':
        if (event.delta) this.#blocks.delta(event.index ?? 0, event.delta);
        return false;
      case 'message_delta':
        this.#count(event.usage, sink);
        if (typeof event.delta?.stop_reason === 'string') sink.finish(0, finishReason(event.delta.stop_reason));
        return false;
      case 'message_stop':
        return true;
      case 'error':
        throw providerFailure(event.error ?? {});
      default:
        // content_block_stop, ping, and event types that are yet to come: the API asks to pass over them.
        return false;
    }
  }

  #count(usage: AnthropicUsage | undefined, sink: AnswerSink): void {
    if (!usage) return;
    this.#usage = mergeUsage(this.#usage, usage);
    tellUsage(this.#usage, sink);
  }
}

function parse(data: Buffer): StreamEvent {
  const parsed = jsonObject(data);
  if (parsed === null) throw unreadableEvent();
  return parsed;
}
