import { createServer, type Server, type ServerResponse } from 'node:http';
import { type Metrics, PROMETHEUS_CONTENT_TYPE, renderMerged } from '@headgate/core/telemetry';
import type { Reconciler } from './reconciler.ts';

export interface HealthSource {
  readonly reconciler: Reconciler;
  readonly metrics: Metrics;
}

/** `/health/live`, `/health/ready` (once Redis has taken the configuration) and `/metrics`. */
export async function startHealthServer(
  host: string,
  port: number,
  { reconciler, metrics }: HealthSource,
): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return answer(response, 405, { status: 'method not allowed' });
    }
    if (path === '/health/live') return answer(response, 200, { status: 'live' });
    if (path === '/metrics') {
      const text = renderMerged([metrics.serialise()]);
      response.writeHead(200, { 'content-type': PROMETHEUS_CONTENT_TYPE }).end(text);
      return;
    }
    if (path !== '/health/ready') return answer(response, 404, { status: 'not found' });
    const { published, settled } = reconciler;
    const ready = published !== null;
    answer(response, ready ? 200 : 503, {
      status: ready ? 'ready' : 'waiting for Redis',
      version: published?.version ?? null,
      digest: published?.digest ?? null,
      settled,
    });
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
