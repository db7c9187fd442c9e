import type { ConfigFile } from '../support/stack.ts';

/** The models of the seed's examples, each on the providers that the examples name; all of them speak OpenAI here. */
export const SONNET = 'anthropic/claude-sonnet-4';
/** On one provider only. */
export const MINI = 'openai/gpt-4.1-mini';
/** US dollars per token. */
export const SONNET_PRICE = { input: '0.000003', output: '0.000015' } as const;

/** `anthropic` and `openai` are the first simulator, `vertex` is the second (or the first, where there is only one). */
export function seedConfig(
  simulators: readonly { readonly baseUrl: string }[],
  more: { readonly providers?: object; readonly models?: readonly object[]; readonly [section: string]: unknown } = {},
): ConfigFile {
  const provider = (index: number) => ({
    dialect: 'openai',
    baseUrl: (simulators[index] ?? simulators[0])?.baseUrl,
    apiKey: 'sk-simulated',
  });
  const { providers, models = [], ...sections } = more;
  return {
    providers: { anthropic: provider(0), vertex: provider(1), openai: provider(0), ...providers },
    models: [
      {
        id: SONNET,
        pricing: SONNET_PRICE,
        endpoints: [
          { provider: 'anthropic', model: 'claude-sonnet-4-20250514' },
          { provider: 'vertex', model: 'claude-sonnet-4@20250514' },
        ],
      },
      { id: MINI, endpoints: [{ provider: 'openai', model: 'gpt-4.1-mini-2025-04-14' }] },
      { id: 'openai/text-embedding-3-small', endpoints: [{ provider: 'openai', model: 'text-embedding-3-small' }] },
      ...models,
    ],
    ...sections,
  };
}
