import { createServer, type Server, type ServerResponse } from 'node:http';
import { type Metrics, PROMETHEUS_CONTENT_TYPE, renderMerged } from '@headgate/core/telemetry';

export interface HealthSource {
  readonly metrics: Metrics;
  /** Version of the snapshot in use; null before the first. */
  readonly version: () => number | null;
  readonly draining: () => boolean;
}

/** `/health/live`, `/health/ready` (a snapshot is held, and it is not about to stop) and `/metrics`. */
export async function startHealthServer(host: string, port: number, source: HealthSource): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return answer(response, 405, { status: 'method not allowed' });
    }
    if (path === '/health/live') return answer(response, 200, { status: 'live' });
    if (path === '/metrics') {
      const text = renderMerged([source.metrics.serialise()]);
      response.writeHead(200, { 'content-type': PROMETHEUS_CONTENT_TYPE }).end(text);
      return;
    }
    if (path !== '/health/ready') return answer(response, 404, { status: 'not found' });
    const version = source.version();
    if (source.draining()) answer(response, 503, { status: 'draining', version });
    else if (version === null) answer(response, 503, { status: 'waiting for a configuration', version });
    else answer(response, 200, { status: 'ready', version });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  return server;
}

function answer(response: ServerResponse, status: number, body: Record<string, unknown>): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
