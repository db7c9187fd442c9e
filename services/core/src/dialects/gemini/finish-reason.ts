import type { FinishReason as GeminiFinishReason } from '@google/genai';
import { GatewayError } from '../../errors/index.ts';
import type { FinishReason } from '../translation/index.ts';

/** Ends that are no answer: the request may fare better at a second try, or elsewhere. */
type Failed = 'failed';

const FINISH: Readonly<Record<`${GeminiFinishReason}`, FinishReason | Failed>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  // "Reached the per-request token limit, but generation is not yet complete."
  CONTINUATION: 'length',
  // What the model said, or was about to say, was held back for what it is.
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  IMAGE_PROHIBITED_CONTENT: 'content_filter',
  IMAGE_RECITATION: 'content_filter',
  // A language that the model is not to speak: held back as well, and no better at a second try.
  LANGUAGE: 'content_filter',
  // The model chose to write where an image was hoped for: its text is an answer, and without any text an empty one.
  NO_IMAGE: 'stop',
  // The model did not write what its own format demands: an accident of sampling.
  MALFORMED_FUNCTION_CALL: 'failed',
  MALFORMED_RESPONSE: 'failed',
  // It called a tool that it was not offered; what was told until then is no answer.
  UNEXPECTED_TOOL_CALL: 'failed',
  TOO_MANY_TOOL_CALLS: 'failed',
  // Whatever this was, nobody says that it is a natural end.
  IMAGE_OTHER: 'failed',
  OTHER: 'failed',
  FINISH_REASON_UNSPECIFIED: 'failed',
};

/**
 * Throws a GatewayError for the ends that are failures, and for a reason that is not known: it is not taken for a natural end.
 * `said` is the provider's own explanation.
 */
export function finishReason(reason: string, said: string | undefined): FinishReason {
  const finish = Object.hasOwn(FINISH, reason) ? FINISH[reason as keyof typeof FINISH] : undefined;
  if (finish !== undefined && finish !== 'failed') return finish;
  const how = finish === undefined ? 'for an unknown reason' : 'without a proper answer';
  const why = said ? ` (${said.slice(0, 500)})` : '';
  throw new GatewayError('response_error', `The provider ended ${how}: ${JSON.stringify(reason)}${why}.`, {
    failure: 'overloaded',
    code: 'invalid_provider_response',
  });
}
