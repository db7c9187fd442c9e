import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Policy } from '../catalog/index.ts';
import { BLOCK_BYTES, type Bodies, type BodyWriter } from './bodies.ts';

/** S3 takes no smaller parts, but for the last one. */
const PART_BYTES = 20 * BLOCK_BYTES;
const CONNECT_MS = 5_000;
/** Without a sign of life. */
const SILENCE_MS = 30_000;

/**
 * Bodies in an S3-compatible bucket: an object each. What fits into one part is put in one call, anything larger goes up
 * in parts; of either no more than one part is in memory.
 */
export class S3Bodies implements Bodies {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(policy: S3Policy) {
    this.#bucket = policy.bucket;
    this.#prefix = policy.prefix;
    const { accessKeyId, secretAccessKey, sessionToken } = policy.credentials;
    this.#client = new S3Client({
      region: policy.region,
      forcePathStyle: policy.forcePathStyle,
      ...(policy.endpoint === '' ? {} : { endpoint: policy.endpoint }),
      // Without credentials of its own the SDK looks where AWS clients look: environment, files, the pod's or machine's role.
      ...(accessKeyId === undefined || secretAccessKey === undefined
        ? {}
        : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
      // Trailing checksums are beyond many of the S3-compatible stores.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
    });
  }

  #object(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${name}` };
  }

  open(name: string): BodyWriter {
    return new ObjectWriter(this.#client, this.#object(name));
  }

  async *read(name: string, bytes: number, from: number): AsyncIterable<Buffer> {
    if (from >= bytes) return;
    const abort = new AbortController();
    const range = from > 0 ? { Range: `bytes=${from}-` } : {};
    const command = new GetObjectCommand({ ...this.#object(name), ...range });
    const { Body: body } = await this.#client.send(command, { abortSignal: abort.signal });
    if (!(body instanceof Readable)) throw new Error('the object store answered without a body');
    try {
      let left = bytes - from;
      for await (const piece of body as AsyncIterable<Buffer>) {
        left -= piece.length;
        for (let at = 0; at < piece.length; at += BLOCK_BYTES) yield piece.subarray(at, at + BLOCK_BYTES);
      }
      if (left !== 0) throw new Error('the object is not as long as the file');
    } finally {
      // Who leaves early must not leave a connection behind.
      body.destroy();
      abort.abort();
    }
  }

  async remove(name: string, _bytes: number, finished: boolean): Promise<void> {
    if (!finished) await this.#abortUploads(name);
    await this.#client.send(new DeleteObjectCommand(this.#object(name)));
  }

  /** Those of a process that died in the middle, too: the store knows their ids. */
  async #abortUploads(name: string): Promise<void> {
    const { Bucket, Key } = this.#object(name);
    const { Uploads: uploads = [] } = await this.#client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }));
    for (const { Key: key, UploadId } of uploads) {
      if (key !== Key || UploadId === undefined) continue;
      await this.#client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch((thrown: unknown) => {
        // Two may clean up at one time.
        if (!(thrown instanceof Error) || thrown.name !== 'NoSuchUpload') throw thrown;
      });
    }
  }
}

class ObjectWriter implements BodyWriter {
  readonly #client: S3Client;
  readonly #object: { readonly Bucket: string; readonly Key: string };
  readonly #part = Buffer.allocUnsafeSlow(PART_BYTES);
  #filled = 0;
  #uploadId: string | null = null;
  readonly #parts: { readonly ETag: string; readonly PartNumber: number }[] = [];

  constructor(client: S3Client, object: { readonly Bucket: string; readonly Key: string }) {
    this.#client = client;
    this.#object = object;
  }

  async append(block: Buffer): Promise<void> {
    if (this.#filled + block.length > PART_BYTES) await this.#sendPart();
    this.#filled += block.copy(this.#part, this.#filled);
  }

  async #sendPart(): Promise<void> {
    this.#uploadId ??= await this.#begin(this.#object);
    const PartNumber = this.#parts.length + 1;
    const part = { ...this.#object, UploadId: this.#uploadId, PartNumber, Body: this.#part.subarray(0, this.#filled) };
    const { ETag } = await this.#client.send(new UploadPartCommand(part));
    if (ETag === undefined) throw new Error('the object store took a part without a word of its ETag');
    this.#parts.push({ ETag, PartNumber });
    this.#filled = 0;
  }

  async #begin(object: { readonly Bucket: string; readonly Key: string }): Promise<string> {
    const { UploadId } = await this.#client.send(
      new CreateMultipartUploadCommand({ ...object, ContentType: CONTENT_TYPE }),
    );
    if (UploadId === undefined) throw new Error('the object store began an upload without an id');
    return UploadId;
  }

  async finish(): Promise<void> {
    if (this.#uploadId === null) {
      const Body = this.#part.subarray(0, this.#filled);
      await this.#client.send(new PutObjectCommand({ ...this.#object, Body, ContentType: CONTENT_TYPE }));
      return;
    }
    if (this.#filled > 0) await this.#sendPart();
    const MultipartUpload = { Parts: this.#parts };
    const whole = { ...this.#object, UploadId: this.#uploadId, MultipartUpload };
    await this.#client.send(new CompleteMultipartUploadCommand(whole));
  }
}

const CONTENT_TYPE = 'application/octet-stream';
