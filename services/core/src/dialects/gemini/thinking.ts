import type { ThinkingConfig, ThinkingLevel } from '@google/genai';
import { EFFORT_SHARE, type ReasoningEffort, type ReasoningWish } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';
import type { ModelTraits } from './model.ts';

export interface Thinking extends Omit<ThinkingConfig, 'thinkingLevel'> {
  thinkingLevel?: `${ThinkingLevel}`;
}

/** `least` is 0 where thinking can be switched off. */
interface BudgetRange {
  readonly least: number;
  /** The least budget other than none. */
  readonly floor: number;
  readonly most: number;
}

/**
 * `reasoning` as `thinkingConfig` (https://ai.google.dev/gemini-api/docs/thinking): a level from Gemini 3 on, a budget in 2.5.
 * Null where nothing is asked for, or where the model has no such thing.
 */
export function encodeThinking(
  wish: ReasoningWish | null,
  model: ModelTraits,
  maxTokens: number | null,
  fields: Fields,
): Thinking | null {
  if (wish === null) return null;
  if (
    !model.isGemini ||
    (model.version !== null && model.version < 2.5) ||
    (model.isMaker && (model.version ?? 3) < 3)
  ) {
    if (wish.enabled) fields.warn('reasoning', 'the model does not reason, dropped');
    return null;
  }
  const show = wish.enabled && !wish.exclude ? { includeThoughts: true } : {};
  if (model.isMaker) {
    fields.warn('reasoning', 'how much the model reasons cannot be set');
    return wish.enabled ? show : null;
  }
  // A budget is exact where tokens were asked for; Gemini 3 takes one as well, and an alias may stand for either.
  if (wish.maxTokens !== null || model.version === null || model.version < 3) {
    return { ...show, thinkingBudget: budget(wish, budgetRange(model), maxTokens, fields) };
  }
  const level = thinkingLevel(wish, model, fields);
  return { ...show, ...(level === null ? {} : { thinkingLevel: level }) };
}

function budgetRange({ version, isPro, isLite }: ModelTraits): BudgetRange {
  if (isPro) return { least: 128, floor: 128, most: 32_768 };
  if (isLite) return { least: 0, floor: 512, most: 24_576 };
  // Gemini 3 cannot be kept from thinking at all.
  return { least: version !== null && version >= 3 ? 128 : 0, floor: 128, most: 24_576 };
}

/** -1: the model decides. */
function budget(wish: ReasoningWish, range: BudgetRange, maxTokens: number | null, fields: Fields): number {
  if (!wish.enabled) {
    if (range.least > 0) fields.warn('reasoning', `the model cannot be kept from it, lowered to ${range.least} tokens`);
    return range.least;
  }
  if (wish.maxTokens !== null) {
    const allowed = clamp(wish.maxTokens, range);
    if (allowed !== wish.maxTokens) fields.warn('reasoning.max_tokens', `${wish.maxTokens} changed to ${allowed}`);
    return allowed;
  }
  if (wish.effort === null || wish.effort === 'none') return -1;
  return clamp(Math.floor((maxTokens ?? range.most) * EFFORT_SHARE[wish.effort]), range);
}

const clamp = (tokens: number, { floor, most }: BudgetRange): number => Math.min(Math.max(tokens, floor), most);

const LEVELS: Readonly<Record<Exclude<ReasoningEffort, 'none'>, `${ThinkingLevel}`>> = {
  minimal: 'MINIMAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
  xhigh: 'HIGH',
  max: 'HIGH',
};

/** The Pro models have no `minimal`, the first of them no `medium`: the next higher level then. Null: the model's own choice. */
function thinkingLevel(
  wish: ReasoningWish,
  { isPro, version }: ModelTraits,
  fields: Fields,
): `${ThinkingLevel}` | null {
  if (!wish.enabled) {
    const least = isPro ? 'LOW' : 'MINIMAL';
    fields.warn('reasoning', `the model cannot be kept from it, lowered to ${least.toLowerCase()}`);
    return least;
  }
  if (wish.effort === null || wish.effort === 'none') return null;
  const level = LEVELS[wish.effort];
  if (isPro && level === 'MINIMAL') return 'LOW';
  return isPro && level === 'MEDIUM' && version === 3 ? 'HIGH' : level;
}
