/** The harness against its own mock: everything sent is answered and counted. Counts are asserted, times never. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '@headgate/core/config';
import { closedLoop } from './load/closed-loop.ts';
import { Connection } from './load/connection.ts';
import { Histogram } from './load/histogram.ts';
import { openLoop } from './load/open-loop.ts';
import { chatBody, chatRequest, type Endpoint } from './load/request.ts';
import { ResponseParser } from './load/response-parser.ts';
import { slowReaders } from './load/slow-readers.ts';
import { StampScanner } from './load/stamp-scanner.ts';
import { streams } from './load/streams.ts';
import { parse } from './load/wrk.ts';
import { STREAM_HEAD, streamChunk, streamEnd } from './mock/answers.ts';
import { findDirective } from './mock/directive.ts';
import { RequestParser } from './mock/request-parser.ts';
import { readOptions } from './options.ts';
import { judge } from './report/goals.ts';
import { medians } from './report/medians.ts';
import { configuration } from './targets/headgate-config.ts';

const mock = spawn(process.execPath, [fileURLToPath(new URL('mock/server.ts', import.meta.url))], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
let endpoint: Endpoint;

before(async () => {
  const [line] = await once(createInterface(mock.stdout), 'line');
  const { port } = JSON.parse(String(line)) as { port: number };
  endpoint = { port, model: 'mock', key: 'k', loadCore: 0, ...(mock.pid === undefined ? {} : { pid: mock.pid }) };
});

after(async () => {
  mock.kill();
  await once(mock, 'exit');
});

/** Sends one request to the mock and collects its answer. */
async function answerOf(options: Parameters<typeof chatRequest>[1]): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  let status = 0;
  let text = '';
  const connection = new Connection(endpoint.port, {
    onHead: (value) => {
      status = value;
    },
    onBody: (bytes) => {
      text += bytes.toString();
    },
    onEnd: () => resolve({ status, text }),
    onFail: reject,
  });
  connection.send(chatRequest(endpoint, options));
  try {
    return await promise;
  } finally {
    connection.stop();
  }
}

async function mockCounts(): Promise<{ open: number; requests: number }> {
  const answer = await fetch(`http://127.0.0.1:${endpoint.port}/`, { headers: { connection: 'close' } });
  return (await answer.json()) as { open: number; requests: number };
}

test('the mock answers a JSON request of any size with a completion', async () => {
  for (const bytes of [0, 20_000, 1_000_000]) {
    const { status, text } = await answerOf({ bytes, mock: 'b=600' });
    assert.equal(status, 200);
    assert.equal(JSON.parse(text).choices[0].message.content.length, 600);
  }
});

test('the mock streams as many chunks as asked for, paced or at once, then usage and [DONE]', async () => {
  for (const mockText of ['n=50 i=0', 'n=5 i=2', 'n=1000 i=0']) {
    const { text } = await answerOf({ stream: true, mock: mockText });
    const chunks = Number(/n=(\d+)/.exec(mockText)?.[1]);
    assert.equal(text.match(/" t\d+"/g)?.length, chunks);
    assert.ok(text.includes(`"completion_tokens":${chunks}`));
    assert.ok(text.endsWith('data: [DONE]\n\n'));
  }
});

test('the mock fails as asked', async () => {
  const { status, text } = await answerOf({ mock: 's=429' });
  assert.equal(status, 429);
  assert.equal(JSON.parse(text).error.type, 'rate_limit_error');
});

test('the closed loop counts every request that the mock has seen', async () => {
  const start = await mockCounts();
  const found = await closedLoop(endpoint, { connections: 8, seconds: 0.3 });
  const end = await mockCounts();
  assert.equal(found.bad, 0);
  assert.ok((found.requests ?? 0) > 0);
  assert.ok(end.requests - start.requests >= (found.requests ?? 0));
});

test('the closed loop counts refusals as bad and not as requests per second', async () => {
  const found = await closedLoop(endpoint, { connections: 2, seconds: 0.2, mock: 's=429' });
  assert.equal(found.rps, 0);
  assert.ok((found.bad ?? 0) > 0);
  assert.equal(found.bad, found.requests);
});

test('the open loop sends exactly rate times seconds and gets every answer', async () => {
  const start = await mockCounts();
  const found = await openLoop(endpoint, { rate: 100, seconds: 0.3 });
  const end = await mockCounts();
  assert.equal(found.requests, 30);
  assert.equal(found.bad, 0);
  // Eight to open the connections, one that asked for the count.
  assert.equal(end.requests - start.requests, 30 + 8 + 1);
});

test('paced streams all flow and none is broken', async () => {
  const found = await streams(endpoint, { streams: 20, seconds: 0.3, chunks: 100_000, intervalMs: 20 });
  assert.equal(found.missing, 0);
  assert.equal(found.bad, 0);
  assert.ok((found.events_s ?? 0) > 0);
});

test('burst streams end with [DONE]', async () => {
  const found = await streams(endpoint, { streams: 4, seconds: 0.3, chunks: 50, intervalMs: 0 });
  assert.equal(found.bad, 0);
  assert.ok((found.streams_s ?? 0) > 0);
});

test('streams that are cut short are bad', async () => {
  const cut = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.end(STREAM_HEAD + streamChunk()));
  });
  cut.listen(0, '127.0.0.1');
  await once(cut, 'listening');
  const address = cut.address();
  assert.ok(address !== null && typeof address === 'object');
  const broken = await streams(
    { port: address.port, model: 'mock', loadCore: 0 },
    { streams: 2, seconds: 0.3, chunks: 5, intervalMs: 0 },
  );
  cut.close();
  assert.ok((broken.bad ?? 0) > 0);
  assert.equal(broken.streams_s, 0);
});

test('slow readers get their streams whole once they read again', async () => {
  const found = await slowReaders(endpoint, { clients: 2, chunks: 60_000, stallSeconds: 0.2 });
  assert.equal(found.whole, 2);
  assert.equal(found.bad, 0);
});

test('a paused connection holds the server back until it is resumed', async () => {
  const total = 64 * 2 ** 20;
  let flushed = false;
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
    socket.write(Buffer.alloc(total), () => {
      flushed = true;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  let received = 0;
  const paused = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const connection = new Connection(address.port, {
    onHead: () => {},
    onBody: (bytes) => {
      if (received === 0) {
        connection.pause();
        paused.resolve();
      }
      received += bytes.length;
    },
    onEnd: () => ended.resolve(),
    onFail: ended.reject,
  });
  connection.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await paused.promise;
  for (let turn = 0; turn < 200; turn++) await setImmediate();
  assert.ok(received < total);
  assert.equal(flushed, false);
  connection.resume();
  await ended.promise;
  assert.equal(received, total);
  connection.stop();
  server.close();
});

test('no connection is left at the mock', async () => {
  // The one that asks is open itself.
  let counts = await mockCounts();
  for (let tries = 0; counts.open > 1 && tries < 100; tries++) counts = await mockCounts();
  assert.equal(counts.open, 1);
});

test('responses are parsed the same wherever they are cut', () => {
  const chunked = Buffer.from(STREAM_HEAD + streamChunk() + streamChunk() + streamEnd(2));
  const counted = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
  const empty = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');
  const bytes = Buffer.concat([chunked, counted, empty]);
  const whole = parsedIn(bytes, bytes.length);
  assert.equal(whole.ends, 3);
  assert.deepEqual(whole.statuses, [200, 200, 204]);
  assert.equal(whole.stamps, 2);
  assert.ok(whole.text.endsWith('[DONE]\n\nhello'));
  for (let size = 1; size < 300; size++) assert.deepEqual(parsedIn(bytes, size), whole);
});

function parsedIn(bytes: Buffer, size: number) {
  const found = { statuses: [] as number[], text: '', ends: 0, stamps: 0, done: false };
  const scanner = new StampScanner();
  const parser = new ResponseParser({
    onHead: (status) => found.statuses.push(status),
    onBody: (body) => {
      found.text += body.toString();
      scanner.push(body, () => found.stamps++);
      found.done = scanner.done;
    },
    onEnd: () => found.ends++,
  });
  for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size));
  return found;
}

test('requests are parsed the same wherever they are cut, with a length or chunked', () => {
  const length = Buffer.from('POST /a HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc');
  const chunked = Buffer.from('POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n');
  const bytes = Buffer.concat([length, chunked, Buffer.from('GET /c HTTP/1.1\r\n\r\n')]);
  for (let size = 1; size <= bytes.length; size++) {
    const parser = new RequestParser();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      parser.push(bytes.subarray(at, at + size));
      for (let next = parser.next(); next !== undefined; next = parser.next()) found.push(`${next.path} ${next.body}`);
    }
    assert.deepEqual(found, ['/a abc', '/b def', '/c ']);
  }
});

test('the directive is found in text and in a model name', () => {
  const found = findDirective(Buffer.from(chatBody(endpoint, { mock: 'n=7 i=3 d=1 s=500 b=9' })));
  assert.deepEqual(found, { chunks: 7, intervalMs: 3, delayMs: 1, status: 500, textBytes: 9 });
  assert.equal(findDirective(Buffer.from('{"model":"mock-n3-i40"}')).intervalMs, 40);
  assert.equal(findDirective(Buffer.from('{}')).status, 200);
});

test('the histogram gives quantiles over both of its ranges', () => {
  const histogram = new Histogram();
  assert.equal(histogram.quantile(0.5), undefined);
  for (const us of [10, 20, 30, 2_500_000]) histogram.add(us);
  assert.equal(histogram.quantile(0.5), 30);
  assert.equal(histogram.quantile(0.99), 2_500_000);
});

test("wrk's report is read", () => {
  const report = `Running 1s test @ http://127.0.0.1:1/v1/chat/completions
  Latency Distribution
     50%  950.00us
     75%    1.00ms
     90%    1.20ms
     99%    2.00s
  36175 requests in 1.01s, 23.49MB read
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 4
Requests/sec:  35949.12
Transfer/sec:     23.34MB
`;
  const expected = { rps: 35949, requests: 36175, bad: 7, p50_us: 950, p90_us: 1200, p99_us: 2_000_000 };
  assert.deepEqual(parse(report), expected);
  assert.throws(() => parse('unable to connect'), /no report/);
});

test('medians leave out disturbed rounds but never a failure', () => {
  const json = [
    { rps: 10, bad: 0, wait_pct: 1 },
    { rps: 30, bad: 0, wait_pct: 2 },
    { rps: 20, bad: 0, wait_pct: 3 },
    { rps: 1000, bad: 5, wait_pct: 50 },
  ];
  const found = medians(new Map([['headgate', new Map([['json' as const, json]])]]));
  assert.equal(found.headgate?.['json.rps'], 20);
  assert.equal(found.headgate?.['json.bad'], 5);
});

test('goals are judged against must and aim, and not at all without a measurement', () => {
  const verdicts = (ours: number, load: number) =>
    judge({
      headgate: { 'json.cpu_us_req': ours, 'json.rps': 20_000 },
      haproxy: { 'json.cpu_us_req': 15, 'json.rps': 40_000, 'json.load_core_pct': load, 'json.cpu_pct': 60 },
    }).map(({ verdict }) => verdict);
  assert.deepEqual(verdicts(30, 50).slice(0, 3), ['aim reached', 'aim reached', 'not measured']);
  assert.equal(verdicts(45, 50)[0], 'must met');
  assert.equal(verdicts(60, 50)[0], 'MISSED');
  // 0.5 by requests per second, but HAProxy was held back: by CPU time it is 0.25.
  assert.equal(verdicts(60, 100)[1], 'MISSED');
});

test('the generated configuration is one that the gateway takes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-test-'));
  try {
    const file = join(folder, 'headgate.yaml');
    writeFileSync(file, configuration('bench/mock', 6379, 9100, 'sk-bench-0123456789abcdef'));
    const { config } = loadConfig({ env: { HEADGATE_CONFIG: file }, cwd: folder });
    assert.equal(config.providers.mock?.baseUrl, 'http://127.0.0.1:9100/v1');
    assert.deepEqual(
      config.models?.map(({ id }) => id),
      ['bench/mock'],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('options are checked by name', () => {
  const found = readOptions(['--rounds', '3', '--phases', 'sse,json', '--without', 'portkey']);
  assert.deepEqual(found?.phases, ['json', 'sse']);
  assert.deepEqual(found?.targets, ['headgate', 'direct', 'haproxy', 'nginx']);
  assert.throws(() => readOptions(['--rounds', 'many']), /--rounds: "many"/);
  assert.throws(() => readOptions(['--with', 'apache']), /there is no "apache"/);
  assert.throws(() => readOptions(['--round', '3']), /--round/);
});
