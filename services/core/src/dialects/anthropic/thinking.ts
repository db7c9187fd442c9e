import type {
  ContentBlockParam,
  MessageCreateParams,
  MessageParam,
  OutputConfig,
} from '@anthropic-ai/sdk/resources/messages';
import { type AssistantTurn, EFFORT_SHARE, type ReasoningWish } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';
import { takesThinkingBudget } from './models.ts';

/** `format` of the reasoning details that come from here and may go back here (WIRE 2.8). */
export const REASONING_FORMAT = 'anthropic-claude-v1';
const LEAST_BUDGET = 1_024;

export interface ThinkingDecision {
  readonly on: boolean;
  readonly body: Pick<MessageCreateParams, 'thinking'>;
  readonly effort: OutputConfig['effort'];
}

interface Circumstances {
  readonly maxTokens: number;
  readonly model: string;
  /** The request forces a tool call, which the API refuses beside thinking. */
  readonly forced: boolean;
  /** The assistant turn that is answered or continued came without its thinking, which the API demands beside thinking. */
  readonly unexplained: boolean;
  readonly fields: Fields;
}

const OFF: ThinkingDecision = { on: false, body: {}, effort: null };

/** Whether and how the model thinks. A wish that the API would refuse is not fatal: it is dropped, with a warning. */
export function decideThinking(wish: ReasoningWish | null, circumstances: Circumstances): ThinkingDecision {
  if (!wish?.enabled) return OFF;
  const { maxTokens, model, forced, unexplained, fields } = circumstances;
  const drop = (why: string): ThinkingDecision => {
    fields.warn('reasoning', `switched off for this request: ${why}`);
    return OFF;
  };
  if (!canThink(model)) return drop('the model does not reason');
  if (forced) return drop('the provider does not reason when a tool call is forced');
  if (unexplained) return drop('the last assistant message came without its reasoning_details');
  const display = wish.exclude ? { display: 'omitted' as const } : {};
  const budgetless = wish.maxTokens !== null && !takesThinkingBudget(model);
  if (budgetless) fields.warn('reasoning.max_tokens', 'the model decides by itself how much it thinks, dropped');
  if (isAdaptive(model) && (wish.maxTokens === null || budgetless)) {
    return { on: true, body: { thinking: { type: 'adaptive', ...display } }, effort: adaptiveEffort(wish) };
  }
  if (maxTokens <= LEAST_BUDGET) return drop(`max_tokens must be more than ${LEAST_BUDGET}`);
  const share = wish.effort === null || wish.effort === 'none' ? EFFORT_SHARE.medium : EFFORT_SHARE[wish.effort];
  const asked = wish.maxTokens ?? Math.floor(maxTokens * share);
  const budget = Math.min(Math.max(asked, LEAST_BUDGET), maxTokens - 1);
  if (wish.maxTokens !== null && budget !== asked) fields.warn('reasoning.max_tokens', `${asked} changed to ${budget}`);
  return { on: true, body: { thinking: { type: 'enabled', budget_tokens: budget, ...display } }, effort: null };
}

function adaptiveEffort({ effort }: ReasoningWish): OutputConfig['effort'] {
  if (effort === null || effort === 'none') return null;
  return effort === 'minimal' ? 'low' : effort;
}

/** Claude 3.5 and older, and 3 Opus and Haiku, have no extended thinking. */
const canThink = (model: string): boolean => !/claude-(2|instant|3-(5|opus|sonnet|haiku))/.test(model);

/** From 4.6 on a model decides by itself how much it thinks, and takes an effort instead of a budget. */
const isAdaptive = (model: string): boolean => /claude-(?:[a-z]+)-(?:4-[6-9]|[5-9])(?:\b|-|@)/.test(model);

/**
 * In a tool loop, and where it is to be continued, the API wants the last assistant turn to begin with its thinking. Clients
 * that dropped it must still get an answer (without thinking).
 */
export function lacksThinking(messages: readonly MessageParam[]): boolean {
  const last = messages.at(-1);
  const inLoop = last?.role === 'user' && hasBlock(last, 'tool_result');
  const turn = inLoop ? messages.at(-2) : last;
  if (turn?.role !== 'assistant') return false;
  return !hasBlock(turn, 'thinking') && !hasBlock(turn, 'redacted_thinking');
}

const hasBlock = (message: MessageParam, type: ContentBlockParam['type']): boolean =>
  Array.isArray(message.content) && message.content.some((block) => block.type === type);

/** An earlier answer's reasoning, back as it came; without its signature the API would refuse it. */
export function thinkingBlocks(turn: AssistantTurn, fields: Fields): ContentBlockParam[] {
  const blocks: ContentBlockParam[] = [];
  turn.reasoning.forEach((detail, i) => {
    const foreign = detail.format !== undefined && detail.format !== null && detail.format !== REASONING_FORMAT;
    if (!foreign && detail.type === 'reasoning.text' && detail.signature) {
      blocks.push({ type: 'thinking', thinking: detail.text ?? '', signature: detail.signature });
    } else if (!foreign && detail.type === 'reasoning.encrypted' && detail.data) {
      blocks.push({ type: 'redacted_thinking', data: detail.data });
    } else
      fields.warn(`${turn.path}.reasoning_details.${i}`, 'not of this provider, or without its signature, dropped');
  });
  return blocks;
}
