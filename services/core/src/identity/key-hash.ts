import { createHash, createHmac, hash, hkdfSync } from 'node:crypto';

/**
 * How an API key is stored: HMAC-SHA-256 under the deployment's secret of the SHA-256 of the key. The inner hash is what
 * `keyHash` in headgate.yaml holds; the outer one makes a stolen table worthless without the secret.
 */
export function keyedHash(secret: string, sha256OfKey: Buffer): Buffer {
  return createHmac('sha256', pepper(secret)).update(sha256OfKey).digest();
}

export function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

const peppers = new Map<string, Buffer>();

/** The HMAC key is derived for this one purpose; the secret seals credentials too. */
function pepper(secret: string): Buffer {
  const digest = createHash('sha256').update(secret).digest('base64');
  const known = peppers.get(digest);
  if (known !== undefined) return known;
  const made = Buffer.from(hkdfSync('sha256', secret, '', 'headgate api-key hash v1', 32));
  peppers.set(digest, made);
  return made;
}
