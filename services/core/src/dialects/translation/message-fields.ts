import type { ChatBody, ChatMessage } from '../../chat/index.ts';

type Role = ChatMessage['role'];

/** What `readConversation` reads, and the gateway's own metadata, which clients send back with the rest. */
const READ = ['role', 'content', 'cache_control', 'prompt_cache_breakpoint', 'provider_metadata', 'providerMetadata'];
const READ_OF_ROLE: Readonly<Record<Role, ReadonlySet<string>>> = {
  system: new Set(READ),
  developer: new Set(READ),
  // Whether a user's name is taken is the dialect's to say.
  user: new Set([...READ, 'name']),
  assistant: new Set([...READ, 'refusal', 'tool_calls', 'function_call', 'reasoning_details']),
  tool: new Set([...READ, 'tool_call_id']),
  function: new Set([...READ, 'name']),
};
/** Other spellings of what `reasoning_details` say whole. */
const REASONING_TEXT = new Set(['reasoning', 'reasoning_content']);
/** Long histories repeat themselves: the warnings travel in every answer. */
const MOST_WARNINGS = 20;

/** Warnings of fields of messages that no dialect which translates has a place for. */
export function unreadMessageFields({ messages }: ChatBody): string[] {
  const found = messages.flatMap((message, i) =>
    Object.entries(message)
      .filter(([key, value]) => isSaid(value) && !READ_OF_ROLE[message.role].has(key) && !isRepeated(key, message))
      .map(([key]) => `messages.${i}.${key}: not taken by the provider, dropped`),
  );
  if (found.length <= MOST_WARNINGS) return found;
  return [...found.slice(0, MOST_WARNINGS), `messages: ${found.length - MOST_WARNINGS} more fields dropped`];
}

/** Answers carry `annotations: []`, `audio: null` and the like. */
const isSaid = (value: unknown): boolean =>
  value !== null && value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);

const isRepeated = (key: string, message: Readonly<Record<string, unknown>>): boolean =>
  REASONING_TEXT.has(key) && isSaid(message.reasoning_details);
