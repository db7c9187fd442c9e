import { type ConfigFile, startStack } from '../../support/stack.ts';
import { seedConfig } from '../gateway.ts';
import { ReplayProvider } from '../replay-provider.ts';
import { Bench, KEYS, REPLAYED } from './bench.ts';

export const MAX_BODY_BYTES = 1_000_000;
/** The one that may call from a browser. */
export const ORIGIN = 'https://app.example.com';

export async function startBench(): Promise<Bench> {
  const replay = await ReplayProvider.start();
  const stack = await startStack({ config: (simulators) => benchConfig(simulators, replay) });
  return new Bench(stack, replay);
}

/** headgate.yaml of a bench, with providers at these base URLs. */
export function benchConfig(simulators: readonly { readonly baseUrl: string }[], replay: ReplayProvider): ConfigFile {
  return seedConfig(simulators, {
    server: { maxBodyBytes: MAX_BODY_BYTES, cors: { origins: [ORIGIN] } },
    auth: {
      keys: [
        { name: 'openai-only', key: KEYS.openaiOnly, models: ['openai/*'] },
        { name: 'expired', key: KEYS.expired, expiresAt: '2020-01-31' },
        { name: 'disabled', key: KEYS.disabled, disabled: true },
      ],
    },
    providers: { recorded: { dialect: 'openai', baseUrl: replay.baseUrl, apiKey: 'sk-recorded' } },
    models: [{ id: REPLAYED, endpoints: [{ provider: 'recorded', model: 'recorded' }] }],
  });
}
