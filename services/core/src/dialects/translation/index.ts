export type { AnswerSink, FinishReason } from './answer-sink.ts';
export { CompletionBuilder } from './completion-builder.ts';
export { Fields } from './fields.ts';
export { jsonObject, unreadableAnswer, unreadableEvent } from './provider-json.ts';
export { ThinkTags, type ThoughtSink } from './think-tags.ts';
export { type EventTeller, TranslatedStream } from './translated-stream.ts';
export { usageToOpenAi } from './usage.ts';
