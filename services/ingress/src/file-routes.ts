import type { HttpRequest } from 'uWebSockets.js';
import { FILE_PURPOSES, type FileQuery, fileNotFound } from '@headgate/core/files';
import type { Principal } from '@headgate/core/identity';
import type { Exchange } from './exchange.ts';
import { attachment, fileDocument } from './file-documents.ts';
import { invalid } from './file-fields.ts';
import { FILES_ROUTE } from './file-upload-route.ts';
import type { Gateway } from './gateway.ts';
import { identify } from './identify.ts';
import { observedRoute } from './observed-route.ts';

export const FILE_ROUTE = '/v1/files/:id';
export const FILE_CONTENT_ROUTE = '/v1/files/:id/content';

const MOST_LISTED = 10_000;

/** `GET /v1/files?after=&limit=&order=&purpose=`: the caller's files. */
export function serveFileList(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const given = {
    after: req.getQuery('after') || undefined,
    limit: req.getQuery('limit') || undefined,
    order: req.getQuery('order') || undefined,
    purpose: req.getQuery('purpose') || undefined,
  };
  serveOwner(exchange, gateway, FILES_ROUTE, async ({ id: owner }) => {
    const { files, hasMore } = await gateway.files.list(owner, readQuery(given));
    const list = {
      object: 'list',
      data: files.map(fileDocument),
      first_id: files[0]?.id ?? null,
      last_id: files.at(-1)?.id ?? null,
      has_more: hasMore,
    };
    exchange.answerJson(200, JSON.stringify(list));
  });
}

/** `GET /v1/files/{id}` */
export function serveFile(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const id = req.getParameter(0) ?? '';
  serveOwner(exchange, gateway, FILE_ROUTE, async ({ id: owner }) => {
    const file = await gateway.files.get(owner, id);
    if (file === null) throw fileNotFound(id);
    exchange.answerJson(200, JSON.stringify(fileDocument(file)));
  });
}

/** `DELETE /v1/files/{id}` */
export function serveFileDeletion(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const id = req.getParameter(0) ?? '';
  serveOwner(exchange, gateway, FILE_ROUTE, async ({ id: owner }) => {
    if (!(await gateway.files.delete(owner, id))) throw fileNotFound(id);
    exchange.answerJson(200, JSON.stringify({ id, object: 'file', deleted: true }));
  });
}

/** `GET /v1/files/{id}/content`: the bytes, as fast as the client takes them. */
export function serveFileContent(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const id = req.getParameter(0) ?? '';
  serveOwner(exchange, gateway, FILE_CONTENT_ROUTE, async ({ id: owner }) => {
    const file = await gateway.files.get(owner, id);
    if (file === null) throw fileNotFound(id);
    const headers = ['content-disposition', attachment(file.filename), 'x-content-type-options', 'nosniff'];
    await exchange.answerBytes(file.bytes, headers, gateway.files.read(owner, id));
  });
}

function serveOwner(
  exchange: Exchange,
  gateway: Gateway,
  route: string,
  serve: (principal: Principal) => Promise<void>,
): void {
  observedRoute(exchange, gateway, route, async () => {
    const principal = await identify(exchange, gateway);
    if (!exchange.gone) await serve(principal);
  });
}

interface GivenQuery {
  readonly after: string | undefined;
  readonly limit: string | undefined;
  readonly order: string | undefined;
  readonly purpose: string | undefined;
}

function readQuery({ after, limit = String(MOST_LISTED), order = 'desc', purpose }: GivenQuery): FileQuery {
  const count = /^\d{1,6}$/.test(limit) ? Number(limit) : 0;
  if (count < 1 || count > MOST_LISTED) throw invalid('limit', `expected a whole number from 1 to ${MOST_LISTED}`);
  if (order !== 'asc' && order !== 'desc') throw invalid('order', 'expected asc or desc');
  const known = FILE_PURPOSES.find((name) => name === purpose);
  if (purpose !== undefined && known === undefined) {
    throw invalid('purpose', `expected one of ${FILE_PURPOSES.join(', ')}`);
  }
  return {
    limit: count,
    order,
    ...(after === undefined ? {} : { after }),
    ...(known === undefined ? {} : { purpose: known }),
  };
}
