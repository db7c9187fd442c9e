/** Languages that a provider's API can speak. */
export const DIALECTS = ['openai', 'anthropic', 'gemini', 'vertex', 'bedrock', 'azure', 'cohere', 'voyage'] as const;

export type Dialect = (typeof DIALECTS)[number];

export interface WellKnownProvider {
  readonly dialect: Dialect;
  /** Null where it depends on the account (azure, vertex, bedrock). */
  readonly baseUrl: string | null;
  /** Environment variables that usually hold its key, first match wins. */
  readonly keyVariables: readonly string[];
  /** Environment variable that its own SDK reads a base URL from. */
  readonly baseUrlVariable: string | null;
}

function openaiCompatible(baseUrl: string, variable: string | null): WellKnownProvider {
  return {
    dialect: 'openai',
    baseUrl,
    keyVariables: variable === null ? [] : [`${variable}_API_KEY`],
    baseUrlVariable: variable === null ? null : `${variable}_BASE_URL`,
  };
}

/** Providers that need no more than their name and a key: dialect and base URL are public knowledge. */
export const WELL_KNOWN_PROVIDERS: ReadonlyMap<string, WellKnownProvider> = new Map<string, WellKnownProvider>([
  ['openai', openaiCompatible('https://api.openai.com/v1', 'OPENAI')],
  [
    'anthropic',
    {
      dialect: 'anthropic',
      baseUrl: 'https://api.anthropic.com',
      keyVariables: ['ANTHROPIC_API_KEY'],
      baseUrlVariable: 'ANTHROPIC_BASE_URL',
    },
  ],
  [
    'gemini',
    {
      dialect: 'gemini',
      baseUrl: 'https://generativelanguage.googleapis.com',
      keyVariables: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
      baseUrlVariable: 'GEMINI_BASE_URL',
    },
  ],
  ['vertex', { dialect: 'vertex', baseUrl: null, keyVariables: [], baseUrlVariable: null }],
  ['bedrock', { dialect: 'bedrock', baseUrl: null, keyVariables: [], baseUrlVariable: null }],
  ['azure', { dialect: 'azure', baseUrl: null, keyVariables: [], baseUrlVariable: null }],
  [
    'cohere',
    {
      dialect: 'cohere',
      baseUrl: 'https://api.cohere.com',
      keyVariables: ['COHERE_API_KEY', 'CO_API_KEY'],
      baseUrlVariable: 'COHERE_BASE_URL',
    },
  ],
  [
    'voyage',
    {
      dialect: 'voyage',
      baseUrl: 'https://api.voyageai.com/v1',
      keyVariables: ['VOYAGE_API_KEY'],
      baseUrlVariable: 'VOYAGE_BASE_URL',
    },
  ],
  ['mistral', openaiCompatible('https://api.mistral.ai/v1', 'MISTRAL')],
  ['xai', openaiCompatible('https://api.x.ai/v1', 'XAI')],
  ['deepseek', openaiCompatible('https://api.deepseek.com/v1', 'DEEPSEEK')],
  ['groq', openaiCompatible('https://api.groq.com/openai/v1', 'GROQ')],
  ['together', openaiCompatible('https://api.together.xyz/v1', 'TOGETHER')],
  ['fireworks', openaiCompatible('https://api.fireworks.ai/inference/v1', 'FIREWORKS')],
  ['cerebras', openaiCompatible('https://api.cerebras.ai/v1', 'CEREBRAS')],
  ['perplexity', openaiCompatible('https://api.perplexity.ai', 'PERPLEXITY')],
  ['moonshot', openaiCompatible('https://api.moonshot.ai/v1', 'MOONSHOT')],
  ['openrouter', openaiCompatible('https://openrouter.ai/api/v1', 'OPENROUTER')],
  ['ollama', openaiCompatible('http://127.0.0.1:11434/v1', null)],
  ['vllm', openaiCompatible('http://127.0.0.1:8000/v1', null)],
  ['lmstudio', openaiCompatible('http://127.0.0.1:1234/v1', null)],
]);

/**
 * The base URL of a provider that names none, or null when it has to name one. An unknown provider that speaks `openai`
 * has to: its key must not go to OpenAI by default.
 */
export function defaultBaseUrl(
  name: string,
  dialect: Dialect,
  settings: { region?: string | undefined; location?: string | undefined },
): string | null {
  const known = WELL_KNOWN_PROVIDERS.get(name);
  if (known !== undefined && known.dialect === dialect && known.baseUrl !== null) return known.baseUrl;
  switch (dialect) {
    case 'openai':
    case 'azure':
      return null;
    case 'bedrock':
      return settings.region === undefined ? null : `https://bedrock-runtime.${settings.region}.amazonaws.com`;
    case 'vertex':
      if (settings.location === undefined) return null;
      return vertexBaseUrl(settings.location);
    default:
      return WELL_KNOWN_PROVIDERS.get(dialect)?.baseUrl ?? null;
  }
}

/** Regions, and the larger places: the world, and Google's multi-regions, each with a form of its own. */
function vertexBaseUrl(location: string): string {
  if (location === 'global') return 'https://aiplatform.googleapis.com';
  if (location === 'us' || location === 'eu') return `https://aiplatform.${location}.rep.googleapis.com`;
  return `https://${location}-aiplatform.googleapis.com`;
}
