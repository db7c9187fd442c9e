import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Reconciler } from './reconciler.ts';

/** `/health/live` and `/health/ready` for probes; ready once Redis has taken the configuration. */
export async function startHealthServer(host: string, port: number, reconciler: Reconciler): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return answer(response, 405, { status: 'method not allowed' });
    }
    if (path === '/health/live') return answer(response, 200, { status: 'live' });
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
