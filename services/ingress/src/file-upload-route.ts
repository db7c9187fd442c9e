import type { HttpRequest } from 'uWebSockets.js';
import { GatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';
import type { Exchange } from './exchange.ts';
import { fileDocument } from './file-documents.ts';
import { receiveFile } from './file-upload.ts';
import type { Gateway } from './gateway.ts';
import { identify } from './identify.ts';
import { observedRoute } from './observed-route.ts';

export const FILES_ROUTE = '/v1/files';
/** What boundaries, headers and fields may take beside the file. */
const FORM_BYTES = 256 * 1024;

/** `POST /v1/files` (WIRE 2.14): the file goes to the store as it comes in, never whole into memory. */
export function serveFileUpload(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const contentType = req.getHeader('content-type');
  observedRoute(exchange, gateway, FILES_ROUTE, (known) => {
    const { maxFileBytes } = gateway.current().table.files;
    const caller = identify(exchange, gateway);
    if (!(caller instanceof Promise)) known(caller);
    if (Number(exchange.contentLength) > maxFileBytes + FORM_BYTES) throw tooLarge(maxFileBytes);
    return upload(exchange, gateway, contentType, caller, known);
  });
}

async function upload(
  exchange: Exchange,
  gateway: Gateway,
  contentType: string,
  caller: Principal | Promise<Principal>,
  known: (principal: Principal) => void,
): Promise<void> {
  // Reading begins now: what comes in before an OIDC token is checked waits, as much of it as one buffer holds.
  const receiving = receiveFile(exchange, contentType, async (filename, { purpose, expiresAfterS }) => {
    const { id: owner } = await caller;
    // A purpose that follows the file is told at the end.
    return gateway.files.create({ owner, filename, purpose: purpose ?? 'batch', expiresAfterS });
  });
  const [file, principal] = await Promise.all([receiving, caller]);
  known(principal);
  if (file === null) return;
  if (exchange.gone) await gateway.files.delete(principal.id, file.id);
  else exchange.answerJson(200, JSON.stringify(fileDocument(file)));
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('invalid_request_error', `The file is larger than ${maxBytes} bytes (files.maxFileBytes).`, {
    param: 'file',
    code: 'file_too_large',
  });
}
