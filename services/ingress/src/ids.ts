import { randomFillSync } from 'node:crypto';
import { ulid } from 'ulid';

const pool = new Uint8Array(4096);
let used = pool.length;

/** One random byte as a fraction: ulid asks for five bits at a time, and a system call for each would cost more than the rest. */
function pooledRandom(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return (pool[used++] ?? 0) / 256;
}

export interface RequestIds {
  /** `req_<ulid>`, or what the client sent as `x-request-id`. */
  readonly requestId: string;
  /** `gen_<ulid>`; of the same ULID. */
  readonly generationId: string;
}

/** A client's own id is taken when it is short and plain; it ends up in headers and logs. */
const PLAIN_ID = /^[\w.:-]{1,128}$/;

export function requestIds(fromClient: string): RequestIds {
  const id = ulid(undefined, pooledRandom);
  return { requestId: PLAIN_ID.test(fromClient) ? fromClient : `req_${id}`, generationId: `gen_${id}` };
}
