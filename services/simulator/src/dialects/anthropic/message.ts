import type { Message } from '@anthropic-ai/sdk/resources/messages';
import type { Directives } from '../../faults/directives.ts';
import type { MessageAnswer, SpokenBlock, WireUsage } from './answer.ts';

/** A message as models send it: newer fields that they leave out are left out. */
export type WireMessage = Pick<Message, 'id' | 'type' | 'role' | 'model' | 'stop_sequence'> & {
  content: object[];
  stop_reason: string | null;
  stop_details?: Message['stop_details'];
  usage?: WireUsage;
};

export function messageOf(id: string, model: string, answer: MessageAnswer, directives: Directives): WireMessage {
  return {
    model,
    id,
    type: 'message',
    role: 'assistant',
    content: answer.blocks.map(wholeBlock),
    ...(directives.nofinish ? { stop_reason: null } : { stop_reason: answer.stopReason }),
    stop_sequence: answer.stopSequence,
    ...stopDetails(answer),
    ...(directives.nousage ? {} : { usage: answer.usage }),
  };
}

export function stopDetails({ refusal, stopReason }: MessageAnswer): Pick<WireMessage, 'stop_details'> {
  if (stopReason !== 'refusal') return {};
  return { stop_details: { type: 'refusal', category: 'general_harms', explanation: refusal ?? null } };
}

function wholeBlock(block: SpokenBlock): object {
  switch (block.type) {
    case 'text':
      return {
        type: 'text',
        text: block.tokens.join(''),
        ...(block.citations.length > 0 ? { citations: block.citations } : {}),
      };
    case 'thinking':
      return { type: 'thinking', thinking: block.tokens.join(''), signature: block.signature };
    case 'redacted_thinking':
      return block;
    case 'tool_use':
      return { type: 'tool_use', id: block.id, name: block.name, input: parsedInput(block.json.join('')) };
  }
}

/** Arguments that `max_tokens` or a directive left as no JSON object are lost in an answer that is not streamed. */
function parsedInput(json: string): unknown {
  try {
    return JSON.parse(json || '{}');
  } catch {
    return {};
  }
}
