import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { fetchMedia } from './media-fetcher.ts';

const PICTURE = Buffer.from('89504e470d0a1a0a', 'hex');
/** Larger than any socket's buffers: whoever stops reading gives the body up in the middle. */
const ENDLESS = Buffer.alloc(8 * 1024 * 1024);

const answers: Readonly<Record<string, RequestListener>> = {
  '/picture': (_, response) => response.writeHead(200, { 'content-type': 'image/png' }).end(PICTURE),
  '/untyped.png': (_, response) => response.writeHead(200).end(PICTURE),
  '/moved': (_, response) => response.writeHead(302, { location: '/picture' }).end(ENDLESS),
  '/round': (_, response) => response.writeHead(302, { location: '/round' }).end(ENDLESS),
  '/elsewhere': (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/missing': (_, response) => response.writeHead(404).end(ENDLESS),
  '/large': (_, response) => response.writeHead(200, { 'content-type': 'image/png' }).end(ENDLESS),
  '/silent': () => undefined,
};

describe('files that clients name by URL', () => {
  let server: Server;
  let origin = '';

  before(async () => {
    server = createServer((request, response) => answers[request.url ?? '']?.(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    origin = `http://127.0.0.1:${address.port}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  const fetched = (path: string, options: { maxBytes?: number; timeoutMs?: number } = {}) =>
    fetchMedia([`${origin}${path}`], { allowPrivate: true, ...options });
  const refused = (promise: Promise<unknown>, why: RegExp) =>
    assert.rejects(promise, { status: 400, code: 'invalid_file_url', message: why });

  it('are brought with their type, each once', async () => {
    const url = `${origin}/picture`;
    const media = await fetchMedia([url, url], { allowPrivate: true });
    assert.deepEqual([...media], [[url, { mediaType: 'image/png', data: PICTURE.toString('base64') }]]);
    assert.equal((await fetched('/untyped.png')).get(`${origin}/untyped.png`)?.mediaType, 'image/png');
  });

  it('may have moved; what the redirect itself carries is given up without harm', async () => {
    assert.equal((await fetched('/moved')).get(`${origin}/moved`)?.mediaType, 'image/png');
    await refused(fetched('/round'), /more than 3 redirects/);
    await refused(fetched('/elsewhere'), /not an http or https URL/);
  });

  it('are refused when they are missing, too large, or too slow', async () => {
    await refused(fetched('/missing'), /answered 404/);
    await refused(fetched('/large', { maxBytes: 1_000 }), /larger than 1000 bytes/);
    await refused(fetched('/silent', { timeoutMs: 50 }), /took too long/);
  });

  it('are refused on private addresses', async () => {
    for (const host of ['127.0.0.1', '[::1]', 'localhost', '169.254.169.254', '10.0.0.1', '[::ffff:127.0.0.1]']) {
      await refused(fetchMedia([`http://${host}/picture`], { allowPrivate: false }), /not a public address/);
    }
  });
});
