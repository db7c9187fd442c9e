import type { ContentBlock, OutputConfig } from '@aws-sdk/client-bedrock-runtime';
import type { AssistantTurn, ReasoningEffort, ReasoningWish } from '../../chat/index.ts';
import { decideThinking, REASONING_FORMAT } from '../anthropic/thinking.ts';
import type { Fields } from '../translation/index.ts';
import { blob } from './media.ts';
import type { BedrockMessage } from './messages.ts';
import { type Family, familyOf, isNova2 } from './models.ts';

/** `format` of the reasoning details of a model's answers (WIRE 2.8). */
export const formatOf = (model: string): string => (familyOf(model) === 'claude' ? REASONING_FORMAT : 'unknown');

export interface ReasoningDecision {
  /** For `additionalModelRequestFields`. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly effort: OutputConfig['effort'];
  /** Claude thinks: it refuses changed sampling. */
  readonly thinks: boolean;
  /** Nova at its hardest refuses any limit or sampling. */
  readonly unlimited: boolean;
  /** The limit on which a budget was reckoned must be sent. */
  readonly needsLimit: boolean;
}

interface Circumstances {
  readonly model: string;
  readonly maxTokens: number;
  readonly forced: boolean;
  readonly messages: readonly BedrockMessage[];
  readonly fields: Fields;
}

const OFF: ReasoningDecision = { fields: {}, effort: undefined, thinks: false, unlimited: false, needsLimit: false };

/** Whether and how the model reasons. A wish that it would refuse is not fatal: it is dropped, with a warning. */
export function decideReasoning(wish: ReasoningWish | null, circumstances: Circumstances): ReasoningDecision {
  if (wish === null) return OFF;
  const { model, fields } = circumstances;
  const family = familyOf(model);
  if (family === 'claude') return claude(wish, circumstances);
  if (wish.exclude) fields.warn('reasoning.exclude', 'not taken by the model, dropped');
  if (isNova2(model)) return nova(wish, fields);
  if (family === 'openai') return openai(wish, model, fields);
  if (wish.enabled) dropped(wish, family, model, fields);
  return OFF;
}

function claude(wish: ReasoningWish, { model, maxTokens, forced, messages, fields }: Circumstances): ReasoningDecision {
  const { on, body, effort } = decideThinking(wish, {
    maxTokens,
    model,
    forced,
    unexplained: lacksReasoning(messages),
    fields,
  });
  if (!on) return OFF;
  const needsLimit = body.thinking?.type === 'enabled';
  return { ...OFF, fields: { ...body }, effort: effort ?? undefined, thinks: true, needsLimit };
}

/** In a tool loop, and where it is to be continued, Claude wants the last assistant turn to begin with its thinking. */
function lacksReasoning(messages: readonly BedrockMessage[]): boolean {
  const last = messages.at(-1);
  const inLoop = last?.role === 'user' && last.content.some((block) => block.toolResult);
  const turn = inLoop ? messages.at(-2) : last;
  if (turn?.role !== 'assistant') return false;
  return !turn.content[0]?.reasoningContent;
}

/** https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html */
function nova(wish: ReasoningWish, fields: Fields): ReasoningDecision {
  if (!wish.enabled) return OFF;
  const maxReasoningEffort = threeEfforts(wish, fields);
  const unlimited = maxReasoningEffort === 'high';
  return { ...OFF, fields: { reasoningConfig: { type: 'enabled', maxReasoningEffort } }, unlimited };
}

function openai(wish: ReasoningWish, model: string, fields: Fields): ReasoningDecision {
  // The other GPT models on Bedrock refuse the parameter.
  if (!/gpt-oss/.test(model)) {
    fields.warn('reasoning', 'the model decides by itself, dropped');
    return OFF;
  }
  if (!wish.enabled) fields.warn('reasoning', 'the model always reasons, low effort used');
  return { ...OFF, fields: { reasoning_effort: wish.enabled ? threeEfforts(wish, fields) : 'low' } };
}

const THREE_EFFORTS = {
  none: 'low',
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
} as const satisfies Record<ReasoningEffort, string>;

function threeEfforts({ effort, maxTokens }: ReasoningWish, fields: Fields): 'low' | 'medium' | 'high' {
  if (maxTokens !== null) fields.warn('reasoning.max_tokens', 'the model takes no budget, medium effort used');
  return THREE_EFFORTS[effort ?? 'medium'];
}

/** DeepSeek R1 and the thinking models of Moonshot and Qwen reason anyway; no other model does. */
function dropped(wish: ReasoningWish, family: Family, model: string, fields: Fields): void {
  const reasons = /deepseek\.r1|thinking|magistral/.test(model) || family === 'moonshot';
  if (!reasons) fields.warn('reasoning', 'not taken by the model, dropped');
  else if (wish.effort !== null || wish.maxTokens !== null) {
    fields.warn('reasoning', 'the model reasons as much as it will, dropped');
  }
}

/** An earlier answer's reasoning, back as it came. Claude refuses its own without the signature, others any that is not their own. */
export function reasoningBlocks(turn: AssistantTurn, model: string, fields: Fields): ContentBlock[] {
  const format = formatOf(model);
  const isClaude = format === REASONING_FORMAT;
  const blocks: ContentBlock[] = [];
  turn.reasoning.forEach((detail, i) => {
    const foreign = (detail.format ?? format) !== format;
    if (!foreign && isClaude && detail.type === 'reasoning.text' && detail.signature) {
      const reasoningText = { text: detail.text ?? '', signature: detail.signature };
      blocks.push({ reasoningContent: { reasoningText } });
    } else if (!foreign && detail.type === 'reasoning.encrypted' && detail.data) {
      blocks.push({ reasoningContent: { redactedContent: blob(detail.data) } });
    } else fields.warn(`${turn.path}.reasoning_details.${i}`, 'not of this model, or without its signature, dropped');
  });
  return blocks;
}
