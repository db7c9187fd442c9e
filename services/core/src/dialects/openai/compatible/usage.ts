type Raw = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);

const count = (value: unknown): number | null =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null;

/**
 * A `usage` object in OpenAI's spelling and sense: the prompt includes what was read from the cache, the completion includes
 * reasoning. The same object where it is so already.
 */
export function openAiUsage(raw: unknown): unknown {
  if (!isRecord(raw)) return raw;
  const changes: Record<string, unknown> = {};
  const prompt = count(raw.prompt_tokens);
  const completion = count(raw.completion_tokens);
  const inputs = isRecord(raw.prompt_tokens_details) ? raw.prompt_tokens_details : {};
  const outputs = isRecord(raw.completion_tokens_details) ? raw.completion_tokens_details : {};
  if (count(inputs.cached_tokens) === null) {
    // DeepSeek; Moonshot; Mistral.
    const cached = [raw.prompt_cache_hit_tokens, raw.cached_tokens, raw.num_cached_tokens].map(count).find(isCount);
    if (cached !== undefined) changes.prompt_tokens_details = { ...inputs, cached_tokens: cached };
  }
  const stated = count(outputs.reasoning_tokens);
  const reasoning = stated ?? count(raw.reasoning_tokens);
  if (reasoning !== null) {
    if (stated === null) changes.completion_tokens_details = { ...outputs, reasoning_tokens: reasoning };
    if (prompt !== null && completion !== null && excludesReasoning(raw, prompt, completion, reasoning)) {
      changes.completion_tokens = completion + reasoning;
      changes.total_tokens = prompt + completion + reasoning;
    }
  }
  if (prompt !== null && completion !== null && count(raw.total_tokens) === null) {
    changes.total_tokens ??= prompt + completion;
  }
  return Object.keys(changes).length === 0 ? raw : { ...raw, ...changes };
}

/** xAI counts reasoning beside the completion: its total says so. */
function excludesReasoning(raw: Raw, prompt: number, completion: number, reasoning: number): boolean {
  if (reasoning === 0) return false;
  return raw.total_tokens === prompt + completion + reasoning || reasoning > completion;
}

const isCount = (value: number | null): value is number => value !== null;
