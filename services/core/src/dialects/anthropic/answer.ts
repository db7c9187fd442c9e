import { type AnswerSink, jsonObject, unreadableAnswer } from '../translation/index.ts';
import { type Block, Blocks } from './blocks.ts';
import { providerFailure } from './error.ts';
import { finishReason } from './stop-reason.ts';
import { type AnthropicUsage, tellUsage } from './usage.ts';

interface Message {
  readonly type?: string;
  readonly id?: string;
  readonly model?: string;
  readonly content?: readonly Block[];
  readonly stop_reason?: string | null;
  readonly usage?: AnthropicUsage;
  readonly error?: { readonly type?: string; readonly message?: string };
}

/** Tells a whole message. Throws a GatewayError when it is none. */
export function tellMessage(body: Buffer, sink: AnswerSink): void {
  const message = parse(body);
  if (message.error) throw providerFailure(message.error);
  if (!Array.isArray(message.content)) throw unreadableAnswer('it has no content');
  sink.identity(message.id ?? null, message.model ?? null);
  const blocks = new Blocks(sink);
  message.content.forEach((block, i) => {
    blocks.start(i, block);
  });
  if (message.usage) tellUsage(message.usage, sink);
  if (typeof message.stop_reason === 'string') sink.finish(0, finishReason(message.stop_reason));
}

function parse(body: Buffer): Message {
  const parsed = jsonObject(body);
  if (parsed === null) throw unreadableAnswer('it is not a JSON object');
  return parsed;
}
