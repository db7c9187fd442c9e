import type { Directives } from '../../faults/directives.ts';
import type { Frame } from '../../http/eventStream.ts';
import type { MessageAnswer, SpokenBlock } from './answer.ts';
import { stopDetails, type WireMessage } from './message.ts';

/** The events of a streamed message in Anthropic's order (docs: "Streaming messages"), one token a delta. */
export function* messageFrames(
  id: string,
  model: string,
  answer: MessageAnswer,
  directives: Directives,
): Generator<Frame> {
  yield { place: 'opening', text: event('message_start', { message: startOf(id, model, answer, directives) }) };
  for (const [index, block] of answer.blocks.entries()) {
    const opening = event('content_block_start', { index, content_block: emptyBlock(block) });
    yield { place: block.type === 'tool_use' ? 'token' : 'opening', text: opening };
    if (index === 0) yield { place: 'opening', text: event('ping', {}) };
    yield* deltas(block, index);
    yield { place: 'opening', text: event('content_block_stop', { index }) };
  }
  if (directives.nofinish) {
    yield { place: 'closing', text: '' };
    return;
  }
  yield { place: 'closing', text: event('message_delta', finishOf(answer, directives)) };
  yield { place: 'closing', text: directives.nodone ? '' : event('message_stop', {}) };
}

function* deltas(block: SpokenBlock, index: number): Generator<Frame> {
  const delta = (place: Frame['place'], value: object): Frame => ({
    place,
    text: event('content_block_delta', { index, delta: value }),
  });
  switch (block.type) {
    case 'text':
      for (const citation of block.citations) yield delta('opening', { type: 'citations_delta', citation });
      for (const text of block.tokens) yield delta('token', { type: 'text_delta', text });
      break;
    case 'thinking':
      for (const thinking of block.tokens) yield delta('token', { type: 'thinking_delta', thinking });
      yield delta('opening', { type: 'signature_delta', signature: block.signature });
      break;
    case 'tool_use':
      yield delta('opening', { type: 'input_json_delta', partial_json: '' });
      for (const json of block.json) yield delta('token', { type: 'input_json_delta', partial_json: json });
      break;
    case 'redacted_thinking':
      break;
  }
}

function emptyBlock(block: SpokenBlock): object {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: '', ...(block.citations.length > 0 ? { citations: [] } : {}) };
    case 'thinking':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'redacted_thinking':
      return block;
    case 'tool_use':
      return { type: 'tool_use', id: block.id, name: block.name, input: {} };
  }
}

/** The input is counted at the start, the output has hardly begun. */
function startOf(id: string, model: string, { usage }: MessageAnswer, { nousage }: Directives): WireMessage {
  const { output_tokens_details: _details, ...begun } = usage;
  return {
    model,
    id,
    type: 'message',
    role: 'assistant',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    ...(nousage ? {} : { usage: { ...begun, output_tokens: Math.min(1, usage.output_tokens) } }),
  };
}

function finishOf(answer: MessageAnswer, { nousage }: Directives): object {
  const { cache_creation: _creation, service_tier: _tier, inference_geo: _geo, ...usage } = answer.usage;
  return {
    delta: { stop_reason: answer.stopReason, stop_sequence: answer.stopSequence, ...stopDetails(answer) },
    ...(nousage ? {} : { usage }),
  };
}

function event(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}
