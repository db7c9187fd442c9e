import { GatewayError } from '@headgate/core/errors';
import { HEADROOM } from '@headgate/core/json';
import type { Exchange } from './exchange.ts';

/** From here on a body is rewritten in place, so it carries headroom and its buffer is worth using again. */
const LARGE = 64 * 1024;
const FIRST_GUESS = 16 * 1024;
/** Content lengths are promises: memory is laid out for what came, not for what was announced. */
const LARGEST_GUESS = 4 * 1024 * 1024;
const POOLED_BUFFERS = 16;

const pool: Buffer[] = [];

/** A request body at [start, end) of a buffer with headroom on both sides. */
export interface CollectedBody {
  readonly store: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Collects the body, then calls back once: with the body, or with the error to answer. Not at all when the client leaves. */
export function collectBody(
  exchange: Exchange,
  maxBytes: number,
  done: (body: CollectedBody | null, error: GatewayError | null) => void,
): void {
  const announced = Number(exchange.contentLength);
  if (announced > maxBytes) {
    done(null, tooLarge(maxBytes));
    return;
  }
  let store: Buffer | null = null;
  let end = 0;
  let refused = false;
  exchange.readBody((chunk, isLast) => {
    if (refused) return;
    store ??= allocate(announced > 0 ? Math.min(announced, LARGEST_GUESS) : isLast ? chunk.byteLength : FIRST_GUESS);
    if (end === 0) end = startOf(store);
    const start = startOf(store);
    if (end - start + chunk.byteLength > maxBytes) {
      refused = true;
      done(null, tooLarge(maxBytes));
      return;
    }
    if (end + chunk.byteLength + start > store.length) {
      const grown = allocate(Math.min(maxBytes, Math.max((end - start) * 2, end - start + chunk.byteLength)));
      const moved = startOf(grown) + store.copy(grown, startOf(grown), start, end);
      releaseStore(store);
      store = grown;
      end = moved;
    }
    store.set(new Uint8Array(chunk), end);
    end += chunk.byteLength;
    if (isLast) done({ store, start: startOf(store), end }, null);
  });
}

/** Large buffers have headroom, small ones do not need it. */
const startOf = (store: Buffer): number => (store.length >= LARGE ? HEADROOM : 0);

function allocate(bytes: number): Buffer {
  if (bytes + 2 * HEADROOM < LARGE) return Buffer.allocUnsafe(bytes);
  const size = 2 ** Math.ceil(Math.log2(bytes + 2 * HEADROOM));
  const at = pool.findIndex((buffer) => buffer.length === size);
  if (at >= 0) return pool.splice(at, 1)[0] ?? Buffer.allocUnsafeSlow(size);
  return Buffer.allocUnsafeSlow(size);
}

/**
 * Gives a large buffer back. Only once no socket can still be sending from it: a provider that answered early may not
 * have taken the whole request yet, and the next owner's bytes must never reach it.
 */
export function releaseBody(body: CollectedBody): void {
  releaseStore(body.store);
}

function releaseStore(store: Buffer): void {
  if (store.length >= LARGE && store.length <= 8 * 1024 * 1024 && pool.length < POOLED_BUFFERS) pool.push(store);
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('request_too_large', `The request body exceeds ${maxBytes} bytes (server.maxBodyBytes).`, {
    code: 'request_too_large',
  });
}
