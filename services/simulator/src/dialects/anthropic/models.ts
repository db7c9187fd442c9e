/** What a Claude model takes, as its documentation says. Names that say no version take everything. */
export interface ModelTraits {
  /** `thinking: {type: "enabled"}` with a budget. */
  readonly budgetThinking: boolean;
  readonly adaptiveThinking: boolean;
  readonly effort: boolean;
  readonly prefill: boolean;
  /** How many of temperature, top_p, top_k may be changed. */
  readonly sampling: 'all' | 'temperature or top_p' | 'none';
  /** Messages of role `system`. */
  readonly systemTurns: boolean;
}

export function traitsOf(model: string): ModelTraits {
  const version = versionOf(model);
  if (version === undefined)
    return {
      budgetThinking: true,
      adaptiveThinking: true,
      effort: true,
      prefill: true,
      sampling: 'all',
      systemTurns: false,
    };
  const isOpus = model.includes('opus');
  return {
    budgetThinking: version >= 307 && version < 407,
    adaptiveThinking: version >= 406,
    effort: version >= (isOpus ? 405 : 406),
    prefill: version < 406,
    sampling: version >= 407 ? 'none' : version >= 401 ? 'temperature or top_p' : 'all',
    systemTurns: version >= 408 && !model.includes('sonnet-5') ? true : version > 500,
  };
}

/** 405 for `claude-opus-4-5-20251101`, 307 for `claude-3-7-sonnet-latest`, 400 for `claude-sonnet-4@20250514`. */
function versionOf(model: string): number | undefined {
  const found =
    /claude-(?:opus|sonnet|haiku|fable|mythos)-(\d)(?:-(\d{1,2})(?!\d))?/.exec(model) ??
    /claude-(\d)(?:-(\d))?-(?:opus|sonnet|haiku)/.exec(model);
  return found === null ? undefined : Number(found[1]) * 100 + Number(found[2] ?? 0);
}
