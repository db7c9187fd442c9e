import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import {
  BATCH_ROUTE,
  BATCHES_ROUTE,
  CANCEL_ROUTE,
  cancelBatch,
  createBatch,
  getBatch,
  listBatches,
} from './batches/batch-routes.ts';
import { CHAT_ROUTE, serveChat } from './chat.ts';
import { allowedOrigin, preflightHeaders } from './cors.ts';
import { EMBEDDINGS_ROUTE, serveEmbeddings } from './embeddings.ts';
import { Exchange, methodNotAllowed, notFound } from './exchange.ts';
import { EXPLAIN_ROUTE, serveExplain } from './explain.ts';
import {
  FILE_CONTENT_ROUTE,
  FILE_ROUTE,
  serveFile,
  serveFileContent,
  serveFileDeletion,
  serveFileList,
} from './file-routes.ts';
import { FILES_ROUTE, serveFileUpload } from './file-upload-route.ts';
import type { Gateway } from './gateway.ts';
import { serveLive, serveReady } from './health.ts';
import { serveModel, serveModels } from './models.ts';
import { serveCredits, serveGeneration, serveReport } from './usage-routes.ts';

/** The request may be read only until the function returns. */
type Serve = (exchange: Exchange, gateway: Gateway, req: HttpRequest) => void;

interface Route {
  readonly pattern: string;
  readonly method: 'get' | 'post' | 'del';
  readonly serve: Serve;
}

const METHOD_NAMES = { get: 'GET', post: 'POST', del: 'DELETE' } as const;

/** Answers `GET /metrics`; gathers the numbers of all processes. */
export type ServeMetrics = (exchange: Exchange) => void;

/** Hangs the routes into the server. */
export function routes(app: TemplatedApp, gateway: Gateway, serveMetrics: ServeMetrics): TemplatedApp {
  const table: Route[] = [
    { pattern: CHAT_ROUTE, method: 'post', serve: serveChat },
    { pattern: EMBEDDINGS_ROUTE, method: 'post', serve: serveEmbeddings },
    { pattern: EXPLAIN_ROUTE, method: 'post', serve: serveExplain },
    { pattern: '/v1/generation', method: 'get', serve: serveGeneration },
    { pattern: '/v1/credits', method: 'get', serve: serveCredits },
    { pattern: '/v1/report', method: 'get', serve: serveReport },
    { pattern: '/v1/models', method: 'get', serve: serveModels },
    { pattern: '/v1/models/*', method: 'get', serve: serveModel },
    { pattern: FILES_ROUTE, method: 'post', serve: serveFileUpload },
    { pattern: FILES_ROUTE, method: 'get', serve: serveFileList },
    { pattern: FILE_ROUTE, method: 'get', serve: serveFile },
    { pattern: FILE_ROUTE, method: 'del', serve: serveFileDeletion },
    { pattern: FILE_CONTENT_ROUTE, method: 'get', serve: serveFileContent },
    { pattern: BATCHES_ROUTE, method: 'post', serve: createBatch },
    { pattern: BATCHES_ROUTE, method: 'get', serve: listBatches },
    { pattern: BATCH_ROUTE, method: 'get', serve: getBatch },
    { pattern: CANCEL_ROUTE, method: 'post', serve: cancelBatch },
    { pattern: '/health/live', method: 'get', serve: serveLive },
    { pattern: '/health/ready', method: 'get', serve: serveReady },
    { pattern: '/metrics', method: 'get', serve: serveMetrics },
  ];
  app.options('/*', (res, req) => preflight(res, req, gateway));
  for (const { pattern, method, serve } of table) {
    app[method](pattern, (res, req) => run(res, req, gateway, serve));
    // Some balancers probe with HEAD.
    if (pattern.startsWith('/health/')) app.head(pattern, (res, req) => run(res, req, gateway, serve));
  }
  for (const pattern of new Set(table.map((route) => route.pattern))) {
    const methods = table.filter((route) => route.pattern === pattern).map(({ method }) => METHOD_NAMES[method]);
    const allow = [...methods, 'OPTIONS'].join(', ');
    app.any(pattern, (res, req) =>
      run(res, req, gateway, (exchange) => exchange.refuse(methodNotAllowed(exchange.method, allow))),
    );
  }
  return app.any('/*', (res, req) => run(res, req, gateway, (exchange) => exchange.refuse(notFound(exchange.path))));
}

function run(res: HttpResponse, req: HttpRequest, gateway: Gateway, serve: Serve): void {
  const exchange = new Exchange(res, req, gateway);
  try {
    serve(exchange, gateway, req);
  } catch (thrown) {
    exchange.refuseThrown(thrown);
  }
}

function preflight(res: HttpResponse, req: HttpRequest, gateway: Gateway): void {
  const origin = allowedOrigin(req.getHeader('origin'), gateway.corsOrigins);
  const requested = req.getHeader('access-control-request-headers');
  res.cork(() => {
    res.writeStatus('204 No Content');
    const headers = preflightHeaders(origin, requested);
    for (let i = 0; i + 1 < headers.length; i += 2) res.writeHeader(headers[i] ?? '', headers[i + 1] ?? '');
    res.endWithoutBody();
  });
}
