import type { StopReason } from '@aws-sdk/client-bedrock-runtime';
import { GatewayError } from '../../errors/index.ts';
import type { FinishReason } from '../translation/index.ts';

/** Null: the answer is not one. */
const FINISH: Readonly<Record<StopReason | 'refusal', FinishReason | null>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  guardrail_intervened: 'content_filter',
  content_filtered: 'content_filter',
  // Claude's own word for it, which newer models are seen to send.
  refusal: 'content_filter',
  malformed_model_output: null,
  malformed_tool_use: null,
};

/** Throws a GatewayError where the model's output could not be read, and on a reason that is not known: neither is a natural end. */
export function finishReason(reason: string): FinishReason {
  const finish = isKnown(reason) ? FINISH[reason] : undefined;
  if (finish) return finish;
  const why = finish === null ? 'with output that cannot be read' : 'for an unknown reason';
  throw new GatewayError('response_error', `The model ended ${why}: ${JSON.stringify(reason)}.`, {
    failure: 'stream_broken',
    code: 'invalid_provider_response',
  });
}

const isKnown = (reason: string): reason is keyof typeof FINISH => Object.hasOwn(FINISH, reason);
