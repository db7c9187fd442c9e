import { HEADROOM } from '../json/index.ts';
import { type ChatRequest, readChatRequest } from './request.ts';

/** A chat request as the gateway reads it; what `body` lacks of a request is filled in. For tests. */
export function chatRequest(body: Readonly<Record<string, unknown>>): ChatRequest {
  return chatRequestOf(JSON.stringify({ model: 'a/b', messages: [{ role: 'user', content: 'Hi' }], ...body }));
}

/** The same from its very bytes. */
export function chatRequestOf(text: string): ChatRequest {
  const bytes = Buffer.from(text);
  const store = Buffer.concat([Buffer.alloc(HEADROOM), bytes, Buffer.alloc(HEADROOM)]);
  return readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
}
