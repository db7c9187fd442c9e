import { claudeSampling, claudeVersion } from '../anthropic/models.ts';

/** Makers whose models differ in what they take through Converse. `unknown`: an id that tells nothing, such as an inference profile's. */
export type Family = 'claude' | 'nova' | 'openai' | 'mistral' | 'qwen' | 'deepseek' | 'moonshot' | 'plain' | 'unknown';

/** Model ids are `[region.]maker.model`, or ARNs that end in one (https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html). */
const MAKERS: readonly (readonly [RegExp, Family])[] = [
  [/claude/, 'claude'],
  [/amazon\.nova/, 'nova'],
  [/(^|[./])openai\./, 'openai'],
  [/(^|[./])mistral\./, 'mistral'],
  [/(^|[./])qwen\./, 'qwen'],
  [/(^|[./])deepseek\./, 'deepseek'],
  [/(^|[./])moonshot(ai)?\./, 'moonshot'],
  [/(^|[./])(meta|cohere|ai21|amazon|google|nvidia|minimax|writer|stability|zai)\./, 'plain'],
];

export function familyOf(model: string): Family {
  return MAKERS.find(([pattern]) => pattern.test(model))?.[1] ?? 'unknown';
}

/** Prompt caching by cachePoint (https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html). */
export function takesCachePoints(model: string): boolean {
  if (familyOf(model) === 'nova') return true;
  return claudeVersion(model) >= 3.7 || /claude-3-5-(haiku|sonnet-20241022)/.test(model);
}

/** Nova refuses cachePoints among the tools. */
export const cachesTools = (model: string): boolean => takesCachePoints(model) && familyOf(model) === 'claude';

export const takesLongTtl = (model: string): boolean => claudeVersion(model) >= 4.5;

/** `outputConfig.textFormat` (https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html). */
export function hasNativeSchemas(model: string): boolean {
  if (familyOf(model) === 'claude') return claudeVersion(model) >= 4.5;
  return /openai\.gpt|qwen\.qwen3|deepseek\.v3|moonshot|google\.gemma-3|minimax|nvidia\.nemotron|mistral\.(mistral-large-3|ministral|magistral|voxtral)/.test(
    model,
  );
}

/** `strict` on tools: with structured outputs, but refused from Claude 5 on. */
export const takesStrictTools = (model: string): boolean => claudeVersion(model) >= 4.5 && claudeVersion(model) < 5;

/** Ways to force a tool call. A model without them refuses the field. An unknown model gets what was asked for. */
export function forcingOf(model: string): 'any or tool' | 'any' | 'none' {
  switch (familyOf(model)) {
    case 'claude':
      return claudeVersion(model) >= 5.5 ? 'none' : 'any or tool';
    case 'nova':
    case 'unknown':
      return 'any or tool';
    case 'mistral':
      return 'any';
    default:
      return 'none';
  }
}

export const takesSystem = (model: string): boolean =>
  !/amazon\.titan-text|mistral\.(mistral-7b|mixtral)|ai21\.j2|cohere\.command-(text|light)/.test(model);

/** Which of temperature and top_p may be changed: newer Claudes take one of them, the newest none. */
export function samplingOf(model: string): 'all' | 'one' | 'none' {
  if (familyOf(model) === 'openai') return /gpt-oss/.test(model) ? 'all' : 'none';
  return claudeSampling(model);
}

/** GPT models on Bedrock refuse stopSequences. */
export const takesStop = (model: string): boolean => familyOf(model) !== 'openai';

export const isNova2 = (model: string): boolean => /amazon\.nova-2/.test(model);
