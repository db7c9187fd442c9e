/** OpenAI request fields that a family of models takes (`supported_parameters`, WIRE 2.6). */

const TOOLS = ['tools', 'tool_choice', 'response_format'] as const;
const SAMPLING = ['max_tokens', 'temperature', 'top_p', 'stop'] as const;
const PENALTIES = ['frequency_penalty', 'presence_penalty'] as const;

export const OPENAI_CHAT = [...SAMPLING, ...PENALTIES, 'seed', 'logit_bias', 'logprobs', 'top_logprobs', ...TOOLS];
export const OPENAI_REASONING = ['max_tokens', 'seed', 'reasoning', ...TOOLS];
export const ANTHROPIC_CHAT = [...SAMPLING, 'top_k', ...TOOLS];
export const ANTHROPIC_REASONING = [...ANTHROPIC_CHAT, 'reasoning'];
export const GEMINI_CHAT = [...SAMPLING, ...PENALTIES, 'seed', ...TOOLS];
export const GEMINI_REASONING = [...GEMINI_CHAT, 'reasoning'];
export const COMPATIBLE_CHAT = [...SAMPLING, ...PENALTIES, 'seed', ...TOOLS];
export const COMPATIBLE_REASONING = [...COMPATIBLE_CHAT, 'reasoning'];
