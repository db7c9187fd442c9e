import { create } from '@bufbuild/protobuf';
import { type ApiKey, ApiKeyOrigin, ApiKeySchema } from '@headgate/proto/api_key';
import { budgetMessage, limitsMessage } from '../catalog/index.ts';
import { type ConfigKey, publicHash } from '../config/index.ts';
import { KeyHasher } from './key-hash.ts';

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
      ...(key.limits === undefined ? {} : { limits: limitsMessage(key.limits) }),
      ...(key.queue === undefined ? {} : { queue: key.queue }),
      ...(key.budget === undefined ? {} : { budget: budgetMessage(key.budget) }),
    });
  });
}
