import { GatewayError } from '../../errors/index.ts';
import type { ErrorAnswer } from '../dialect.ts';
import { decodeOpenAiError } from '../openai/error.ts';

/** What Azure's content filter says of a prompt that it stops. */
const FILTERED = 'ResponsibleAIPolicyViolation';

/**
 * OpenAI's error bodies, and Azure's own: `innererror` of the content filter, a missing deployment, and `{statusCode, message}`
 * of the gateway in front of it.
 */
export function decodeAzureError(answer: ErrorAnswer): GatewayError {
  const error = decodeOpenAiError(answer);
  if (error.failure === 'content_filter' || !isFiltered(answer.body)) return error;
  return new GatewayError('invalid_request_error', error.message, {
    param: error.param,
    code: 'content_filter',
    failure: 'content_filter',
  });
}

function isFiltered(body: Buffer): boolean {
  try {
    const parsed = JSON.parse(body.toString('utf8')) as { error?: { innererror?: { code?: unknown } } } | null;
    return parsed?.error?.innererror?.code === FILTERED;
  } catch {
    return false;
  }
}
