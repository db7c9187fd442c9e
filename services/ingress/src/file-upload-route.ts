import type { HttpRequest } from 'uWebSockets.js';
import { fileTooLarge } from '@headgate/core/files';
import type { Principal } from '@headgate/core/identity';
import { type Admission, type Demand, isRefusal } from '@headgate/core/limits';
import { subjectsOfCaller } from '@headgate/core/serving';
import type { Exchange } from './exchange.ts';
import { fileDocument } from './file-documents.ts';
import { receiveFile } from './file-upload.ts';
import type { Gateway } from './gateway.ts';
import { identify } from './identify.ts';
import { limitHeaders } from './limit-headers.ts';
import { observedRoute } from './observed-route.ts';

export const FILES_ROUTE = '/v1/files';
/** What boundaries, headers and fields may take beside the file. */
const FORM_BYTES = 256 * 1024;
const NOTHING: Demand = { tokens: 0, money: 0 };

/** `POST /v1/files` (WIRE 2.14): the file goes to the store as it comes in, never whole into memory. */
export function serveFileUpload(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const contentType = req.getHeader('content-type');
  observedRoute(exchange, gateway, FILES_ROUTE, () => {
    const { maxFileBytes } = gateway.current().table.files;
    const caller = identify(exchange, gateway);
    if (Number(exchange.contentLength) > maxFileBytes + FORM_BYTES) throw fileTooLarge(maxFileBytes);
    return upload(exchange, gateway, contentType, caller);
  });
}

async function upload(
  exchange: Exchange,
  gateway: Gateway,
  contentType: string,
  caller: Principal | Promise<Principal>,
): Promise<void> {
  let admission: Admission | null = null;
  // Reading begins now: what comes in before an OIDC token is checked waits, as much of it as one buffer holds.
  const receiving = receiveFile(exchange, contentType, async (filename, { purpose, expiresAfterS }) => {
    const principal = await caller;
    admission = await admit(exchange, gateway, principal);
    const owner = principal.id;
    // A purpose that follows the file is told at the end.
    return gateway.files.create({ owner, filename, purpose: purpose ?? 'batch', expiresAfterS });
  });
  try {
    const [file, principal] = await Promise.all([receiving, caller]);
    if (file === null) return;
    if (exchange.gone) await gateway.files.delete(principal.id, file.id);
    else exchange.answerJson(200, JSON.stringify(fileDocument(file)));
  } finally {
    settle(admission);
  }
}

/** An upload counts as a request of its key and its group; it uses no tokens and costs nothing. Null where nobody has a limit. */
async function admit(exchange: Exchange, gateway: Gateway, principal: Principal): Promise<Admission | null> {
  const { table } = gateway.current();
  const { limits, server } = table;
  const subjects = subjectsOfCaller(table, principal);
  if (subjects.length === 0) return null;
  const admitted = await gateway.limiter.admit(subjects, NOTHING, {
    onRedisLoss: limits.onRedisLoss,
    deadlineAt: exchange.startedAt + server.requestTimeoutMs,
    queue: principal.queue,
  });
  exchange.limitHeaders = limitHeaders(admitted.status);
  if (isRefusal(admitted)) throw admitted.error;
  return admitted;
}

function settle(admission: Admission | null): void {
  admission?.settle(NOTHING);
}
