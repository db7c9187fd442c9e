/** Ways in which compatible providers say that a prompt is too long for the model. */
const TOO_LONG = new RegExp(
  [
    // OpenAI, vLLM, Fireworks, OpenRouter, Mistral.
    'maximum context length',
    'context window',
    // xAI.
    'maximum prompt length',
    // Moonshot.
    'exceeded model token limit',
    // llama.cpp.
    'exceeds the available context size',
    // Together.
    'tokens \\+ `?max_new_tokens`? must be',
    // Ollama, LM Studio.
    'exceeds (the )?context length',
    'context (length )?(the )?overflow',
    'prompt is too long',
  ].join('|'),
  'i',
);

const TOO_LONG_CODES: ReadonlySet<string | null> = new Set(['context_length_exceeded', 'exceed_context_size_error']);

export const isTooLong = (code: string | null, type: string | null, message: string): boolean =>
  TOO_LONG_CODES.has(code) || TOO_LONG_CODES.has(type) || TOO_LONG.test(message);

interface Metadata {
  readonly raw?: unknown;
  readonly reasons?: unknown;
}

/** OpenRouter's `metadata`. */
const metadataOf = (error: object): Metadata => {
  const metadata = 'metadata' in error ? error.metadata : undefined;
  return typeof metadata === 'object' && metadata !== null ? metadata : {};
};

/** OpenRouter passes a moderator's reasons on under a 403. */
export const isModerated = (error: object): boolean => Array.isArray(metadataOf(error).reasons);

/** What an error says, wherever it says it: Mistral nests the message, OpenRouter hides the provider's own words. */
export function messageOf(error: { readonly message?: unknown }): string {
  const { message } = error;
  const { raw } = metadataOf(error);
  const said = typeof message === 'string' ? message : nested(message);
  return typeof raw === 'string' && raw !== '' && !said.includes(raw) ? `${said} ${raw}`.trim() : said;
}

function nested(message: unknown): string {
  if (typeof message !== 'object' || message === null) return '';
  const { message: inner, detail } = message as { message?: unknown; detail?: unknown };
  return typeof inner === 'string' ? inner : (detailText(detail) ?? '');
}

/** FastAPI's `detail`: text, or a list of `{msg}`. */
export function detailText(detail: unknown): string | undefined {
  if (typeof detail === 'string') return detail;
  if (!Array.isArray(detail)) return undefined;
  return detail
    .map((item: { msg?: unknown; loc?: unknown } | null) => item?.msg)
    .filter((message) => typeof message === 'string')
    .join('; ');
}
