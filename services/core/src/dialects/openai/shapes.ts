/** OpenAI answers as they really arrive: every field may be missing or of another type until it has been looked at. */
export interface Completion {
  id?: unknown;
  object?: unknown;
  model?: unknown;
  created?: unknown;
  service_tier?: unknown;
  choices?: Choice[];
  usage?: unknown;
  x_groq?: { usage?: unknown } | null;
  error?: unknown;
}

export interface Choice {
  index?: number;
  message?: Message;
  delta?: Message;
  finish_reason?: string | null;
  logprobs?: unknown;
  usage?: unknown;
}

export interface Message {
  role?: string;
  content?: unknown;
  refusal?: unknown;
  reasoning?: unknown;
  reasoning_content?: unknown;
  reasoning_details?: unknown;
  tool_calls?: ToolCall[] | null;
  function_call?: unknown;
  audio?: unknown;
  images?: unknown;
}

export interface ToolCall {
  index?: number;
  id?: string | null;
  type?: string;
  function?: { name?: string | null; arguments?: unknown } | null;
  custom?: unknown;
}

/** Reasons that the OpenAI API defines; another one is not guessed at (WIRE 2.19). */
const FINISH_REASONS = new Set(['stop', 'length', 'tool_calls', 'content_filter', 'function_call']);

export const isKnownFinish = (reason: unknown): boolean =>
  reason === null || reason === undefined || (typeof reason === 'string' && FINISH_REASONS.has(reason));

export const isFilled = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);

/** Whether a message or delta carries anything that the client asked for. */
export function hasContent(message: Message | undefined | null): boolean {
  if (!message) return false;
  return (
    isFilled(message.content) ||
    isFilled(message.tool_calls) ||
    isFilled(message.refusal) ||
    isFilled(message.reasoning) ||
    isFilled(message.reasoning_content) ||
    isFilled(message.reasoning_details) ||
    isFilled(message.function_call) ||
    isFilled(message.audio) ||
    isFilled(message.images)
  );
}

/** The id of a call to which the provider gave none; the same in a stream and in a whole answer, never twice in a conversation. */
export const toolCallId = (generationId: string, choice: number, index: number): string =>
  `call_${generationId.replace(/^gen_/, '')}_${choice}_${index}`;

/** Arguments are text: some imitations send the object itself, or null for none yet. True when they were put right. */
export function repairArguments(call: ToolCall): boolean {
  const text = call.function?.arguments;
  if (!call.function || text === undefined || typeof text === 'string') return false;
  call.function.arguments = text === null ? '' : JSON.stringify(text);
  return true;
}

/** Puts right what imitations get wrong (WIRE 2.19): changes the choice in place, true when it did. */
export function repairChoice(choice: Choice, message: Message | undefined, generationId: string): boolean {
  const calls = message?.tool_calls;
  if (!Array.isArray(calls) || calls.length === 0) return false;
  let repaired = false;
  calls.forEach((call, i) => {
    if (!call.id) {
      call.id = toolCallId(generationId, choice.index ?? 0, i);
      repaired = true;
    }
    if (!call.type) {
      call.type = call.custom === undefined ? 'function' : 'custom';
      repaired = true;
    }
    if (repairArguments(call)) repaired = true;
    if (call.function && !call.function.arguments) {
      call.function.arguments = '{}';
      repaired = true;
    }
  });
  if (choice.finish_reason === 'stop') {
    choice.finish_reason = 'tool_calls';
    repaired = true;
  }
  return repaired;
}
