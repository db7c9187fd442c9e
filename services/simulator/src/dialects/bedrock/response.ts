import type { ConverseResponse } from '@aws-sdk/client-bedrock-runtime';
import type { Directives } from '../../faults/directives.ts';
import type { ConverseAnswer, SpokenBlock } from './answer.ts';
import type { Wire, WireBlock } from './wire.ts';

type WireResponse = Wire<Omit<ConverseResponse, 'stopReason' | 'usage'>> & { stopReason?: string; usage?: object };

export function converseResponse(answer: ConverseAnswer, latencyMs: number, directives: Directives): WireResponse {
  const { additional, echoed, stopReason, usage } = answer;
  return {
    metrics: { latencyMs },
    output: { message: { content: answer.blocks.map(wholeBlock), role: 'assistant' } },
    ...(directives.nofinish ? {} : { stopReason }),
    ...(additional === undefined ? {} : { additionalModelResponseFields: additional }),
    ...(directives.nousage ? {} : { usage }),
    ...echoed,
  };
}

function wholeBlock(block: SpokenBlock): WireBlock {
  switch (block.type) {
    case 'text':
      return { text: block.tokens.join('') };
    case 'reasoning':
      return { reasoningContent: { reasoningText: { text: block.tokens.join(''), signature: block.signature } } };
    case 'redacted':
      return { reasoningContent: { redactedContent: block.data } };
    case 'toolUse':
      return { toolUse: { toolUseId: block.id, name: block.name, input: inputOf(block.json.join('')) } };
  }
}

/** Arguments that are no JSON, cut off or made up by a directive, stand in the answer as the text that they are. */
function inputOf(json: string): unknown {
  try {
    return JSON.parse(json || '{}');
  } catch {
    return json;
  }
}
