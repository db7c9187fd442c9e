import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/**
 * A small S3-compatible server, for tests: written against the published REST API, path-style, in memory. It checks every
 * signature (SigV4) and payload hash, and refuses what S3 refuses: parts that are too small, unknown uploads, wrong ETags.
 */
export interface S3Server {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** By `bucket/key`. */
  readonly objects: ReadonlyMap<string, Buffer>;
  /** Multipart uploads that are neither complete nor aborted. */
  readonly openUploads: number;
  /** Such as `UploadPart`, in the order of their arrival. */
  readonly operations: readonly string[];
  /** Answers to GetObject that have not been taken to their end. */
  readonly openReads: number;
  /** What it answers 503 from now on; the SDK tries three times. */
  fail(operation: string | null): void;
  /** Forgets all it has. */
  clear(): void;
  stop(): Promise<void>;
}

const REGION = 'us-east-1';
const SMALLEST_PART = 5 * 1024 * 1024;

interface Upload {
  readonly path: string;
  readonly parts: Map<number, { readonly etag: string; readonly bytes: Buffer }>;
}

export async function startS3Server(): Promise<S3Server> {
  const server = new RunningS3Server();
  await server.listen();
  return server;
}

class RunningS3Server implements S3Server {
  readonly accessKeyId = 'AKIATEST';
  readonly secretAccessKey = randomBytes(12).toString('hex');
  readonly objects = new Map<string, Buffer>();
  readonly operations: string[] = [];
  openReads = 0;
  readonly #uploads = new Map<string, Upload>();
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));
  #failing: string | null = null;

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the S3 server does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  get openUploads(): number {
    return this.#uploads.size;
  }

  fail(operation: string | null): void {
    this.#failing = operation;
  }

  clear(): void {
    this.objects.clear();
    this.#uploads.clear();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await collected(request);
    const url = new URL(request.url ?? '/', this.endpoint);
    const refusal = this.#signatureFault(request, url, body);
    if (refusal !== null) return void refuse(response, 403, refusal);
    const operation = operationOf(request.method ?? '', url);
    this.operations.push(operation);
    if (operation === this.#failing) return void refuse(response, 503, 'SlowDown');
    const path = decodeURIComponent(url.pathname.slice(1));
    const uploadId = url.searchParams.get('uploadId') ?? '';
    switch (operation) {
      case 'PutObject':
        this.objects.set(path, body);
        return void response.writeHead(200, { etag: etagOf(body) }).end();
      case 'GetObject':
        return void this.#get(response, path, request.headers.range);
      case 'DeleteObject':
        this.objects.delete(path);
        return void response.writeHead(204).end();
      case 'CreateMultipartUpload': {
        const id = randomBytes(8).toString('hex');
        this.#uploads.set(id, { path, parts: new Map() });
        return xml(
          response,
          `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
        );
      }
      case 'UploadPart': {
        const upload = this.#uploads.get(uploadId);
        if (upload?.path !== path) return void refuse(response, 404, 'NoSuchUpload');
        upload.parts.set(Number(url.searchParams.get('partNumber')), { etag: etagOf(body), bytes: body });
        return void response.writeHead(200, { etag: etagOf(body) }).end();
      }
      case 'CompleteMultipartUpload':
        return void this.#complete(response, path, uploadId, body.toString());
      case 'AbortMultipartUpload':
        if (!this.#uploads.delete(uploadId)) return void refuse(response, 404, 'NoSuchUpload');
        return void response.writeHead(204).end();
      case 'ListMultipartUploads':
        return void this.#list(response, path, url.searchParams.get('prefix') ?? '');
      default:
        return void refuse(response, 501, 'NotImplemented');
    }
  }

  #get(response: ServerResponse, path: string, range: string | undefined): void {
    const bytes = this.objects.get(path);
    if (bytes === undefined) return void refuse(response, 404, 'NoSuchKey');
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const part = bytes.subarray(from);
    this.openReads += 1;
    response.once('close', () => {
      this.openReads -= 1;
    });
    const headers = { 'content-length': part.length, etag: etagOf(bytes) };
    const ranged = { ...headers, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(range === undefined ? 200 : 206, range === undefined ? headers : ranged).end(part);
  }

  #complete(response: ServerResponse, path: string, uploadId: string, document: string): void {
    const upload = this.#uploads.get(uploadId);
    if (upload?.path !== path) return void refuse(response, 404, 'NoSuchUpload');
    const named = [...document.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: (/<ETag>(.*?)</.exec(part)?.[1] ?? '').replaceAll('&quot;', '"'),
    }));
    const pieces: Buffer[] = [];
    for (const [i, { number, etag }] of named.entries()) {
      const part = upload.parts.get(number);
      if (part?.etag !== etag || number <= (named[i - 1]?.number ?? 0))
        return void refuse(response, 400, 'InvalidPart');
      if (i < named.length - 1 && part.bytes.length < SMALLEST_PART)
        return void refuse(response, 400, 'EntityTooSmall');
      pieces.push(part.bytes);
    }
    this.#uploads.delete(uploadId);
    this.objects.set(path, Buffer.concat(pieces));
    xml(response, '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>');
  }

  #list(response: ServerResponse, bucket: string, prefix: string): void {
    const uploads = [...this.#uploads]
      .map(([id, { path }]) => ({ id, key: path.slice(path.indexOf('/') + 1), path }))
      .filter(({ key, path }) => path.startsWith(`${bucket.replace(/\/$/, '')}/`) && key.startsWith(prefix))
      .map(({ id, key }) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`);
    xml(response, `<ListMultipartUploadsResult>${uploads.join('')}</ListMultipartUploadsResult>`);
  }

  /** Null when the request is signed as AWS Signature Version 4 says. */
  #signatureFault(request: IncomingMessage, url: URL, body: Buffer): string | null {
    const pattern =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/;
    const [, keyId, date = '', region = '', signedHeaders = '', signature] =
      pattern.exec(request.headers.authorization ?? '') ?? [];
    if (keyId !== this.accessKeyId || region !== REGION) return 'AccessDenied';
    const payloadHash = String(request.headers['x-amz-content-sha256']);
    if (payloadHash !== sha256(body)) return 'XAmzContentSHA256Mismatch';
    const query = [...url.searchParams]
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
      .sort();
    const headers = signedHeaders.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}\n`);
    const canonical = [request.method, url.pathname, query.join('&'), headers.join(''), signedHeaders, payloadHash];
    const scope = `${date}/${region}/s3/aws4_request`;
    const stamp = String(request.headers['x-amz-date']);
    const text = ['AWS4-HMAC-SHA256', stamp, scope, sha256(Buffer.from(canonical.join('\n')))].join('\n');
    const key = [date, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${this.secretAccessKey}`);
    return hmac(key, text).toString('hex') === signature ? null : 'SignatureDoesNotMatch';
  }
}

function operationOf(method: string, { searchParams }: URL): string {
  const uploadId = searchParams.has('uploadId');
  if (method === 'POST') return uploadId ? 'CompleteMultipartUpload' : 'CreateMultipartUpload';
  if (method === 'PUT') return uploadId ? 'UploadPart' : 'PutObject';
  if (method === 'DELETE') return uploadId ? 'AbortMultipartUpload' : 'DeleteObject';
  return searchParams.has('uploads') ? 'ListMultipartUploads' : 'GetObject';
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const etagOf = (bytes: Buffer): string => `"${createHash('md5').update(bytes).digest('hex')}"`;

async function collected(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function xml(response: ServerResponse, document: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>${document}`);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
}
