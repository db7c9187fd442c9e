import type { ConverseResponse } from '@aws-sdk/client-bedrock-runtime';
import { type AnswerSink, jsonObject, unreadableAnswer } from '../translation/index.ts';
import { Blocks } from './blocks.ts';
import { finishReason } from './stop-reason.ts';
import { usageFromConverse } from './usage.ts';

/** Tells a whole answer of Converse. Throws a GatewayError when it is none. `model`: the provider's own id. */
export function tellAnswer(body: Buffer, model: string, sink: AnswerSink): void {
  const { output, stopReason, usage, trace, serviceTier } = parse(body);
  const content = output?.message?.content;
  if (!Array.isArray(content)) throw unreadableAnswer('it has no content');
  if (trace?.promptRouter?.invokedModelId) sink.identity(null, trace.promptRouter.invokedModelId);
  const blocks = new Blocks(sink, model);
  content.forEach((block, i) => {
    blocks.whole(i, block);
  });
  blocks.end();
  const counted = usageFromConverse(usage);
  if (counted) sink.usage(counted);
  if (serviceTier?.type) sink.servedBy(serviceTier.type);
  if (typeof stopReason === 'string') sink.finish(0, finishReason(stopReason));
}

function parse(body: Buffer): Partial<ConverseResponse> {
  const parsed = jsonObject(body);
  if (parsed === null) throw unreadableAnswer('it is not a JSON object');
  return parsed;
}
