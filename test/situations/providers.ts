import type { SimulatorProcess } from '../support/simulator-process.ts';

export type ProviderName = 'anthropic' | 'openai' | 'vertex' | 'bedrock' | 'gemini' | 'azure';

export interface Provider {
  readonly dialect: ProviderName;
  /** Which of the two simulators it is. */
  readonly simulator: 0 | 1;
  /** Behind the simulator's origin. */
  readonly basePath: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Ends the name of its models, and decides what they can do. */
  readonly family: string;
  /** Its models go on with an assistant message that ends the conversation. */
  readonly continues: boolean;
  readonly publisher?: 'anthropic';
}

const CLAUDE = { family: 'claude-sonnet-4', continues: true } as const;
const GPT = { family: 'gpt-4.1', continues: false } as const;

/** Providers of headgate.yaml, by name. Each pair of `PAIRS` stands on two simulators, and speaks two languages. */
export const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  anthropic: {
    ...CLAUDE,
    dialect: 'anthropic',
    simulator: 0,
    basePath: '',
    settings: { apiKey: 'sk-ant-simulated' },
  },
  openai: { ...GPT, dialect: 'openai', simulator: 1, basePath: '/v1', settings: { apiKey: 'sk-simulated' } },
  vertex: {
    ...CLAUDE,
    dialect: 'vertex',
    simulator: 0,
    basePath: '',
    settings: { project: 'simulated', location: 'us-east5', accessToken: 'ya29.simulated' },
    publisher: 'anthropic',
  },
  bedrock: {
    ...CLAUDE,
    dialect: 'bedrock',
    simulator: 1,
    basePath: '',
    // The simulator takes signatures of this key pair only.
    settings: { region: 'us-east-1', accessKeyId: 'AKIDSIMULATOR', secretAccessKey: 'simulator-secret' },
  },
  gemini: {
    dialect: 'gemini',
    simulator: 0,
    basePath: '',
    settings: { apiKey: 'AIza-simulated' },
    family: 'gemini-2.5-flash',
    continues: false,
  },
  azure: {
    ...GPT,
    dialect: 'azure',
    simulator: 1,
    basePath: '',
    settings: { apiKey: 'azure-simulated', apiVersion: '2024-10-21' },
  },
};

export interface Pair {
  readonly primary: ProviderName;
  readonly secondary: ProviderName;
}

/** Each way round. */
export const PAIRS: readonly Pair[] = (
  [
    ['anthropic', 'openai'],
    ['vertex', 'bedrock'],
    ['gemini', 'azure'],
  ] as const
).flatMap(([one, other]) => [
  { primary: one, secondary: other },
  { primary: other, secondary: one },
]);

export const providerOf = (name: ProviderName): Provider => PROVIDERS[name];

/** The `providers` of headgate.yaml. */
export function providersOn(
  simulators: readonly SimulatorProcess[],
  names: readonly ProviderName[] = Object.keys(PROVIDERS) as ProviderName[],
): Record<string, unknown> {
  return Object.fromEntries(
    names.map((name) => {
      const { dialect, simulator, basePath, settings } = PROVIDERS[name];
      const origin = simulators[simulator]?.url;
      if (origin === undefined) throw new Error('the situations need two simulators');
      return [name, { dialect, baseUrl: `${origin}${basePath}`, ...settings }];
    }),
  );
}

/** US dollars per token; each side has its own, so that a bill tells who wrote it. */
export const PRICES = {
  primary: { input: '0.000001', output: '0.000002' },
  secondary: { input: '0.00001', output: '0.00004' },
} as const;

export type Side = keyof typeof PRICES;

/** A provider's name for a model that is `name`'s alone: rules and the journal of the simulator are then its alone, too. */
export const upstreamModel = (provider: ProviderName, name: string): string => `${name}.${PROVIDERS[provider].family}`;

/** An endpoint of headgate.yaml. */
export function endpointOf(provider: ProviderName, side: Side, name: string): Record<string, unknown> {
  const { publisher } = PROVIDERS[provider];
  return {
    provider,
    model: upstreamModel(provider, name),
    pricing: PRICES[side],
    ...(publisher === undefined ? {} : { publisher }),
  };
}
