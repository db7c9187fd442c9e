import { readChatRequest } from '../../chat/index.ts';
import type { Dialect, FetchedMedia, Target } from '../dialect.ts';
import type { GeminiBody } from './request.ts';

export interface Encoded {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: GeminiBody & Record<string, unknown>;
  readonly warnings: readonly string[];
}

/** A client's request as the provider gets it. */
export function encode(
  dialect: Dialect,
  request: Record<string, unknown>,
  target: Target,
  media: FetchedMedia = new Map(),
): Encoded {
  const { url, headers, body, warnings } = dialect.encodeChat(read(request), target, media);
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) pairs.push([headers[i] ?? '', headers[i + 1] ?? '']);
  return {
    url,
    headers: Object.fromEntries(pairs),
    body: JSON.parse(body.toString()) as Encoded['body'],
    warnings,
  };
}

export function read(request: Record<string, unknown>) {
  const store = Buffer.from(JSON.stringify({ model: 'google/gemini', messages: [USER], ...request }));
  return readChatRequest(store, 0, store.length);
}

export const USER = { role: 'user', content: 'Hello' };
