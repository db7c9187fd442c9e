import type { SimulatorProcess } from '../support/simulator-process.ts';
import type { Stack } from '../support/stack.ts';
import type { Target } from './chat-client.ts';

/** What must never be seen outside the gateway. */
export const CREDENTIAL = 'sk-provider-credential-0123456789abcdef';

export interface Settings {
  readonly server?: Readonly<Record<string, unknown>>;
  readonly timeouts?: Readonly<Record<string, number>>;
  readonly keys?: readonly Readonly<Record<string, unknown>>[];
  readonly providers?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly models?: readonly Readonly<Record<string, unknown>>[];
}

const PRICING = { input: '0.000001', output: '0.000002' };

/**
 * headgate.yaml with two providers, `alpha` and `beta`, which both are the given simulator and know their models as `one`
 * and `two`; `test/one` stands on alpha alone, `test/both` falls over from alpha to beta.
 */
export function configuration(
  simulator: SimulatorProcess | undefined,
  settings: Settings = {},
): Record<string, unknown> {
  if (simulator === undefined) throw new Error('the stack has no simulator');
  const provider = { dialect: 'openai', baseUrl: simulator.baseUrl, apiKey: CREDENTIAL };
  const alpha = { provider: 'alpha', model: 'one', pricing: PRICING };
  const beta = { provider: 'beta', model: 'two', pricing: PRICING };
  return {
    server: { keepAliveCommentMs: 0, ...settings.server },
    auth: { keys: settings.keys ?? [] },
    providers: { alpha: provider, beta: provider, ...settings.providers },
    models: [
      { id: 'test/one', endpoints: [alpha] },
      { id: 'test/both', endpoints: [alpha, beta] },
      ...(settings.models ?? []),
    ],
    ...(settings.timeouts ? { timeouts: settings.timeouts } : {}),
  };
}

export const targetOf = ({ port, key }: Stack): Target => ({ port, key });

/** A simulator answers any key. */
export const directTo = (simulator: SimulatorProcess): Target => ({
  port: Number(new URL(simulator.url).port),
  key: 'sk-any-key',
});
