import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

export type AdminRequest = IncomingMessage | Http2ServerRequest;
export type AdminResponse = ServerResponse | Http2ServerResponse;

const REFUSED = 'the admin token is missing or wrong; send it as: Authorization: Bearer <HEADGATE_ADMIN_TOKEN>';
/** Of google.rpc.Code. */
const GRPC_UNAUTHENTICATED = '16';

/** Who knows the admin token. */
export class AdminToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** Takes as long for a token that is nearly right as for any other. */
  isOn(request: AdminRequest): boolean {
    const offered = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    return offered !== undefined && timingSafeEqual(digestOf(offered), this.#digest);
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Refuses in the protocol of whoever asked, before anything of the body was read. */
export function refuse(request: AdminRequest, response: AdminResponse): void {
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('application/grpc')) {
    response.setHeader('content-type', type);
    response.setHeader('grpc-status', GRPC_UNAUTHENTICATED);
    response.setHeader('grpc-message', encodeURIComponent(REFUSED));
    response.end();
    return;
  }
  response.statusCode = 401;
  response.setHeader('content-type', 'application/json');
  response.setHeader('www-authenticate', 'Bearer');
  // What comes after an unread body cannot be told from it.
  if (request.httpVersionMajor === 1) response.setHeader('connection', 'close');
  response.end(JSON.stringify({ code: 'unauthenticated', message: REFUSED }));
}
