import { createHmac, hash, hkdfSync } from 'node:crypto';

/**
 * How an API key is stored: HMAC-SHA-256 under the deployment's secret of the SHA-256 of the key. The inner hash is what
 * `keyHash` in headgate.yaml holds; the outer one makes a stolen table worthless without the secret.
 */
export class KeyHasher {
  readonly #key: Buffer;

  constructor(secret: string) {
    // Derived for this one purpose: the same secret also seals credentials.
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'headgate api-key hash v1', 32));
  }

  keyedHash(sha256OfKey: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(sha256OfKey).digest();
  }
}

export function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
