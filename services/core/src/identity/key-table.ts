import { hash, timingSafeEqual } from 'node:crypto';
import type { ApiKey } from '@headgate/proto/api_key';
import { KeyHasher } from './key-hash.ts';
import { keyPrincipal, type Principal } from './principal.ts';

export type KeyLookup =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly reason: 'malformed' | 'unknown' | 'expired' | 'disabled' };

interface Entry {
  readonly hash: Buffer;
  readonly disabled: boolean;
  /** Milliseconds since the epoch; Infinity never expires. */
  readonly expiresAtMs: number;
  readonly found: KeyLookup;
}

const MALFORMED: KeyLookup = { ok: false, reason: 'malformed' };
const UNKNOWN: KeyLookup = { ok: false, reason: 'unknown' };
const EXPIRED: KeyLookup = { ok: false, reason: 'expired' };
const DISABLED: KeyLookup = { ok: false, reason: 'disabled' };
const SENDABLE = /^[\x21-\x7e]{1,1024}$/;

/**
 * Every API key of the deployment, as one process holds them. Immutable: a change of keys makes a new table, and what the
 * old one remembered goes with it.
 *
 * A key is recognised by its keyed hash, compared in constant time. One that was recognised is remembered by its plain
 * SHA-256, so that a steady client costs one hash and one lookup; the memory cannot outgrow the table.
 */
export class KeyTable {
  readonly #hasher: KeyHasher;
  readonly #byHash = new Map<string, Entry>();
  readonly #recognised = new Map<string, Entry>();
  readonly #byId = new Map<string, Entry>();

  constructor(secret: string, keys: Iterable<ApiKey>) {
    this.#hasher = new KeyHasher(secret);
    for (const key of keys) {
      const found = { ok: true, principal: keyPrincipal(key) } as const;
      const { disabled } = key;
      const expiresAtMs = key.expiresAtMs === 0n ? Number.POSITIVE_INFINITY : Number(key.expiresAtMs);
      const entry = { hash: Buffer.from(key.hash), disabled, expiresAtMs, found };
      this.#add(entry);
      this.#byId.set(key.id, entry);
      if (key.previousHash.length === 0) continue;
      // A rotated key: the old one is the same caller for as long as the overlap lasts.
      const endsAtMs = Math.min(expiresAtMs, Number(key.previousExpiresAtMs));
      this.#add({ hash: Buffer.from(key.previousHash), disabled, expiresAtMs: endsAtMs, found });
    }
  }

  #add(entry: Entry): void {
    this.#byHash.set(indexOf(entry.hash), entry);
  }

  get size(): number {
    return this.#byHash.size;
  }

  /** Who holds this key at `nowMs` (since the epoch), or why it is refused. */
  find(token: string, nowMs: number): KeyLookup {
    const digest = hash('sha256', token, 'base64');
    const entry = this.#recognised.get(digest) ?? this.#recognise(token, digest);
    if (entry === undefined) return SENDABLE.test(token) ? UNKNOWN : MALFORMED;
    return lookUp(entry, nowMs);
  }

  /** The same of a key by its id: who asked for work that is done later. */
  findById(id: string, nowMs: number): KeyLookup {
    const entry = this.#byId.get(id);
    return entry === undefined ? UNKNOWN : lookUp(entry, nowMs);
  }

  #recognise(token: string, digest: string): Entry | undefined {
    const offered = this.#hasher.keyedHash(Buffer.from(digest, 'base64'));
    const entry = this.#byHash.get(indexOf(offered));
    if (entry === undefined || !timingSafeEqual(entry.hash, offered) || !SENDABLE.test(token)) return undefined;
    this.#recognised.set(digest, entry);
    return entry;
  }
}

function lookUp({ disabled, expiresAtMs, found }: Entry, nowMs: number): KeyLookup {
  if (disabled) return DISABLED;
  return nowMs >= expiresAtMs ? EXPIRED : found;
}

/** Half of the hash finds the entry; the whole is what `timingSafeEqual` compares. */
function indexOf(keyHash: Uint8Array): string {
  return Buffer.from(keyHash.buffer, keyHash.byteOffset, Math.min(16, keyHash.byteLength)).toString('base64');
}
