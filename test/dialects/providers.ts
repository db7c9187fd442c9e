import type { SimulatorProcess } from '../support/simulator-process.ts';
import type { ConfigFile } from '../support/stack.ts';

/** One column of the matrix: a provider of headgate.yaml that speaks one dialect, with one model. */
export interface ProviderRow {
  /** Its name in headgate.yaml, so that `providerOptions.<name>` is what clients write. */
  readonly name: ProviderName;
  /** Head of its column in the README. */
  readonly title: string;
  /** A newer model of a provider that has its column already: tested all the same. */
  readonly unlisted?: true;
  readonly dialect: string;
  /** What clients ask for. */
  readonly model: string;
  /** The provider's own id; no two rows share one, so that the simulator's journal tells them apart. */
  readonly upstream: string;
  /** Who made the model: decides what it can do, whoever serves it. */
  readonly family: 'openai' | 'claude' | 'gemini';
  readonly publisher?: 'google' | 'anthropic';
  /** Without its base URL, which is the simulator's. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Behind the simulator's origin. */
  readonly basePath: string;
}

export type ProviderName =
  | 'openai'
  | 'azure'
  | 'local'
  | 'anthropic'
  | 'claude47'
  | 'vertexclaude'
  | 'bedrock'
  | 'gemini'
  | 'gemini3'
  | 'vertex';

/** The simulator takes signatures of this key pair only. */
const AWS = { region: 'us-east-1', accessKeyId: 'AKIDSIMULATOR', secretAccessKey: 'simulator-secret' };
const GOOGLE = { project: 'simulated', location: 'us-east5', accessToken: 'ya29.simulated' };

export const PROVIDERS: readonly ProviderRow[] = [
  {
    name: 'openai',
    title: 'OpenAI',
    dialect: 'openai',
    model: 'openai/gpt-4.1',
    upstream: 'gpt-4.1-2025-04-14',
    family: 'openai',
    settings: { apiKey: 'sk-simulated' },
    basePath: '/v1',
  },
  {
    name: 'azure',
    title: 'Azure OpenAI',
    dialect: 'azure',
    model: 'azure/gpt-4.1',
    upstream: 'gpt-4.1-deployment',
    family: 'openai',
    settings: { apiKey: 'azure-simulated', apiVersion: '2024-10-21' },
    basePath: '',
  },
  {
    name: 'local',
    title: 'OpenAI-compatible',
    dialect: 'openai',
    model: 'local/llama-4',
    upstream: 'llama-4-maverick',
    family: 'openai',
    settings: { apiKey: 'sk-simulated-too' },
    basePath: '/v1',
  },
  {
    name: 'anthropic',
    title: 'Anthropic',
    dialect: 'anthropic',
    model: 'anthropic/claude-sonnet-4.5',
    upstream: 'claude-sonnet-4-5-20250929',
    family: 'claude',
    settings: { apiKey: 'sk-ant-simulated' },
    basePath: '',
  },
  {
    name: 'claude47',
    title: 'Anthropic, Claude 4.7',
    unlisted: true,
    dialect: 'anthropic',
    model: 'claude47/claude-opus-4.7',
    upstream: 'claude-opus-4-7',
    family: 'claude',
    settings: { apiKey: 'sk-ant-simulated' },
    basePath: '',
  },
  {
    name: 'vertexclaude',
    title: 'Claude on Vertex',
    dialect: 'vertex',
    model: 'vertexclaude/claude-sonnet-4.5',
    upstream: 'claude-sonnet-4-5@20250929',
    family: 'claude',
    publisher: 'anthropic',
    settings: GOOGLE,
    basePath: '',
  },
  {
    name: 'bedrock',
    title: 'Bedrock (Claude)',
    dialect: 'bedrock',
    model: 'bedrock/claude-sonnet-4.5',
    upstream: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    family: 'claude',
    settings: AWS,
    basePath: '',
  },
  {
    name: 'gemini',
    title: 'Gemini',
    dialect: 'gemini',
    model: 'google/gemini-2.5-pro',
    upstream: 'gemini-2.5-pro',
    family: 'gemini',
    settings: { apiKey: 'AIza-simulated' },
    basePath: '',
  },
  {
    name: 'gemini3',
    title: 'Gemini 3',
    unlisted: true,
    dialect: 'gemini',
    model: 'gemini3/gemini-3-pro',
    upstream: 'gemini-3-pro-preview',
    family: 'gemini',
    settings: { apiKey: 'AIza-simulated' },
    basePath: '',
  },
  {
    name: 'vertex',
    title: 'Gemini on Vertex',
    dialect: 'vertex',
    model: 'vertex/gemini-2.5-flash',
    upstream: 'gemini-2.5-flash',
    family: 'gemini',
    publisher: 'google',
    settings: GOOGLE,
    basePath: '',
  },
];

/** Those with a column in the README and in docs/fidelity.md. */
export const LISTED: readonly ProviderRow[] = PROVIDERS.filter(({ unlisted }) => !unlisted);

/** headgate.yaml with all of them on one simulator, each behind its own model. */
export function matrixConfig(
  [simulator]: readonly SimulatorProcess[],
  network: { readonly allowPrivateFileUrls: boolean },
): ConfigFile {
  const origin = simulator?.url ?? '';
  return {
    network,
    providers: Object.fromEntries(
      PROVIDERS.map(({ name, dialect, settings, basePath }) => [
        name,
        { dialect, baseUrl: `${origin}${basePath}`, ...settings },
      ]),
    ),
    models: PROVIDERS.map(({ name, model, upstream, publisher }) => ({
      id: model,
      contextWindow: 200_000,
      maxTokens: 32_000,
      // What the dialects make of each kind of content is shown here, not what the catalog knows of a model.
      inputModalities: ['text', 'image', 'audio', 'video', 'file'],
      endpoints: [{ provider: name, model: upstream, ...(publisher === undefined ? {} : { publisher }) }],
    })),
  };
}
