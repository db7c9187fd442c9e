import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { type KeyView, KeyViewSchema } from '@headgate/proto/admin';
import { type ApiKey, ApiKeySchema } from '@headgate/proto/api_key';

/** A key as it may be shown. `nowMs` is since the epoch. */
export function keyView(key: ApiKey, nowMs: number): KeyView {
  const { id, name, group, models, disabled, expiresAtMs, createdAtMs, origin, hint, limits, budget, queue } = key;
  return create(KeyViewSchema, {
    id,
    name,
    group,
    models,
    disabled,
    expiresAtMs,
    createdAtMs,
    origin,
    hint,
    previousExpiresAtMs: hasPrevious(key, nowMs) ? key.previousExpiresAtMs : 0n,
    etag: etagOf(key),
    ...(limits === undefined ? {} : { limits }),
    ...(budget === undefined ? {} : { budget }),
    ...(queue === undefined ? {} : { queue }),
  });
}

/** Whether the key that this one replaced still works. */
export function hasPrevious(key: ApiKey, nowMs: number): boolean {
  return key.previousHash.length > 0 && Number(key.previousExpiresAtMs) > nowMs;
}

/** Differs for any two states of a key; the hash of it tells nothing of the keyed hash that went into it. */
export function etagOf(key: ApiKey): string {
  return createHash('sha256').update(toBinary(ApiKeySchema, key)).digest('base64url').slice(0, 22);
}
