import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ProviderCredentialsSchema } from '@headgate/proto/snapshot';

type Credentials = Readonly<Record<string, string>>;

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Credentials on their way through Redis: AES-256-GCM under a key derived from HEADGATE_SECRET, bound to the provider's
 * name. Layout: format (1), nonce (12), ciphertext, tag (16).
 *
 * The nonce is a keyed hash of what is sealed, so that equal credentials seal to equal bytes and an unchanged
 * configuration keeps its digest; two different texts share a nonce only if 96 bits of HMAC collide.
 */
export class CredentialSeal {
  readonly #cipherKey: Buffer;
  readonly #nonceKey: Buffer;

  constructor(secret: string) {
    const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', secret, '', `headgate ${purpose} v1`, 32));
    this.#cipherKey = derive('credential seal');
    this.#nonceKey = derive('credential seal nonce');
  }

  seal(provider: string, credentials: Credentials): Uint8Array {
    const sorted = Object.fromEntries(Object.entries(credentials).sort(([a], [b]) => (a < b ? -1 : 1)));
    const plain = toBinary(ProviderCredentialsSchema, create(ProviderCredentialsSchema, { values: sorted }));
    const context = Buffer.from(provider);
    const nonce = createHmac('sha256', this.#nonceKey)
      .update(`${context.length}:`)
      .update(context)
      .update(plain)
      .digest()
      .subarray(0, NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#cipherKey, nonce).setAAD(context);
    return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Throws when the bytes were sealed under another secret, for another provider, or were changed. */
  open(provider: string, sealed: Uint8Array): Credentials {
    if (sealed[0] !== FORMAT || sealed.length < 1 + NONCE_BYTES + TAG_BYTES) {
      throw new Error(`the credentials of provider ${provider} are sealed in a format that this version does not know`);
    }
    const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.#cipherKey, nonce)
      .setAAD(Buffer.from(provider))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      const plain = Buffer.concat([decipher.update(sealed.subarray(1 + NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
      return fromBinary(ProviderCredentialsSchema, plain).values;
    } catch {
      throw new Error(
        `the credentials of provider ${provider} were sealed under another HEADGATE_SECRET; give every process the same one`,
      );
    }
  }
}

/** HEADGATE_SECRET, or an Error that says how to make one. */
export function requireSecret(env: Readonly<Record<string, string | undefined>>): string {
  const secret = env.HEADGATE_SECRET ?? '';
  const hint = 'the same text for every process, such as the output of: openssl rand -hex 32';
  if (secret === '') throw new Error(`HEADGATE_SECRET is not set; expected ${hint}`);
  if (secret.length < 16) throw new Error(`HEADGATE_SECRET is too short; expected at least 16 characters: ${hint}`);
  return secret;
}
