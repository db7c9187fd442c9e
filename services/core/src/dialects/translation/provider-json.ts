import { GatewayError } from '../../errors/index.ts';

/** A provider's JSON text as an object; null when it is something else. Its fields are not checked. */
export function jsonObject(bytes: Buffer): object | null {
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof parsed === 'object' ? parsed : null;
  } catch {
    return null;
  }
}

/** A whole answer that makes no sense: nothing has been sent, so another try may help. */
export function unreadableAnswer(why: string): GatewayError {
  return new GatewayError('response_error', `The provider sent an answer that cannot be read: ${why}.`, {
    failure: 'overloaded',
    code: 'invalid_provider_response',
  });
}

/** A stream's event that is no JSON object. */
export function unreadableEvent(): GatewayError {
  return new GatewayError('response_error', "The provider's stream cannot be read: an event is not a JSON object.", {
    failure: 'stream_broken',
    code: 'invalid_provider_response',
  });
}
