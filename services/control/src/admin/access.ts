import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

export type AdminRequest = IncomingMessage | Http2ServerRequest;
export type AdminResponse = ServerResponse | Http2ServerResponse;

const REFUSED = 'the admin token is missing or wrong; send it as: Authorization: Bearer <HEADGATE_ADMIN_TOKEN>';
const MOST_DISCARDED = 1024 * 1024;
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

/** Refuses in the protocol of whoever asked, without waiting for the body. */
export function refuse(request: AdminRequest, response: AdminResponse): void {
  discardBody(request);
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
  response.end(JSON.stringify({ code: 'unauthenticated', message: REFUSED }));
}

/** Closed with its body unread, a connection is reset, and the client may never see the answer; a giant one ends it. */
function discardBody(request: AdminRequest): void {
  let seen = 0;
  request.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen > MOST_DISCARDED) request.destroy();
  });
}
