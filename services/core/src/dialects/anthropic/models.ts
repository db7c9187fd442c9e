/** 4.5 for `claude-opus-4-5-20251101`, 3.7 for `claude-3-7-sonnet-latest`, 4 for `claude-sonnet-4@20250514`; 0 for what tells none. */
export function claudeVersion(model: string): number {
  const found = /claude-(?:[a-z]+-)?v?(\d{1,2})(?:-(\d{1,2})(?!\d))?/.exec(model);
  return found ? Number(found[1]) + Number(found[2] ?? 0) / 10 : 0;
}

/** Which of temperature and top_p may be changed: newer Claudes take one of them, the newest none. */
export function claudeSampling(model: string): 'all' | 'one' | 'none' {
  const version = claudeVersion(model);
  if (version >= 4.7) return 'none';
  return version >= 4.1 ? 'one' : 'all';
}

/** From 4.7 on Claude decides by itself how many tokens it thinks. */
export const takesThinkingBudget = (model: string): boolean => claudeVersion(model) < 4.7;
