import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { HEADROOM } from '@headgate/core/json';
import { collectBody, releaseBody } from './body.ts';
import { Exchange, type ExchangeHost } from './exchange.ts';
import { loadUws } from './uws.ts';

const MAX_BYTES = 5_000_000;

interface Answer {
  readonly status: number;
  readonly body: {
    length: number;
    hash: string;
    before: number;
    behind: number;
    error?: { type: string; message: string };
  };
}

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('collectBody, behind a real server', () => {
  const { uws } = loadUws();
  const open = new Set<Exchange>();
  const host: ExchangeHost = {
    draining: false,
    corsOrigins: [],
    limitHeadersOf: () => [],
    opened: (exchange) => void open.add(exchange),
    closed: (exchange) => void open.delete(exchange),
  };
  let app: TemplatedApp;
  let socket: us_listen_socket | false;
  let port = 0;
  let left: () => void = () => undefined;

  before(async () => {
    app = uws.App().any('/*', (res, req) => {
      const exchange = new Exchange(res, req, host);
      exchange.onGone = () => left();
      collectBody(exchange, MAX_BYTES, (body, error) => {
        if (body === null) {
          exchange.refuseThrown(error);
          return;
        }
        const { store, start, end } = body;
        const facts = {
          length: end - start,
          hash: hash(store.subarray(start, end)),
          before: start,
          behind: store.length - end,
        };
        if (exchange.path === '/release') releaseBody(body);
        exchange.answerJson(200, JSON.stringify(facts));
      });
    });
    socket = await new Promise((resolve) => app.listen('127.0.0.1', 0, resolve));
    assert.ok(socket, 'listens');
    port = uws.us_socket_local_port(socket);
  });
  after(() => app.close());

  /** Posts pieces one by one; with its length announced, or chunked. */
  async function post(pieces: readonly Buffer[], announced: boolean, path = '/'): Promise<Answer> {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const sending = request({
      port,
      host: '127.0.0.1',
      path,
      method: 'POST',
      headers: announced ? { 'content-length': length } : { 'transfer-encoding': 'chunked' },
    });
    // A refusal may close the connection while we are still sending.
    sending.on('error', () => undefined);
    const answered = once(sending, 'response');
    for (const piece of pieces) if (!sending.write(piece)) await Promise.race([once(sending, 'drain'), answered]);
    sending.end();
    const [response] = await answered;
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode, body: JSON.parse(text) };
  }

  const pieces = (total: number, piece: number): Buffer[] =>
    Array.from({ length: Math.ceil(total / piece) }, (_, i) => {
      const bytes = Buffer.alloc(Math.min(piece, total - i * piece));
      for (let at = 0; at < bytes.length; at++) bytes[at] = (i * 31 + at * 7) & 0xff;
      return bytes;
    });

  for (const announced of [true, false]) {
    it(`takes a body of any size, ${announced ? 'announced' : 'chunked'}`, async () => {
      // Around the limits: empty, the first guess, the size from which headroom is given, doubling, the cap.
      for (const size of [0, 1, 1_000, 16_383, 16_384, 16_385, 64_511, 64_512, 65_536, 130_000, 1_048_576, MAX_BYTES]) {
        const sent = pieces(size, size > 100_000 ? 65_000 : 10_000);
        const { status, body } = await post(sent, announced);
        assert.deepEqual([status, body.length, body.hash], [200, size, hash(Buffer.concat(sent))], `${size}`);
        if (size >= 65_536) assert.ok(body.before >= HEADROOM && body.behind >= HEADROOM, `headroom at ${size}`);
      }
    });

    it(`refuses a larger one with 413, ${announced ? 'announced' : 'chunked'}`, async () => {
      const { status, body } = await post(pieces(MAX_BYTES + 1, 65_000), announced);
      assert.deepEqual([status, body.error?.type], [413, 'request_too_large']);
      assert.match(body.error?.message ?? '', /5000000 bytes \(server\.maxBodyBytes\)/);
    });
  }

  it('uses released buffers again, and never shows what stood in them', async () => {
    for (const size of [700_000, 900_000, 600_000, 1_000_000]) {
      const sent = pieces(size, 50_000 + (size % 7));
      const { body } = await post(sent, size % 2 === 0, '/release');
      assert.equal(body.hash, hash(Buffer.concat(sent)));
    }
  });

  it('keeps bodies apart that arrive at the same time', async () => {
    const sizes = [100_000, 200_000, 300_000, 400_000, 500_000, 600_000];
    const answers = await Promise.all(sizes.map((size) => post(pieces(size, 9_999), size % 200_000 === 0, '/release')));
    assert.deepEqual(
      answers.map(({ body }) => body.hash),
      sizes.map((size) => hash(Buffer.concat(pieces(size, 9_999)))),
    );
  });

  it('forgets a client that leaves in the middle of its body', async () => {
    const gone = new Promise<void>((resolve) => {
      left = resolve;
    });
    const client = connect(port, '127.0.0.1');
    client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${MAX_BYTES}\r\n\r\nabc`);
    while (open.size === 0) await new Promise((resolve) => setImmediate(resolve));
    client.destroy();
    await gone;
    assert.equal(open.size, 0);
  });
});
