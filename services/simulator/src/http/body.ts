import type { IncomingMessage } from 'node:http';

/** The whole request body, or undefined when the client left before its end or it is larger than `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of request) {
      bytes += piece.length;
      if (bytes > maxBytes) return undefined;
      pieces.push(piece);
    }
  } catch {
    return undefined;
  }
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}
