import type { ChatRequest } from './request.ts';

/**
 * The same request, asked for as a stream with its usage, whatever the client wants; the bytes are the client's still. Dialects
 * go by `stream`, not by what the body says of it.
 */
export function asStreamed(request: ChatRequest): ChatRequest {
  return { ...request, stream: true, includeUsage: true };
}

/**
 * Whether a stream can carry all of the whole answer that is asked for. Sound cannot be streamed in each of its formats; nor
 * is there any use in it for one who has a stream already.
 */
export function canBeStreamed({ stream, outline }: ChatRequest): boolean {
  if (stream || isSet(outline.audio)) return false;
  return !Array.isArray(outline.modalities) || !outline.modalities.includes('audio');
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null;
