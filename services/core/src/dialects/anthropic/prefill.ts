import { type ChatRequest, readReasoning } from '../../chat/index.ts';
import { claudeVersion } from './models.ts';

/**
 * Whether a Claude goes on with an assistant message that ends the conversation. From 4.6 on none does, and none beside
 * extended thinking or structured output (https://docs.anthropic.com/en/docs/build-with-claude/prefill-claudes-response).
 */
export function continuesAssistant({ outline }: ChatRequest, model: string): boolean {
  if (!/claude/.test(model) || claudeVersion(model) >= 4.6) return false;
  if (mayReason(outline) || outline.messages.at(-1)?.role === 'assistant') return false;
  const { type } = outline.response_format ?? { type: 'text' };
  const forced = outline.tool_choice === 'required' || typeof outline.tool_choice === 'object';
  return type === 'text' && !forced;
}

/** A wish that contradicts itself is for the encoder to refuse. */
function mayReason(outline: ChatRequest['outline']): boolean {
  try {
    return readReasoning(outline)?.enabled === true;
  } catch {
    return true;
  }
}
