import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { chat, question } from './chat-client.ts';
import { configuration, targetOf } from './configuration.ts';
import { accessLog, eventually, idle } from './observe.ts';
import { RawRequest } from './raw-http.ts';

/** So long may a connection say nothing before that is taken for its answer. */
const SILENCE_MS = 1_000;

let stack: Stack;
let workers: readonly number[];

before(async () => {
  stack = await startStack({ processes: 2, config: ([simulator]) => configuration(simulator) });
  workers = stack.workerPids();
});

after(() => stack.stop());

afterEach(async () => {
  assert.deepEqual(stack.workerPids(), workers, 'the processes are those of the beginning');
  const answer = await chat(targetOf(stack), {
    model: 'test/one',
    messages: question('[[sim tokens=3]] still there?'),
  });
  assert.equal(answer.status, 200);
  await idle(stack);
});

type Headers = readonly (readonly [string, string])[];

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Null when the connection was closed without an answer. */
async function ask(path: string, headers: Headers = [], method = 'GET'): Promise<Answer | null> {
  const request = new RawRequest(stack.port, { method, path, headers });
  const head = await request.head.catch(() => null);
  if (head !== null) await request.ended;
  request.leave();
  return head && { ...head, body: request.text };
}

/** Bytes as they are; resolves with what came back until the other side closed or said something. */
function sendRaw(bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(stack.port, '127.0.0.1', () => socket.write(bytes));
    let said = '';
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(said);
    };
    // Some of these are no whole request, to which silence is an answer, too.
    const timer = setTimeout(end, SILENCE_MS);
    socket.on('data', (piece) => {
      said += piece.toString('latin1');
    });
    socket.on('error', end);
    socket.on('end', end);
  });
}

const bearer = (key: string): readonly [string, string] => ['authorization', `Bearer ${key}`];

test('the scheme in any case, space around the key: the same key', async () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    for (const space of [' ', '  ']) {
      const answer = await ask('/v1/models', [['Authorization', `${scheme}${space}${stack.key}`]]);
      assert.equal(answer?.status, 200, `${scheme}${space}`);
    }
  }
  assert.equal((await ask('/v1/models', [['AUTHORIZATION', `Bearer ${stack.key}`]]))?.status, 200);
});

test('anything else in place of the key is 401, and the error does not repeat it', async () => {
  const wrong: readonly Headers[] = [
    [],
    [['authorization', '']],
    [['authorization', 'Bearer']],
    [['authorization', 'Bearer ']],
    [['authorization', stack.key]],
    [['authorization', `Basic ${Buffer.from(`u:${stack.key}`).toString('base64')}`]],
    [bearer(`${stack.key}x`)],
    [bearer(stack.key.slice(0, -1))],
    [bearer(stack.key.toUpperCase())],
    [bearer(`${stack.key} ${stack.key}`)],
    [bearer(`${stack.key}\u0000`)],
    [bearer('x'.repeat(3_000))],
    [bearer('é'.repeat(100))],
    [bearer('__proto__')],
    [bearer('*')],
  ];
  for (const headers of wrong) {
    const answer = await ask('/v1/models', headers);
    // A server may refuse what is no HTTP at all without an answer.
    if (answer === null || answer.status === 400) {
      assert.ok(headers[0]?.[1].includes('\u0000'));
      continue;
    }
    assert.equal(answer.status, 401, JSON.stringify(headers));
    const { error } = JSON.parse(answer.body) as { error: { type: string; message: string } };
    assert.equal(error.type, 'authentication_error');
    assert.ok(!answer.body.includes(stack.key));
    assert.ok(answer.headers['x-request-id']);
  }
});

test('two authorization headers: one of them decides, and never a mixture', async () => {
  const good = bearer(stack.key);
  const bad = bearer('hg_unknown_key_0123456789');
  const statuses = [];
  for (const headers of [
    [good, bad],
    [bad, good],
  ])
    statuses.push((await ask('/v1/models', headers))?.status);
  assert.ok(
    statuses.every((status) => status === 200 || status === 400 || status === 401),
    String(statuses),
  );
  assert.ok(!statuses.every((status) => status === 200), 'not whichever happens to fit');
});

test('x-request-id is taken when it is short and plain, and never put into headers or logs otherwise', async () => {
  for (const id of ['abc', 'req_01H.x:y-z', 'a'.repeat(128)]) {
    assert.equal((await ask('/health/live', [['x-request-id', id]]))?.headers['x-request-id'], id);
  }
  const odd = ['', 'a b', 'a"b', '<script>', 'a;b', 'a'.repeat(129), 'é', '{"a":1}', '%0d%0ax-evil:1', 'a\tb', '$(id)'];
  for (const id of odd) {
    const answer = await ask('/health/live', [['x-request-id', id]]);
    assert.match(answer?.headers['x-request-id'] ?? '', /^req_[0-9A-Z]{26}$/, JSON.stringify(id));
    assert.equal(answer?.headers['x-evil'], undefined);
  }
  // A bare line feed in a header is where one header could become two.
  const said = await sendRaw('GET /health/live HTTP/1.1\r\nhost: x\r\nx-request-id: a\nx-evil: 1\r\n\r\n');
  assert.doesNotMatch(said, /^x-evil/im);
  await chat(targetOf(stack), { model: 'test/one', messages: question('[[sim tokens=1]] logged') }, [
    ['x-request-id', 'a","level":"fatal'],
  ]);
  await eventually('a line in the log', () => accessLog(stack).length > 0);
  assert.ok(stack.logs('ingress').every(({ level }) => level !== 'fatal'));
});

test('methods: known paths say what they allow, unknown ones are 404, a HEAD has no body', async () => {
  const cases: readonly (readonly [method: string, path: string, status: number, allow?: string])[] = [
    ['GET', '/v1/chat/completions', 405, 'POST, OPTIONS'],
    ['DELETE', '/v1/chat/completions', 405, 'POST, OPTIONS'],
    ['PUT', '/v1/models', 405, 'GET, OPTIONS'],
    ['PATCH', '/v1/models/test/one', 405, 'GET, OPTIONS'],
    ['BREW', '/v1/models', 405, 'GET, OPTIONS'],
    ['BREW', '/coffee', 404],
    ['POST', '/', 404],
    ['TRACE', '/v1/nothing', 404],
  ];
  for (const [method, path, status, allow] of cases) {
    const answer = await ask(path, [bearer(stack.key)], method);
    assert.equal(answer?.status, status, `${method} ${path}`);
    assert.equal(answer?.headers.allow, allow);
    assert.ok((JSON.parse(answer?.body ?? '') as { error: { message: string } }).error.message);
  }
  for (const path of ['/health/live', '/health/ready', '/v1/models', '/v1/chat/completions', '/nothing']) {
    const said = await sendRaw(
      `HEAD ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${stack.key}\r\n\r\nGET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    );
    const [first = '', second = ''] = said.split(/(?=HTTP\/1\.1 )/);
    assert.match(first, /^HTTP\/1\.1 \d{3} /, path);
    assert.equal(first.slice(first.indexOf('\r\n\r\n') + 4), '', `HEAD ${path} has a body`);
    assert.match(second, /^HTTP\/1\.1 200 .*\{"status":"live"\}$/s);
  }
});

test('odd paths are 404 or 400, and never anything of the file system', async () => {
  const paths = [
    '/v1/../../etc/passwd',
    '/v1/models/../../../etc/passwd',
    '/v1/models/..%2f..%2f..%2fetc%2fpasswd',
    '/v1/models/%00',
    '/v1/models/test%2Fone%00',
    '/v1/models/%zz',
    '/v1/models/%c3%28',
    '/v1/models/__proto__',
    '/v1/models/constructor',
    '/v1/models/',
    '/v1/models//',
    '//v1/models',
    '/v1/chat/completions/',
    '/V1/models',
    '/%76%31/models',
    '/v1/models/\u00e9',
    `/v1/models/${'a'.repeat(3_000)}`,
    `/${'a/'.repeat(1_500)}`,
    '/*',
  ];
  for (const path of paths) {
    const answer = await ask(path, [bearer(stack.key)]);
    if (answer === null) continue;
    assert.ok(answer.status === 404 || answer.status === 400, `${path}: ${answer.status} ${answer.body}`);
    if (answer.body !== '') assert.ok(!answer.body.includes('root:'));
    assert.ok(answer.body.length < 10_000);
  }
  for (const path of ['/v1/models/test/one', '/v1/models/test%2Fone', '/v1/models/test%2fone', '/v1/models?x=%00']) {
    assert.equal((await ask(path, [bearer(stack.key)]))?.status, 200, path);
  }
});

test('headers and paths beyond all measure are refused or cut off', async () => {
  const huge: readonly (readonly [path: string, headers: Headers])[] = [
    ['/health/live', [['x-huge', 'a'.repeat(100_000)]]],
    ['/health/live', [['x'.repeat(100_000), 'a']]],
    ['/health/live', Array.from({ length: 5_000 }, (_, i) => [`x-${i}`, 'a'] as const)],
    ['/v1/models', [bearer('a'.repeat(200_000))]],
    [`/${'a'.repeat(200_000)}`, []],
  ];
  for (const [path, headers] of huge) {
    const answer = await ask(path, headers);
    assert.ok(answer === null || answer.status >= 400, `${path.slice(0, 40)}: ${answer?.status}`);
  }
});

test('what is no HTTP, and what smugglers send, is refused or cut off', async () => {
  const body = '{"model":"test/one","messages":[{"role":"user","content":"smuggled"}]}';
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${stack.key}\r\n`;
  const since = await stack.simulator().lastSeq();
  const bad = [
    Buffer.from('16030100c8010000c40303', 'hex'),
    Buffer.alloc(2_000, 0xff),
    '\r\n\r\n\r\n',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\nhost: x\r\n\r\n',
    'GET /health/live HTTP/1.1\r\n\r\n',
    'GET /health/live HTTP/1.1\r\nhost x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    `${head}content-length: -1\r\n\r\n${body}`,
    `${head}content-length: 1e2\r\n\r\n${body}`,
    `${head}content-length: 0x46\r\n\r\n${body}`,
    `${head}content-length: 99999999999999999999999999\r\n\r\n${body}`,
    `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\nzz\r\n${body}\r\n0\r\n\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n${body}\r\n0\r\n\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\n-1\r\n${body}\r\n0\r\n\r\n`,
  ];
  const answers = await Promise.all(bad.map(async (bytes) => ({ bytes, said: await sendRaw(bytes) })));
  for (const { bytes, said } of answers) {
    const what = bytes.toString('latin1').slice(0, 300);
    assert.doesNotMatch(said, /^HTTP\/1\.1 2(?!04)/m, `${what}\nwas answered\n${said.slice(0, 300)}`);
    assert.doesNotMatch(said, /node_modules|\.ts:|Error:/);
  }
  assert.deepEqual(await stack.simulator().requests({ since }), [], 'nothing of it has reached a provider');
});
