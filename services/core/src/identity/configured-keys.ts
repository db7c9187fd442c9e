import { create } from '@bufbuild/protobuf';
import {
  type ApiKey,
  ApiKeyOrigin,
  ApiKeySchema,
  BudgetMode,
  BudgetSchema,
  BudgetWindow,
  KeyLimitsSchema,
} from '@headgate/proto/api_key';
import { type ConfigKey, publicHash } from '../config/index.ts';
import { KeyHasher } from './key-hash.ts';

const WINDOWS = {
  day: BudgetWindow.DAY,
  week: BudgetWindow.WEEK,
  month: BudgetWindow.MONTH,
  total: BudgetWindow.TOTAL,
} as const;

const MODES = { hard: BudgetMode.HARD, soft: BudgetMode.SOFT, shadow: BudgetMode.SHADOW } as const;

/** The keys of headgate.yaml as they are stored. The id follows from the key itself, so that renaming keeps its history. */
export function configuredKeys(keys: readonly ConfigKey[], secret: string): ApiKey[] {
  const hasher = new KeyHasher(secret);
  return keys.map((key) => {
    const hash = hasher.keyedHash(Buffer.from(publicHash(key), 'hex'));
    return create(ApiKeySchema, {
      id: `cfg_${hash.toString('hex').slice(0, 16)}`,
      name: key.name,
      hash,
      models: [...(key.models ?? [])],
      disabled: key.disabled,
      expiresAtMs: key.expiresAt === undefined ? 0n : BigInt(Date.parse(key.expiresAt)),
      origin: ApiKeyOrigin.CONFIG,
      group: key.group ?? '',
      ...(key.limits === undefined ? {} : { limits: limitsOf(key.limits) }),
      ...(key.budget === undefined ? {} : { budget: budgetOf(key.budget) }),
    });
  });
}

function limitsOf(limits: NonNullable<ConfigKey['limits']>) {
  return create(KeyLimitsSchema, {
    requestsPerMinute: BigInt(limits.requestsPerMinute ?? 0),
    tokensPerMinute: BigInt(limits.tokensPerMinute ?? 0),
    requestsPerDay: BigInt(limits.requestsPerDay ?? 0),
    tokensPerDay: BigInt(limits.tokensPerDay ?? 0),
    concurrency: BigInt(limits.concurrency ?? 0),
  });
}

function budgetOf({ usd, window, mode }: NonNullable<ConfigKey['budget']>) {
  return create(BudgetSchema, { usd: String(usd), window: WINDOWS[window], mode: MODES[mode] });
}
