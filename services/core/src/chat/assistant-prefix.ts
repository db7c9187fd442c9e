import { type ChatRequest, fullBody, readChatRequest } from './request.ts';

/** The same request with the beginning of its answer as its last message, for models that go on with one; `mark`: its further fields. */
export function withAssistantPrefix(
  request: ChatRequest,
  text: string,
  mark: Readonly<Record<string, unknown>> = {},
): ChatRequest {
  const body = fullBody(request);
  const messages = [...body.messages, { role: 'assistant', content: text, ...mark }];
  const bytes = Buffer.from(JSON.stringify({ ...body, messages }));
  return readChatRequest(bytes, 0, bytes.length);
}
