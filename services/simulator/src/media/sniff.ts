const signatures: readonly (readonly [string, (bytes: Buffer) => boolean])[] = [
  ['image/png', (b) => b.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))],
  ['image/jpeg', (b) => b.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))],
  ['image/gif', (b) => /^GIF8[79]a/.test(b.toString('latin1', 0, 6))],
  ['image/webp', (b) => b.toString('latin1', 0, 4) === 'RIFF' && b.toString('latin1', 8, 12) === 'WEBP'],
];

/** The media type that an image's first bytes show; undefined when it is no image that providers take. */
export function imageTypeOf(bytes: Buffer): string | undefined {
  return signatures.find(([, matches]) => matches(bytes))?.[0];
}

export function isPdf(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 4) === '%PDF';
}

/** The bytes of base64 text; undefined when it is empty or broken. `urlSafe` takes `-` and `_`, too. */
export function decodeBase64(base64: string, urlSafe = false): Buffer | undefined {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  const bytes = Buffer.from(base64, 'base64');
  // Node skips what is not base64, so broken input decodes to fewer bytes than its length promises.
  const promised = Math.floor(((base64.length - padding) * 3) / 4);
  return bytes.length > 0 && bytes.length === promised && (urlSafe || !/[-_]/.test(base64)) ? bytes : undefined;
}
