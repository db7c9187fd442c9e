import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { GatewayError, toGatewayError } from '@headgate/core/errors';
import type { FileObject, FileUpload } from '@headgate/core/files';
import { BodyQueue } from './body-queue.ts';
import type { Exchange } from './exchange.ts';
import { invalid, missing, readUploadFields, type UploadFields } from './file-fields.ts';

/** Far more than the parts that are known need; beyond, somebody plays. */
const LIMITS = { fields: 30, parts: 40, fieldSize: 4_096, headerPairs: 30, headerSize: 16 * 1024 };
const LONGEST_FILENAME = 512;

/** What is told while a multipart body comes in; `fields` are those that stood before the file. */
export type CreateUpload = (filename: string, fields: UploadFields) => Promise<FileUpload>;

/**
 * Takes a `multipart/form-data` body with one file (RFC 7578) and stores it as it comes: the client is held back when the
 * store is slower. Resolves with the file, or with null when the client has left; rejects with the error to answer. In
 * both of the latter cases nothing of it stays.
 */
export function receiveFile(exchange: Exchange, contentType: string, create: CreateUpload): Promise<FileObject | null> {
  return new Promise((resolve, reject) => new IncomingFile(exchange, openForm(contentType), create, resolve, reject));
}

function openForm(contentType: string): BusboyInstance {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new GatewayError('invalid_request_error', 'Invalid request: expected a body of type multipart/form-data.', {
      code: 'invalid_content_type',
    });
  }
  try {
    return new Busboy({ headers: { 'content-type': contentType }, limits: LIMITS });
  } catch {
    throw malformed('its content-type names no boundary');
  }
}

class IncomingFile {
  readonly #exchange: Exchange;
  readonly #form: BusboyInstance;
  readonly #create: CreateUpload;
  readonly #resolve: (file: FileObject | null) => void;
  readonly #reject: (error: unknown) => void;
  readonly #fields = new Map<string, string>();
  readonly #queue = new BodyQueue();
  #received = false;
  /** The form has not taken what it was given yet. */
  #busy = false;
  #stream: Readable | null = null;
  #stored: Promise<FileUpload | null> = Promise.resolve(null);
  #over = false;

  constructor(
    exchange: Exchange,
    form: BusboyInstance,
    create: CreateUpload,
    resolve: (file: FileObject | null) => void,
    reject: (error: unknown) => void,
  ) {
    this.#exchange = exchange;
    this.#form = form;
    this.#create = create;
    this.#resolve = resolve;
    this.#reject = reject;
    form.on('file', (name, stream, filename) => this.#onFile(name, stream, filename));
    form.on('field', (name, value, _nameCut, valueCut) => this.#onField(name, value, valueCut));
    form.on('partsLimit', () => this.#fail(malformed('it has too many parts')));
    form.on('fieldsLimit', () => this.#fail(malformed('it has too many fields')));
    form.on('error', () => this.#fail(malformed('it ends before its closing boundary, or is not multipart')));
    form.on('finish', () => void this.#complete());
    form.on('drain', () => {
      this.#busy = false;
      this.#feed();
    });
    exchange.onGone = () => this.#fail(null);
    exchange.readBody((chunk, isLast) => this.#onData(chunk, isLast));
  }

  #onData(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#over) return;
    try {
      this.#queue.put(chunk);
    } catch (thrown) {
      this.#fail(toGatewayError(thrown));
      return;
    }
    this.#received = isLast;
    this.#feed();
    if (this.#busy) this.#exchange.pauseBody();
  }

  #feed(): void {
    try {
      while (!this.#over && !this.#busy) {
        const piece = this.#queue.take();
        if (piece === null) break;
        this.#busy = !this.#form.write(piece);
      }
      if (this.#over || this.#busy || !this.#queue.empty) return;
      if (!this.#received) this.#exchange.resumeBody();
      else if (!this.#form.writableEnded) this.#form.end();
    } catch {
      this.#fail(malformed('it cannot be read'));
    }
  }

  #onField(name: string, value: string, cut: boolean): void {
    if (cut) this.#fail(malformed(`its field '${name.slice(0, 100)}' is too long`));
    else if (name === 'file') this.#fail(invalid('file', 'it is a plain field, expected a file with a filename'));
    else this.#fields.set(name, value);
  }

  #onFile(name: string, stream: Readable, filename: string | undefined): void {
    // It tells of the end of the form, which the form tells, too.
    stream.on('error', () => undefined);
    if (this.#over) stream.resume();
    else if (name !== 'file') this.#fail(invalid(name.slice(0, 100), "the file's part must be named 'file'"));
    else if (this.#stream !== null) this.#fail(invalid('file', 'there are two files, expected one'));
    else {
      this.#stream = stream;
      this.#stored = this.#store(stream, filename || 'upload').catch((thrown: unknown) => {
        this.#fail(thrown);
        return null;
      });
    }
  }

  async #store(stream: Readable, filename: string): Promise<FileUpload> {
    if (filename.length > LONGEST_FILENAME)
      throw invalid('file', `its name has more than ${LONGEST_FILENAME} characters`);
    const upload = await this.#create(filename, readUploadFields(this.#fields));
    try {
      for await (const chunk of stream) {
        if (this.#over) break;
        await upload.write(chunk as Buffer);
      }
    } catch (thrown) {
      await upload.abort();
      throw thrown;
    }
    return upload;
  }

  async #complete(): Promise<void> {
    try {
      if (this.#over) return;
      if (this.#stream === null) throw missing('file');
      const upload = await this.#stored;
      const { purpose, expiresAfterS } = readUploadFields(this.#fields);
      if (purpose === null) throw missing('purpose');
      if (this.#over || upload === null) return;
      const file = await upload.finish({ purpose, expiresAfterS });
      this.#over = true;
      this.#queue.close();
      this.#resolve(file);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** Null: the client has left. */
  #fail(thrown: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#queue.close();
    this.#stream?.destroy();
    this.#form.destroy();
    void this.#stored
      .then((upload) => upload?.abort())
      .then(() => (thrown === null ? this.#resolve(null) : this.#reject(thrown)));
  }
}

function malformed(why: string): GatewayError {
  return new GatewayError('invalid_request_error', `The multipart body is malformed: ${why}.`, {
    code: 'invalid_multipart',
  });
}
