import { effortTokens } from '../../speech/conversation.ts';
import type { ModelTraits } from '../anthropic/models.ts';
import { modelRefused } from './errors.ts';
import { isObject, type JsonObject } from './shape.ts';
import type { ConverseBody } from './wire.ts';

/** What of `additionalModelRequestFields` Claude takes: fields of the Messages API that Converse has no member for. */
const known = new Set([
  'thinking',
  // How Bedrock's first documentation of thinking spelled it.
  'reasoning_config',
  'top_k',
  'tool_choice',
  'output_config',
  'anthropic_beta',
  'metadata',
  'context_management',
]);

const minBudget = 1024;
const guide = 'https://docs.claude.com/en/docs/build-with-claude/extended-thinking';

export function isClaude(model: string): boolean {
  return /claude|anthropic/.test(model);
}

export interface Thinking {
  readonly type: 'enabled' | 'adaptive';
  /** Tokens that are shown unless a directive says otherwise. */
  readonly tokens: number;
}

/** Checks Claude's own fields; throws what the model would refuse. */
export function checkClaude(body: ConverseBody, traits: ModelTraits): void {
  const fields = body.additionalModelRequestFields ?? {};
  const extra = Object.keys(fields).find((name) => !known.has(name));
  if (extra !== undefined) throw modelRefused(`${extra}: Extra inputs are not permitted`);
  checkThinkingShape(fields, traits);
  if (fields.top_k !== undefined && !Number.isInteger(fields.top_k))
    throw modelRefused('top_k: Input should be a valid integer');
  checkSampling(body, traits);
  checkThinkingRules(body);
}

/** What the request says about thinking, for a model of any maker. */
export function thinkingOf(body: ConverseBody): Thinking | undefined {
  const fields = body.additionalModelRequestFields ?? {};
  const thinking = thinkingField(fields);
  switch (isObject(thinking) ? thinking.type : undefined) {
    case 'enabled': {
      const budget = isObject(thinking) ? Number(thinking.budget_tokens) : 0;
      return { type: 'enabled', tokens: Math.min(budget, effortTokens.medium) };
    }
    case 'adaptive':
      return { type: 'adaptive', tokens: effortTokens[effortOf(body) ?? 'high'] };
    default:
      return undefined;
  }
}

/** The wish of models that know an effort only: `reasoning_effort`, and Nova's `reasoningConfig`. */
export function effortOf(body: ConverseBody): keyof typeof effortTokens | undefined {
  const fields = body.additionalModelRequestFields ?? {};
  const config = isObject(fields.output_config) ? fields.output_config.effort : undefined;
  const nova = isObject(fields.reasoningConfig) ? fields.reasoningConfig : undefined;
  const wish =
    body.outputConfig?.effort ??
    config ??
    fields.reasoning_effort ??
    (nova?.type === 'enabled' ? (nova.maxReasoningEffort ?? 'medium') : undefined);
  return isEffort(wish) ? wish : undefined;
}

function isEffort(wish: unknown): wish is keyof typeof effortTokens {
  return typeof wish === 'string' && Object.hasOwn(effortTokens, wish);
}

export function hidesThinking({ additionalModelRequestFields: fields }: ConverseBody): boolean {
  const thinking = thinkingField(fields ?? {});
  return isObject(thinking) && thinking.display === 'omitted';
}

function thinkingField(fields: JsonObject): unknown {
  return fields.thinking ?? fields.reasoning_config;
}

function checkThinkingShape(fields: JsonObject, traits: ModelTraits): void {
  const thinking = thinkingField(fields);
  if (thinking === undefined) return;
  if (!isObject(thinking)) throw modelRefused('thinking: Input should be a valid dictionary');
  const { type, budget_tokens: budget, display, ...rest } = thinking;
  if (type !== 'enabled' && type !== 'disabled' && type !== 'adaptive')
    throw modelRefused(
      `thinking: Input tag '${String(type)}' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'`,
    );
  const [extra] = [...Object.keys(rest), ...(type !== 'enabled' && budget !== undefined ? ['budget_tokens'] : [])];
  if (extra !== undefined) throw modelRefused(`thinking.${type}.${extra}: Extra inputs are not permitted`);
  if (display !== undefined && display !== 'summarized' && display !== 'omitted')
    throw modelRefused(`thinking.${type}.display: Input should be 'summarized' or 'omitted'`);
  if (type === 'adaptive' && !traits.adaptiveThinking)
    throw modelRefused('adaptive thinking is not supported on this model');
  if (type !== 'enabled') return;
  if (budget === undefined) throw modelRefused('thinking.enabled.budget_tokens: Field required');
  if (!Number.isInteger(budget)) throw modelRefused('thinking.enabled.budget_tokens: Input should be a valid integer');
  if (Number(budget) < minBudget)
    throw modelRefused(`thinking.enabled.budget_tokens: Input should be greater than or equal to ${minBudget}`);
  if (!traits.budgetThinking)
    throw modelRefused(
      traits.adaptiveThinking
        ? '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        : 'thinking is not supported on this model',
    );
}

function checkSampling(
  { inferenceConfig, additionalModelRequestFields: fields }: ConverseBody,
  traits: ModelTraits,
): void {
  const { temperature, topP } = inferenceConfig ?? {};
  if (traits.sampling === 'none') {
    if (temperature !== undefined && temperature !== 1)
      throw modelRefused('`temperature` is deprecated for this model.');
    if (topP !== undefined && topP < 0.99) throw modelRefused('`top_p` is deprecated for this model.');
    if (fields?.top_k !== undefined) throw modelRefused('`top_k` is deprecated for this model.');
  }
  if (traits.sampling === 'temperature or top_p' && temperature !== undefined && topP !== undefined)
    throw modelRefused('`temperature` and `top_p` cannot both be specified for this model. Please use only one.');
}

function checkThinkingRules(body: ConverseBody): void {
  const thinking = thinkingOf(body);
  if (thinking === undefined) return;
  const { inferenceConfig = {}, toolConfig, additionalModelRequestFields: fields } = body;
  const field = thinkingField(fields ?? {});
  const { maxTokens, temperature, topP } = inferenceConfig;
  if (
    thinking.type === 'enabled' &&
    isObject(field) &&
    maxTokens !== undefined &&
    Number(field.budget_tokens) >= maxTokens
  )
    throw modelRefused(
      `\`max_tokens\` must be greater than \`thinking.budget_tokens\`. Please consult our documentation at ${guide}#max-tokens-and-context-window-size`,
    );
  if (toolConfig?.toolChoice?.any !== undefined || toolConfig?.toolChoice?.tool !== undefined)
    throw modelRefused('Thinking may not be enabled when tool_choice forces tool use.');
  if (temperature !== undefined && temperature !== 1)
    throw modelRefused('`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.');
  if (fields?.top_k !== undefined)
    throw modelRefused('`top_k` must be unset when thinking is enabled or in adaptive mode.');
  if (topP !== undefined && topP < 0.95)
    throw modelRefused(
      '`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled or in adaptive mode.',
    );
  if (thinking.type === 'enabled') checkThinkingFirst(body.messages);
}

/** In a tool loop, and in a prefill, the last assistant turn must begin with what it thought. */
function checkThinkingFirst(messages: ConverseBody['messages']): void {
  const index = messages.findLastIndex(({ role }) => role === 'assistant');
  const inLoop = messages[index + 1]?.content.some(({ toolResult }) => toolResult !== undefined) ?? false;
  if (index < 0 || (!inLoop && index < messages.length - 1)) return;
  const [first] = messages[index]?.content ?? [];
  if (first === undefined || first.reasoningContent !== undefined) return;
  const found = first.toolUse === undefined ? 'text' : 'tool_use';
  throw modelRefused(
    `messages.${index}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${found}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block (preceeding the lastmost set of \`tool_use\` and \`tool_result\` blocks). We recommend you include thinking blocks from previous turns. To avoid this requirement, disable \`thinking\`. Please consult our documentation at ${guide}`,
  );
}
