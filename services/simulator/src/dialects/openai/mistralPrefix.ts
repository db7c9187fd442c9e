import { badRequest } from './errors.ts';
import { isObject } from './shape.ts';

/**
 * The request as OpenAI would take it, for Mistral wants a last message of the assistant to be marked as the beginning of the answer
 * (https://docs.mistral.ai/api/#tag/chat, `prefix`).
 */
export function unmarked(body: unknown): unknown {
  if (!isObject(body) || !Array.isArray(body.messages)) return body;
  const last: unknown = body.messages.at(-1);
  if (!isObject(last) || last.role !== 'assistant') return body;
  const { prefix, ...message } = last;
  if (prefix !== true)
    throw badRequest(
      'Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant',
      'messages',
    );
  return { ...body, messages: [...body.messages.slice(0, -1), message] };
}
