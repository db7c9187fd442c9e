import type { ChatRequest } from '../../../chat/index.ts';
import type { Target } from '../../dialect.ts';
import { presetOf } from './presets.ts';

/**
 * Whether the target goes on with an assistant message that ends the conversation. Not beside a forced tool call, which Mistral
 * refuses ("Cannot set an assistant prefix with function calling"), nor where JSON is asked for, nor with models that think first.
 */
export function continuesAssistant({ outline }: ChatRequest, target: Target): boolean {
  if (!presetOf(target).prefix || /magistral/i.test(target.model)) return false;
  if (outline.messages.at(-1)?.role === 'assistant') return false;
  const { type } = outline.response_format ?? { type: 'text' };
  const forced = outline.tool_choice === 'required' || typeof outline.tool_choice === 'object';
  return type === 'text' && !forced;
}
