import { GatewayError } from '../../errors/index.ts';
import type { FinishReason } from '../translation/index.ts';

const FINISH: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
};

/** Throws a GatewayError on a reason that is not known: it is not taken for a natural end. */
export function finishReason(reason: string): FinishReason {
  const finish = FINISH[reason];
  if (finish) return finish;
  throw new GatewayError('response_error', `The provider ended for an unknown reason: ${JSON.stringify(reason)}.`, {
    failure: 'stream_broken',
    code: 'invalid_provider_response',
  });
}
