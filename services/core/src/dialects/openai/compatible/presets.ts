import type { Target } from '../../dialect.ts';

/** How a provider that speaks OpenAI's language differs from OpenAI. */
export interface Preset {
  /** Names that it knows for the token limit: the other one is renamed. */
  readonly limit: 'any' | 'max_tokens' | 'max_completion_tokens';
  /** Knows `stream_options`; the others send the usage unasked. */
  readonly streamOptions: boolean;
  /** Knows the role `developer`. */
  readonly developer: boolean;
  /** Takes `extra_content` of tool calls, where Gemini's signatures travel (WIRE 2.8). */
  readonly extraContent: boolean;
  /** Takes `cache_control` on messages, parts and tools. */
  readonly cacheControl: boolean;
  /**
   * How the client's wish for reasoning is said: by `reasoning_effort`, by OpenRouter's own `reasoning`, by an on-off
   * switch `thinking: {type}`, or not at all.
   */
  readonly reasoning: 'reasoning_effort' | 'reasoning' | 'thinking' | 'none';
  /** With the switch: names of efforts that it knows beside. */
  readonly efforts: readonly string[];
  /** What of an earlier answer's reasoning goes back: nothing, all as it came, or its text. */
  readonly history: 'drop' | 'as it came' | 'reasoning_content';
  /** Reasons unless told not to, and then refuses tool calls in the history that lack their reasoning. */
  readonly reasonsUnasked: boolean;
  /** `response_format: json_schema`; without it the schema is told in a system message. */
  readonly jsonSchema: boolean;
  /** Takes URLs of images; the others get the bytes. */
  readonly imageUrls: boolean;
  /** Ids of tool calls must be nine letters or digits. */
  readonly shortCallIds: boolean;
  readonly mostTemperature: number;
  readonly renamed: Readonly<Record<string, string>>;
  /** Fields that it refuses. */
  readonly refuses: readonly string[];
  /** Of `providerOptions.gateway.serviceTier`: those that its `service_tier` knows. */
  readonly tiers: readonly string[];
  /** Models may print their thinking into the text, between tags. */
  readonly thinkTags: boolean;
  /** `Dialect.billsAfterAbort`. */
  readonly billsAfterAbort: boolean;
  /** Goes on with an assistant message that ends the conversation and has `prefix: true`, and says that message again first. */
  readonly prefix: boolean;
}

const OPENAI: Preset = {
  limit: 'any',
  streamOptions: true,
  developer: true,
  extraContent: false,
  cacheControl: false,
  reasoning: 'reasoning_effort',
  efforts: [],
  history: 'drop',
  reasonsUnasked: false,
  jsonSchema: true,
  imageUrls: true,
  shortCallIds: false,
  mostTemperature: 2,
  renamed: {},
  refuses: [],
  tiers: ['flex', 'priority'],
  thinkTags: false,
  billsAfterAbort: false,
  prefix: false,
};

/** One of the operator's own: what is not known of it is not held back from it. */
const UNKNOWN: Preset = { ...OPENAI, extraContent: true, thinkTags: true };

/** What only OpenAI itself has. */
const OF_OPENAI = [
  'audio',
  'metadata',
  'modalities',
  'moderation',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
  'verbosity',
  'web_search_options',
];

const COMPATIBLE: Preset = {
  ...UNKNOWN,
  extraContent: false,
  limit: 'max_tokens',
  developer: false,
  refuses: OF_OPENAI,
  tiers: [],
};

/** By well-known name. Each from the provider's own API reference. */
const PRESETS: ReadonlyMap<string, Preset> = new Map<string, Preset>([
  ['openai', OPENAI],
  ['azure', OPENAI],
  // Dated versions before September 2024.
  ['azure-old', { ...OPENAI, streamOptions: false }],
  [
    'mistral',
    {
      ...COMPATIBLE,
      billsAfterAbort: true,
      // `prefix` of https://docs.mistral.ai/api/#tag/chat; that it is said again: https://github.com/vercel/ai/pull/3256.
      // (DeepSeek has it on another base URL only, https://api.deepseek.com/beta.)
      prefix: true,
      streamOptions: false,
      shortCallIds: true,
      mostTemperature: 1.5,
      renamed: { seed: 'random_seed' },
      reasoning: 'none',
      refuses: [
        ...OF_OPENAI.filter((name) => name !== 'metadata' && name !== 'prompt_cache_key'),
        'logit_bias',
        'logprobs',
        'top_logprobs',
        'user',
        'service_tier',
      ],
    },
  ],
  [
    'groq',
    {
      ...COMPATIBLE,
      billsAfterAbort: true,
      limit: 'max_completion_tokens',
      refuses: [...OF_OPENAI, 'logit_bias', 'logprobs', 'top_logprobs'],
      // https://console.groq.com/docs/service-tiers
      tiers: ['flex'],
    },
  ],
  [
    'xai',
    {
      ...COMPATIBLE,
      limit: 'any',
      refuses: OF_OPENAI.filter((name) => name !== 'web_search_options'),
      // https://docs.x.ai/developers/advanced-api-usage/priority-processing
      tiers: ['priority'],
    },
  ],
  [
    'deepseek',
    {
      ...COMPATIBLE,
      reasoning: 'thinking',
      efforts: ['high', 'max'],
      history: 'reasoning_content',
      reasonsUnasked: true,
      jsonSchema: false,
      refuses: [...OF_OPENAI, 'parallel_tool_calls', 'service_tier'],
    },
  ],
  ['together', COMPATIBLE],
  // https://docs.fireworks.ai/serverless/serverless-modes
  ['fireworks', { ...COMPATIBLE, refuses: [...OF_OPENAI, 'service_tier'], tiers: ['priority'] }],
  [
    'cerebras',
    {
      ...COMPATIBLE,
      limit: 'max_completion_tokens',
      mostTemperature: 1.5,
      refuses: [...OF_OPENAI, 'frequency_penalty', 'presence_penalty', 'logit_bias'],
      // https://inference-docs.cerebras.ai/capabilities/service-tiers
      tiers: ['flex', 'priority'],
    },
  ],
  [
    'perplexity',
    {
      ...COMPATIBLE,
      billsAfterAbort: true,
      streamOptions: false,
      refuses: [
        ...OF_OPENAI.filter((name) => name !== 'web_search_options'),
        'logit_bias',
        'logprobs',
        'seed',
        'service_tier',
        'top_logprobs',
      ],
    },
  ],
  ['openrouter', { ...UNKNOWN, cacheControl: true, reasoning: 'reasoning', history: 'as it came' }],
  [
    'moonshot',
    {
      ...COMPATIBLE,
      reasoning: 'thinking',
      history: 'reasoning_content',
      imageUrls: false,
      mostTemperature: 1,
      refuses: [...OF_OPENAI, 'logit_bias', 'logprobs', 'top_logprobs', 'service_tier'],
    },
  ],
  ['ollama', { ...COMPATIBLE, imageUrls: false }],
  ['lmstudio', { ...COMPATIBLE, imageUrls: false }],
  ['vllm', { ...COMPATIBLE, limit: 'any', refuses: [] }],
]);

/** Hosts of those that an operator may have given another name. */
const HOSTS: ReadonlyMap<string, string> = new Map([
  ['api.openai.com', 'openai'],
  ['api.mistral.ai', 'mistral'],
  ['codestral.mistral.ai', 'mistral'],
  ['api.groq.com', 'groq'],
  ['api.x.ai', 'xai'],
  ['api.deepseek.com', 'deepseek'],
  ['api.together.xyz', 'together'],
  ['api.together.ai', 'together'],
  ['api.fireworks.ai', 'fireworks'],
  ['api.cerebras.ai', 'cerebras'],
  ['api.perplexity.ai', 'perplexity'],
  ['openrouter.ai', 'openrouter'],
  ['api.moonshot.ai', 'moonshot'],
  ['api.moonshot.cn', 'moonshot'],
]);

const found = new Map<string, string>();

type Named = Pick<Target, 'provider' | 'baseUrl' | 'settings'>;

/** The preset of a provider: the one it is set to, else by the host of its base URL, else by its name. */
export const presetOf = (target: Named): Preset => PRESETS.get(presetNameOf(target)) ?? UNKNOWN;

/** The name that a provider is well known by; one of the operator's own has the name that it was given. */
export function presetNameOf({ provider, baseUrl, settings }: Named): string {
  if (settings.preset !== undefined) return settings.preset;
  const key = `${provider} ${baseUrl}`;
  let name = found.get(key);
  if (name === undefined) {
    const host = URL.canParse(baseUrl) ? new URL(baseUrl).hostname : '';
    name = HOSTS.get(host) ?? provider;
    // Configurations are few, but change while the process lives.
    if (found.size > 1_000) found.clear();
    found.set(key, name);
  }
  return name;
}
