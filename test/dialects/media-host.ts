import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { tinyPdf, tinyPng } from '../conformance/media.ts';

/** A web server on 127.0.0.1 with a picture, a document, and ways to lead to them. */
export class MediaHost {
  readonly #server: Server;
  /** Paths that were asked for. */
  readonly asked: string[] = [];

  static async start(): Promise<MediaHost> {
    const host = new MediaHost();
    host.#server.listen(0, '127.0.0.1');
    await once(host.#server, 'listening');
    return host;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      const path = request.url ?? '/';
      this.asked.push(path);
      if (path === '/image.png') response.writeHead(200, { 'content-type': 'image/png' }).end(tinyPng());
      else if (path === '/document.pdf') response.writeHead(200, { 'content-type': 'application/pdf' }).end(tinyPdf());
      else if (path.startsWith('/moved')) response.writeHead(302, { location: '/image.png' }).end();
      else response.writeHead(404).end();
    });
  }

  url(path: string): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the host of the pictures does not listen');
    return `http://127.0.0.1:${address.port}${path}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
