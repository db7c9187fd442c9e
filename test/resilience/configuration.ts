import type { SimulatorControl } from '../support/simulator-control.ts';
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
  /**
   * So many further models `test/both-0`, `test/both-1` ..., each on providers of its own, `alpha-0` and `beta-0` ...: what a
   * test does to the health of its providers is then no other test's concern.
   */
  readonly pairs?: number;
}

const PRICING = { input: '0.000001', output: '0.000002' };

/**
 * headgate.yaml with two providers, `alpha` and `beta`, which both are the given simulator and know their models as `one`
 * and `two`; `test/one` stands on alpha alone, `test/both` falls over from alpha to beta.
 */
export function configuration(
  simulator: Pick<SimulatorControl, 'baseUrl'> | undefined,
  settings: Settings = {},
): Record<string, unknown> {
  if (simulator === undefined) throw new Error('the stack has no simulator');
  const provider = { dialect: 'openai', baseUrl: simulator.baseUrl, apiKey: CREDENTIAL };
  const alpha = { provider: 'alpha', model: 'one', pricing: PRICING };
  const beta = { provider: 'beta', model: 'two', pricing: PRICING };
  const pairs = Array.from({ length: settings.pairs ?? 0 }, (_, i) => [`alpha-${i}`, `beta-${i}`] as const);
  return {
    // Tests wait until nothing is left open, also of providers that never end.
    server: { keepAliveCommentMs: 0, drainAborted: { maxMs: 1_000 }, ...settings.server },
    auth: { keys: settings.keys ?? [] },
    providers: {
      alpha: provider,
      beta: provider,
      ...Object.fromEntries(pairs.flat().map((name) => [name, provider])),
      ...settings.providers,
    },
    models: [
      { id: 'test/one', endpoints: [alpha] },
      { id: 'test/both', endpoints: [alpha, beta] },
      ...pairs.map(([first, second], i) => ({
        id: `test/both-${i}`,
        endpoints: [
          { ...alpha, provider: first },
          { ...beta, provider: second },
        ],
      })),
      ...(settings.models ?? []),
    ],
    ...(settings.timeouts ? { timeouts: settings.timeouts } : {}),
  };
}

/** Hands out the pairs of `Settings.pairs`, one after the other. */
export function pairsOf(count: number): () => Pair {
  let next = 0;
  return () => {
    const i = next++;
    if (i >= count) throw new Error(`only ${count} pairs are configured`);
    return { model: `test/both-${i}`, alpha: `alpha-${i}`, beta: `beta-${i}` };
  };
}

export interface Pair {
  readonly model: string;
  readonly alpha: string;
  readonly beta: string;
}

export const targetOf = ({ port, key }: Pick<Stack, 'port' | 'key'>): Target => ({ port, key });

/** A simulator answers any key. */
export const directTo = (simulator: Pick<SimulatorControl, 'url'>): Target => ({
  port: Number(new URL(simulator.url).port),
  key: 'sk-any-key',
});
