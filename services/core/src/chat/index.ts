export { type ChatRequest, fullBody, readChatRequest } from './request.ts';
export { type ChatBody, type ChatMessage, chatRequestSchema, gatewayOptions } from './schema.ts';
export { completionTokens, promptTokens, type Usage, usageFromOpenAi } from './usage.ts';
