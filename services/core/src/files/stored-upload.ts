import type { FilePolicy } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import { BLOCK_BYTES, type BodyWriter } from './bodies.ts';
import type { FileDraft, FileObject, FileUpload } from './contract.ts';
import type { FileIndex, Garbage } from './file-index.ts';

/** The bytes outlive the file a little: whoever reads it when it expires may finish the block at hand. */
const SLACK_MS = 60_000;

interface UploadParts {
  readonly draft: FileDraft;
  readonly id: string;
  readonly body: string;
  readonly writer: BodyWriter;
  readonly policy: FilePolicy;
  readonly index: FileIndex;
  /** Runs what asks Redis or the bucket; rejects with GatewayErrors only. */
  readonly asked: <T>(work: () => Promise<T>) => Promise<T>;
  readonly discard: (garbage: Garbage) => Promise<boolean>;
}

/** Cuts what comes in into blocks; room is reserved for each before it is written. */
export class StoredUpload implements FileUpload {
  readonly id: string;
  readonly #parts: UploadParts;
  readonly #block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #filled = 0;
  #bytes = 0;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(parts: UploadParts) {
    this.id = parts.id;
    this.#parts = parts;
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#track(this.#take(chunk));
  }

  finish(late: Partial<Pick<FileDraft, 'purpose' | 'expiresAfterS'>> = {}): Promise<FileObject> {
    return this.#track(this.#complete(late));
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#busy = work.catch(() => undefined);
    return work;
  }

  async #take(chunk: Uint8Array): Promise<void> {
    const { maxFileBytes } = this.#parts.policy;
    if (this.#bytes + chunk.length > maxFileBytes) throw fileTooLarge(maxFileBytes);
    this.#bytes += chunk.length;
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#block.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === BLOCK_BYTES) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const { draft, body, writer, policy, index, asked } = this.#parts;
    const block = this.#block.subarray(0, this.#filled);
    const outcome = await asked(() => index.reserve(draft.owner, body, block.length, policy.maxBytesPerKey));
    if (outcome === 'gone') throw ended();
    if (outcome === 'full') throw noRoom(policy.maxBytesPerKey);
    await asked(() => writer.append(block));
    this.#filled = 0;
  }

  async #complete(late: Partial<Pick<FileDraft, 'purpose' | 'expiresAfterS'>>): Promise<FileObject> {
    const { draft, body, writer, policy, index, asked, discard } = this.#parts;
    if (this.#filled > 0) await this.#flush();
    const { filename } = draft;
    const purpose = late.purpose ?? draft.purpose;
    const expiresAfterS = late.expiresAfterS ?? draft.expiresAfterS ?? policy.expiresAfterS;
    await asked(() => writer.finish(Date.now() + expiresAfterS * 1000 + SLACK_MS));
    const file = { id: this.id, filename, purpose, expiresAfterS };
    const finished = await asked(() => index.finish(draft.owner, body, file));
    if (finished === null) throw ended();
    if (!finished.made) await discard({ body, bytes: this.#bytes, finished: true });
    const { bytes, createdAt, expiresAt, ...facts } = finished.facts;
    return { id: this.id, bytes, createdAt, expiresAt, filename: facts.filename, purpose: facts.purpose };
  }

  async abort(): Promise<void> {
    const { draft, body, index, asked, discard } = this.#parts;
    // What is being written would stay behind.
    await this.#busy;
    // What cannot be dropped now ends by itself.
    const dropped = await asked(() => index.drop(draft.owner, body)).catch(() => false);
    if (dropped) await discard({ body, bytes: this.#bytes, finished: false });
  }
}

export function fileTooLarge(maxBytes: number): GatewayError {
  return new GatewayError('invalid_request_error', `The file is larger than ${maxBytes} bytes (files.maxFileBytes).`, {
    param: 'file',
    code: 'file_too_large',
  });
}

function noRoom(maxBytes: number): GatewayError {
  return new GatewayError(
    'invalid_request_error',
    `The files of this key would exceed ${maxBytes} bytes together (files.maxBytesPerKey). Delete some first.`,
    { param: 'file', code: 'storage_limit_exceeded' },
  );
}

function ended(): GatewayError {
  return new GatewayError('timeout_error', 'The upload paused for too long and has ended; send the file again.', {
    param: 'file',
    code: 'upload_ended',
  });
}
