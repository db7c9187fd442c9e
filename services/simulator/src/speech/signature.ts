import { createHmac, timingSafeEqual } from 'node:crypto';

/** The same in every simulator, as a provider's signatures are good at all of its endpoints. */
const secret = 'simulator';
/** First bytes, so that a signature looks like what it is, a serialised message. */
const magic = Buffer.from([0x12, 0xea, 0x02]);

/** An opaque base64 signature that proves that the simulator said `content` for `purpose`. */
export function sign(purpose: string, content: string): string {
  return Buffer.concat([magic, digest(purpose, content)]).toString('base64');
}

export function isSignatureOf(signature: string, purpose: string, content: string): boolean {
  const given = Buffer.from(signature, 'base64');
  const expected = Buffer.from(sign(purpose, content), 'base64');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function digest(purpose: string, content: string): Buffer {
  return createHmac('sha512', secret).update(purpose).update('\u0000').update(content).digest();
}
