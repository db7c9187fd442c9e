import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { AdminBench, PROTOCOLS, TOKEN } from './admin-bench.testing.ts';

let bench: AdminBench;

before(async () => {
  bench = await AdminBench.start();
});
after(() => bench.stop());

describe('the admin token', () => {
  for (const protocol of PROTOCOLS) {
    test(`is asked for in ${protocol}`, async () => {
      for (const token of [null, 'wrong', `${TOKEN}x`, TOKEN.slice(0, -1), TOKEN.toUpperCase()]) {
        const refused = (error: unknown) =>
          error instanceof ConnectError &&
          error.code === Code.Unauthenticated &&
          /HEADGATE_ADMIN_TOKEN/.test(error.rawMessage);
        await assert.rejects(bench.keys(protocol, token).createKey({ name: 'x' }), refused);
        await assert.rejects(bench.usage(protocol, token).listBudgets({}), refused);
      }
      assert.deepEqual((await bench.keys(protocol).listKeys({})).keys, []);
    });
  }

  test('is the bearer token and nothing else, on every path', async () => {
    const no = [
      { authorization: TOKEN },
      { authorization: `Basic ${TOKEN}` },
      { authorization: `Bearer ${TOKEN} ${TOKEN}` },
      { authorization: 'Bearer' },
      { authorization: '', 'x-api-key': TOKEN },
    ];
    for (const headers of no) {
      const answer = await bench.post('KeyService/ListKeys', '{}', headers as unknown as Record<string, string>);
      assert.equal(answer.status, 401, JSON.stringify(headers));
      assert.equal(answer.json.code, 'unauthenticated');
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    }
    assert.equal((await bench.post('KeyService/Nope', '{}', { authorization: 'Bearer x' })).status, 401);
    assert.equal((await fetch(`${bench.url}/`)).status, 401);
    assert.equal((await bench.post('KeyService/ListKeys', '{}', { authorization: `bearer ${TOKEN}` })).status, 200);
  });

  test('is missed before the body is there, and a giant body is not taken', async () => {
    const socket = connect(bench.port, '127.0.0.1');
    socket.on('error', () => {
      // The end that is waited for below.
    });
    socket.write('POST /headgate.v1.KeyService/CreateKey HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n');
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 401 /);
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    let sent = 0;
    for (const piece = Buffer.alloc(64 * 1024, 'x'); !socket.destroyed && sent < 100_000_000; sent += piece.length) {
      await new Promise<void>((written) => socket.write(piece, () => written()));
    }
    await closed;
    assert.ok(sent < 50_000_000, `${sent} bytes were taken`);
  });

  test('is missed in words that always arrive, however long the body', async () => {
    const body = JSON.stringify({ name: 'x'.repeat(200_000) });
    for (let i = 0; i < 20; i += 1) {
      const answer = await bench.post('KeyService/CreateKey', body, { authorization: 'Bearer wrong' });
      assert.deepEqual([answer.status, answer.json.code], [401, 'unauthenticated']);
    }
  });

  test('that is wrong is told in the log, without it, and without filling the log', async () => {
    await Promise.all(Array.from({ length: 50 }, () => bench.post('X/Y', '', { authorization: 'Bearer guess-0123' })));
    const lines = bench.log.split('\n').filter((line) => line.includes('admin token missing or wrong'));
    assert.ok(lines.length >= 1 && lines.length < 20, `${lines.length} lines`);
    assert.ok(!bench.log.includes('guess-0123'));
  });
});

describe('one port for all of it', () => {
  test('a request that comes byte by byte', async () => {
    const socket = connect(bench.port, '127.0.0.1').setNoDelay(true);
    const body = '{}';
    const head = [
      'POST /headgate.v1.KeyService/ListKeys HTTP/1.1',
      'host: x',
      `authorization: Bearer ${TOKEN}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
      'connection: close',
    ];
    for (const byte of `${head.join('\r\n')}\r\n\r\n${body}`) {
      await new Promise<void>((written) => socket.write(byte, () => written()));
    }
    assert.match(await read(socket), /^HTTP\/1\.1 200 .*\r\n\r\n\{\}$/s);
  });

  test('bytes that are no request end their connection and nothing else', async () => {
    for (const bytes of ['PRX\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense', '\u0016\u0003\u0001', 'P']) {
      const socket = connect(bench.port, '127.0.0.1');
      socket.end(bytes, 'latin1');
      await read(socket);
    }
    assert.deepEqual((await bench.keys('gRPC').listKeys({})).keys, []);
  });
});

/** What comes until the other side ends it. */
function read(socket: ReturnType<typeof connect>): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => {
      // A reset is an end, too.
    });
    socket.on('close', () => resolve(text));
  });
}
