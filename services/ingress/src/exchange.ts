import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import { GatewayError, toGatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';
import type { RelaySink, Timing } from '@headgate/core/relay';
import { allowedOrigin, corsHeaders } from './cors.ts';
import { requestIds } from './ids.ts';
import { serverTiming } from './server-timing.ts';

const NOTHING = Buffer.alloc(0);
const JSON_TYPE = 'application/json';
const OCTETS = 'application/octet-stream';

/** What an exchange needs of the process it runs in. */
export interface ExchangeHost {
  /** Asks clients to leave: connections are closed behind their answers. */
  readonly draining: boolean;
  readonly corsOrigins: readonly string[];
  /** Headers of the caller's own limits. */
  limitHeadersOf(caller: Principal): readonly string[];
  opened(exchange: Exchange): void;
  closed(exchange: Exchange): void;
}

/**
 * One request and its response. uWebSockets.js allows the request to be read only before the handler returns, and the
 * response to be used only until it has ended or the client has gone; this class keeps both rules for everyone else.
 */
export class Exchange implements RelaySink {
  readonly method: string;
  /** Raw path, not decoded. */
  readonly path: string;
  readonly startedAt = performance.now();
  readonly requestId: string;
  readonly generationId: string;
  readonly authorization: string;
  /** `x-api-key`, as some SDKs send it. */
  readonly apiKey: string;
  /** Attribution of the caller's application (WIRE 2.1). */
  readonly referer: string;
  readonly title: string;
  readonly contentLength: string;
  readonly traceparent: string;
  readonly tracestate: string;
  /** `X-Stainless-Timeout`, seconds. */
  readonly clientTimeout: string;
  readonly metadataPlace: string;
  readonly keepAliveWish: string;
  /** Once it is known who is asking. */
  caller: Principal | null = null;
  /** Headers of the limits that the request was measured against; null: of none so far, and the caller's own are told. */
  limitHeaders: readonly string[] | null = null;
  /** Status sent; 0 while none was. */
  status = 0;
  /** Where it stands among the open ones; theirs to set. */
  place = -1;
  onGone: (() => void) | null = null;
  onDrained: (() => void) | null = null;
  /** Ends what is under way with this error; without it, that is left to the exchange. */
  onCut: ((error: GatewayError) => void) | null = null;
  readonly #res: HttpResponse;
  readonly #host: ExchangeHost;
  readonly #cors: readonly string[];
  /** The client has to wait with its body. */
  #bodyPaused = false;
  /** Told when the client has taken what was sent, or has gone. */
  #taken: (() => void) | null = null;
  #unsentHead: { readonly provider: string | null; readonly timing: Timing } | null = null;
  #bytes: Buffer = NOTHING;
  #accepted = true;
  /** The response may be used no more. */
  #over = false;
  #gone = false;

  constructor(res: HttpResponse, req: HttpRequest, host: ExchangeHost) {
    this.#res = res;
    this.#host = host;
    this.method = req.getMethod().toUpperCase();
    this.path = req.getUrl();
    const ids = requestIds(req.getHeader('x-request-id'));
    this.requestId = ids.requestId;
    this.generationId = ids.generationId;
    this.authorization = req.getHeader('authorization');
    this.apiKey = req.getHeader('x-api-key');
    this.referer = req.getHeader('http-referer') || req.getHeader('referer');
    this.title = req.getHeader('x-title');
    this.contentLength = req.getHeader('content-length');
    this.traceparent = req.getHeader('traceparent');
    this.tracestate = this.traceparent === '' ? '' : req.getHeader('tracestate');
    this.clientTimeout = req.getHeader('x-stainless-timeout');
    this.metadataPlace = req.getHeader('x-gateway-metadata');
    this.keepAliveWish = req.getHeader('x-headgate-keepalive');
    this.#cors = corsHeaders(allowedOrigin(req.getHeader('origin'), host.corsOrigins));
    res.onAborted(this.#aborted);
    host.opened(this);
  }

  /** The client left before the answer was complete. */
  get gone(): boolean {
    return this.#gone;
  }

  get over(): boolean {
    return this.#over;
  }

  readonly #aborted = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#gone = true;
    try {
      this.#taken?.();
      this.onGone?.();
    } finally {
      this.#close();
    }
  };

  #end(): void {
    this.#over = true;
    this.#close();
  }

  /** An exchange may stay in memory until the next full collection, for what V8 and the server keep of it; its request must not. */
  #close(): void {
    this.onGone = null;
    this.onDrained = null;
    this.onCut = null;
    this.#taken = null;
    this.#host.closed(this);
  }

  /** The process has no more time for it: it ends with this error as far as its form allows. */
  cut(error: GatewayError): void {
    if (this.#over) return;
    if (this.onCut) this.onCut(error);
    else this.refuseThrown(error);
  }

  /** Collects the body; `onData` gets chunks that are valid only during the call. */
  readBody(onData: (chunk: ArrayBuffer, isLast: boolean) => void): void {
    this.#res.onData((chunk, isLast) => {
      if (!this.#over) onData(chunk, isLast);
    });
  }

  pauseBody(): void {
    if (this.#over || this.#bodyPaused) return;
    this.#bodyPaused = true;
    this.#res.pause();
  }

  resumeBody(): void {
    if (!this.#bodyPaused) return;
    this.#bodyPaused = false;
    if (!this.#over) this.#res.resume();
  }

  answerJson(status: number, body: string | Buffer, headers: readonly string[] = []): void {
    this.answerText(status, body, JSON_TYPE, headers);
  }

  answerText(status: number, body: string | Buffer, contentType: string, headers: readonly string[] = []): void {
    if (this.#over) return;
    // The rest of a body that is not wanted must still come in, or the client would never look for the answer.
    this.resumeBody();
    this.#res.cork(() => {
      this.#head(status, headers);
      if (status !== 204) this.#res.writeHeader('content-type', contentType);
      if (this.method === 'HEAD') this.#endHead(Buffer.byteLength(body));
      else this.#res.end(body, this.#host.draining);
    });
    this.#end();
  }

  /** A balancer's probe: the headers, and how long the body would be. */
  #endHead(bodyBytes: number): void {
    // Given the length, endWithoutBody would wait for as many bytes and refuse the next request on the connection.
    this.#res.writeHeader('content-length', String(bodyBytes));
    if (this.#host.draining) this.#res.writeHeader('connection', 'close');
    this.#res.endWithoutBody();
  }

  /**
   * Answers 200 with `total` bytes, no faster than the client takes them. Rejects with what `source` throws before its
   * first piece; what comes later, or too few bytes, can only end the connection.
   */
  async answerBytes(total: number, headers: readonly string[], source: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const piece of source) {
        if (this.#over) return;
        await this.#sendPiece(piece, total, headers);
      }
    } catch (thrown) {
      if (this.status === 0) throw thrown;
    }
    if (this.status === 0) this.answerText(200, '', OCTETS, headers);
    else if (!this.#over) this.#res.close();
  }

  /** Resolves when the client has taken enough for the next one, or has gone. */
  #sendPiece(piece: Buffer, total: number, headers: readonly string[]): Promise<void> {
    const res = this.#res;
    let start = 0;
    let went = false;
    res.cork(() => {
      if (this.status === 0) {
        this.#head(200, headers);
        res.writeHeader('content-type', OCTETS);
        if (this.#host.draining) res.writeHeader('connection', 'close');
      }
      start = res.getWriteOffset();
      went = this.#tryEnd(piece, total);
    });
    if (went) return Promise.resolve();
    return new Promise((resolve) => {
      this.#taken = resolve;
      res.onWritable((offset) => {
        if (this.#taken !== resolve || !this.#tryEnd(piece.subarray(offset - start), total))
          return this.#taken !== resolve;
        this.#taken = null;
        resolve();
        return true;
      });
    });
  }

  /** False when the client has to take some of it first. */
  #tryEnd(piece: Buffer, total: number): boolean {
    const [ok, done] = this.#res.tryEnd(piece, total);
    if (done) this.#end();
    return ok || done;
  }

  /** `timing` is given where providers were asked. */
  refuse(error: GatewayError, timing?: Timing): void {
    const headers = Object.entries(error.headers()).flat();
    if (timing) headers.push('server-timing', serverTiming(timing));
    this.answerJson(error.status, JSON.stringify(error.toBody()), headers);
  }

  /** For anything thrown: an answer if none was begun, else the end of the connection. */
  refuseThrown(thrown: unknown): void {
    if (this.status === 0) this.refuse(toGatewayError(thrown));
    else if (!this.#over) this.#res.close();
  }

  answer(body: Buffer, provider: string, timing: Timing): void {
    this.answerJson(200, body, [
      'x-generation-id',
      this.generationId,
      'x-headgate-provider',
      provider,
      'server-timing',
      serverTiming(timing),
    ]);
  }

  openStream(provider: string | null, timing: Timing): void {
    if (this.#over) return;
    this.status = 200;
    this.#unsentHead = { provider, timing };
    this.#res.onWritable(() => {
      this.onDrained?.();
      return true;
    });
  }

  write(bytes: Buffer): boolean {
    if (this.#over) return true;
    this.#bytes = bytes;
    this.#res.cork(this.#corkedWrite);
    return this.#accepted;
  }

  endStream(last: Buffer): void {
    if (this.#over) return;
    this.#bytes = last;
    this.#res.cork(this.#corkedEnd);
    this.#end();
  }

  /** One function for all writes of a stream: a closure a chunk would be garbage a chunk. */
  readonly #corkedWrite = (): void => {
    if (this.#unsentHead !== null) this.#streamHead(this.#unsentHead.provider, this.#unsentHead.timing);
    this.#accepted = this.#res.write(this.#bytes);
    this.#bytes = NOTHING;
  };

  readonly #corkedEnd = (): void => {
    if (this.#bytes.length > 0 || this.#unsentHead !== null) this.#corkedWrite();
    // Not `end(undefined, true)`: behind a chunk, uWebSockets.js writes "Connection: close" into the body.
    this.#res.end();
  };

  #streamHead(provider: string | null, timing: Timing): void {
    this.#unsentHead = null;
    this.#head(200, ['x-generation-id', this.generationId]);
    const res = this.#res;
    if (provider !== null) res.writeHeader('x-headgate-provider', provider);
    res.writeHeader('server-timing', serverTiming(timing));
    res.writeHeader('content-type', 'text/event-stream; charset=utf-8');
    res.writeHeader('cache-control', 'no-cache, no-transform');
    // nginx would hold the whole stream back without it.
    res.writeHeader('x-accel-buffering', 'no');
    if (this.#host.draining) res.writeHeader('connection', 'close');
  }

  #head(status: number, headers: readonly string[]): void {
    this.status = status;
    const res = this.#res;
    res.writeStatus(`${status} ${STATUS_CODES[status] ?? 'Unknown'}`);
    res.writeHeader('x-request-id', this.requestId);
    writeAll(res, headers);
    if (this.limitHeaders !== null) writeAll(res, this.limitHeaders);
    else if (this.caller !== null) writeAll(res, this.#host.limitHeadersOf(this.caller));
    writeAll(res, this.#cors);
  }
}

function writeAll(res: HttpResponse, headers: readonly string[]): void {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i];
    const value = headers[i + 1];
    if (name !== undefined && value !== undefined) res.writeHeader(name, value);
  }
}

export const notFound = (path: string): GatewayError =>
  new GatewayError('not_found', `Unknown path: ${path.slice(0, 200)}`, { code: 'unknown_path' });

export const methodNotAllowed = (method: string, allow: string): GatewayError =>
  new GatewayError('method_not_allowed', `${method} is not allowed here, use ${allow}.`, {
    code: 'method_not_allowed',
    headers: { allow },
  });
