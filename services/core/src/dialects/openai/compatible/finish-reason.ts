/** What compatible providers say where OpenAI has another word. What is in neither list is no end that can be trusted. */
const AS_OPENAI: ReadonlyMap<unknown, string> = new Map([
  // Together, text-generation-inference.
  ['eos', 'stop'],
  ['eos_token', 'stop'],
  ['stop_sequence', 'stop'],
  ['end_turn', 'stop'],
  ['completed', 'stop'],
  ['COMPLETE', 'stop'],
  ['STOP', 'stop'],
  // Mistral.
  ['model_length', 'length'],
  ['max_tokens', 'length'],
  ['MAX_TOKENS', 'length'],
  ['max_output_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['tool_use', 'tool_calls'],
  ['tool_call', 'tool_calls'],
  ['sensitive', 'content_filter'],
  ['safety', 'content_filter'],
  ['SAFETY', 'content_filter'],
  ['refusal', 'content_filter'],
]);

/** Undefined where the reason is OpenAI's own, or none that is known, such as `error` or `insufficient_system_resource`. */
export const openAiReason = (reason: unknown): string | undefined => AS_OPENAI.get(reason);
