import type { GenerateContentResponseUsageMetadata, ServiceTier, TrafficType } from '@google/genai';
import type { Usage } from '../../chat/index.ts';

/** Counts as the API sends them, with every chunk anew; any may be missing, and zero is not written. */
export type GeminiUsage = {
  /** Vertex; Google AI Studio says `serviceTier`. */
  readonly trafficType?: `${TrafficType}` | null;
  readonly serviceTier?: `${ServiceTier}` | null;
} & {
  readonly [K in
    | 'promptTokenCount'
    | 'cachedContentTokenCount'
    | 'candidatesTokenCount'
    | 'thoughtsTokenCount'
    | 'toolUsePromptTokenCount'
    | 'totalTokenCount']?: GenerateContentResponseUsageMetadata[K] | null;
};

/** The later number wins, a missing one does not (WIRE 2.19). */
export function mergeUsage(before: GeminiUsage, after: GeminiUsage): GeminiUsage {
  const merged: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(after)) if (value !== null && value !== undefined) merged[key] = value;
  return merged;
}

/**
 * `promptTokenCount` counts what was read from a cache too; the results of Google's own tools are input as well, and counted
 * apart. Thoughts stand beside the candidates' tokens, but for some models of Vertex inside them, which the total tells.
 */
export function usageFromGemini(usage: GeminiUsage): Usage | null {
  const prompt = count(usage.promptTokenCount);
  const candidates = count(usage.candidatesTokenCount);
  const thoughts = count(usage.thoughtsTokenCount);
  if (prompt === null && candidates === null && thoughts === null) return null;
  const cached = count(usage.cachedContentTokenCount);
  const ofTools = count(usage.toolUsePromptTokenCount) ?? 0;
  const inside = (thoughts ?? 0) > 0 && usage.totalTokenCount === (prompt ?? 0) + ofTools + (candidates ?? 0);
  return {
    uncachedInput: Math.max(0, (prompt ?? 0) - (cached ?? 0)) + ofTools,
    cacheRead: cached,
    cacheWrite: null,
    output: Math.max(0, (candidates ?? 0) - (inside ? (thoughts ?? 0) : 0)),
    reasoning: thoughts,
  };
}

/** OpenAI's names for Vertex's kinds of traffic; what a project has bought beforehand is no tier of a request. */
const TIERS: Readonly<Record<string, string>> = {
  ON_DEMAND: 'default',
  ON_DEMAND_FLEX: 'flex',
  ON_DEMAND_PRIORITY: 'priority',
  standard: 'default',
  flex: 'flex',
  priority: 'priority',
};

/** The tier that served the request; null where it is not said. */
export const servedTier = ({ trafficType, serviceTier }: GeminiUsage): string | null =>
  TIERS[serviceTier ?? trafficType ?? ''] ?? null;

const count = (value: number | null | undefined): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
