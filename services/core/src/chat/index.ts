export { affinityKey } from './affinity-key.ts';
export { asStreamed, canBeStreamed } from './as-streamed.ts';
export { withAssistantPrefix } from './assistant-prefix.ts';
export {
  type Controls,
  EFFORT_SHARE,
  type ReasoningEffort,
  type ReasoningWish,
  type ResponseFormat,
  readControls,
  readReasoning,
  type ToolChoice,
  type ToolDefinition,
} from './controls.ts';
export {
  type AssistantTurn,
  type AudioPart,
  type CacheMark,
  type FilePart,
  type ImagePart,
  type MediaSource,
  type Part,
  type ReasoningDetail,
  readConversation,
  type SystemTurn,
  type TextPart,
  type ToolCallPart,
  type ToolTurn,
  type Turn,
  type UserTurn,
  unsupportedContent,
} from './conversation.ts';
export { readFeatures } from './features.ts';
export { gatewayOptions, names, openRouterRouting } from './gateway-options.ts';
export { joinReasoningDetail } from './reasoning-details.ts';
export { type ChatRequest, fullBody, fullMember, readChatRequest } from './request.ts';
export { readRoutingOptions, routingOptionsOf } from './routing-options.ts';
export { type ChatBody, type ChatMessage, chatRequestSchema } from './schema.ts';
export { completionTokens, promptTokens, type Usage, usageFromOpenAi } from './usage.ts';
export { validationError } from './validation-error.ts';
