import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { OidcIssuer } from '@headgate/core/testing/oidc';
import { Redis } from 'ioredis';
import OpenAI, { toFile } from 'openai';
import { RawRequest } from '../resilience/raw-http.ts';
import { type Stack, startStack } from '../support/stack.ts';

/** `/v1/files` as the SDK uses it, and as nobody should (WIRE 2.14). */

const MB = 1024 * 1024;
const LARGEST = 128 * MB;
const LINE = '{"custom_id":"1","method":"POST","url":"/v1/embeddings","body":{}}\n';
const BOUNDARY = 'x-test-boundary';

let stack: Stack;
let redis: Redis;
let issuer: OidcIssuer;
let directory: string;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headgate-files-'));
  issuer = await OidcIssuer.start();
  stack = await startStack({
    config: ([simulator]) => ({
      auth: {
        oidc: [{ issuer: issuer.url, audience: 'headgate' }],
        keys: [
          { name: 'one', key: 'key-one' },
          { name: 'two', key: 'key-two' },
          { name: 'small', key: 'key-small' },
          { name: 'slow', key: 'key-slow', limits: { requestsPerMinute: 1, concurrency: 1 } },
        ],
      },
      files: { maxFileBytes: LARGEST, maxBytesPerKey: LARGEST + 10 * MB, maxFilesPerKey: 40 },
      providers: { openai: { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: 'sk-test' } },
      models: [{ id: 'test/one', endpoints: [{ provider: 'openai', model: 'gpt-4.1' }] }],
    }),
  });
  redis = new Redis(stack.redis.url);
});

after(async () => {
  redis?.disconnect();
  await stack?.stop();
  issuer?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Every test removes what it has made; nothing may be left of it, nor of what broke. */
afterEach(async () => {
  const deadline = Date.now() + 2_000;
  for (;;) {
    const left = (await redis.keys('hg:{file*')).filter((key) => !/:(owners|sums)$/.test(key));
    const sums = await Promise.all((await redis.keys('hg:{files:*:sums')).map((key) => redis.hgetall(key)));
    const used = sums.filter(({ bytes, files }) => Number(bytes ?? 0) !== 0 || Number(files) !== 0);
    if (left.length === 0 && used.length === 0) return;
    if (Date.now() > deadline) {
      await redis.del(await redis.keys('hg:{file*'));
      assert.fail(`left behind: ${JSON.stringify({ left, used })}`);
    }
    await delay(20);
  }
});

const sdk = (key = 'key-one'): OpenAI => new OpenAI({ baseURL: stack.baseUrl, apiKey: key, maxRetries: 0 });
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

interface Refusal {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
  readonly message: string;
}

interface FormPart {
  readonly head: string;
  readonly body?: string | Buffer;
}

const field = (name: string, value: string): FormPart => ({ head: `form-data; name="${name}"`, body: value });
const file = (body: string | Buffer = LINE, name = 'file', filename = 'in.jsonl'): FormPart => ({
  head: `form-data; name="${name}"; filename="${filename}"`,
  body,
});

function form(parts: readonly FormPart[], end = `--${BOUNDARY}--\r\n`): Buffer {
  const pieces = parts.flatMap(({ head, body = '' }) => [
    Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: ${head}\r\n\r\n`),
    Buffer.from(body),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from(end)]);
}

async function post(body: Buffer, contentType = `multipart/form-data; boundary=${BOUNDARY}`, key = 'key-one') {
  const headers = [
    ['authorization', `Bearer ${key}`],
    ['content-type', contentType],
  ] as const;
  const request = new RawRequest(stack.port, { method: 'POST', path: '/v1/files', headers, body });
  const { status } = await request.head;
  await request.ended;
  request.leave();
  return { status, json: JSON.parse(request.text) as Record<string, unknown> & { error?: Refusal } };
}

async function listed(query: string): Promise<Record<string, unknown>> {
  const headers = { authorization: 'Bearer key-one' };
  const response = await fetch(`${stack.baseUrl}/files?${query}`, { headers });
  return (await response.json()) as Record<string, unknown>;
}

async function remove(id: unknown, key = 'key-one'): Promise<void> {
  await sdk(key).files.delete(String(id));
}

describe('the SDK', () => {
  test('creates, finds, reads and deletes a file', async () => {
    const bytes = Buffer.from(LINE.repeat(3));
    const made = await sdk().files.create({ file: await toFile(bytes, 'ä b.jsonl'), purpose: 'batch' });
    assert.match(made.id, /^file-/);
    assert.deepEqual(
      { ...made, id: '', created_at: 0, expires_at: Number(made.expires_at) - made.created_at },
      {
        id: '',
        object: 'file',
        bytes: bytes.length,
        created_at: 0,
        expires_at: 2_592_000,
        filename: 'ä b.jsonl',
        purpose: 'batch',
        status: 'processed',
        status_details: null,
      },
    );
    assert.deepEqual(await sdk().files.retrieve(made.id), made);
    const content = await sdk().files.content(made.id);
    assert.equal(content.headers.get('content-type'), 'application/octet-stream');
    assert.equal(content.headers.get('content-length'), String(bytes.length));
    assert.equal(
      content.headers.get('content-disposition'),
      `attachment; filename="_ b.jsonl"; filename*=UTF-8''%C3%A4%20b.jsonl`,
    );
    assert.deepEqual(Buffer.from(await content.arrayBuffer()), bytes);
    assert.deepEqual(await sdk().files.delete(made.id), { id: made.id, object: 'file', deleted: true });
    await assert.rejects(sdk().files.retrieve(made.id), { status: 404, code: 'file_not_found' });
    await assert.rejects(sdk().files.delete(made.id), { status: 404, code: 'file_not_found' });
    await assert.rejects(sdk().files.content(made.id), { status: 404, code: 'file_not_found' });
  });

  test('sends streams, blobs and web files, empty ones too, and says how long they live', async () => {
    const path = join(directory, 'in.jsonl');
    writeFileSync(path, LINE.repeat(10_000));
    const expires_after = { anchor: 'created_at', seconds: 3_600 } as const;
    const made = await Promise.all([
      sdk().files.create({ file: createReadStream(path), purpose: 'batch', expires_after }),
      sdk().files.create({ file: await toFile(new Blob([LINE]), 'blob.jsonl'), purpose: 'evals' }),
      sdk().files.create({ file: new File([LINE], 'web.jsonl'), purpose: 'user_data' }),
      sdk().files.create({ file: new File([], 'empty.jsonl'), purpose: 'batch' }),
    ]);
    assert.deepEqual(
      made.map(({ filename, bytes, purpose }) => [filename, bytes, purpose]),
      [
        ['in.jsonl', LINE.length * 10_000, 'batch'],
        ['blob.jsonl', LINE.length, 'evals'],
        ['web.jsonl', LINE.length, 'user_data'],
        ['empty.jsonl', 0, 'batch'],
      ],
    );
    assert.equal(Number(made[0]?.expires_at) - Number(made[0]?.created_at), 3_600);
    const contents = await Promise.all(
      made.map(async ({ id }) => Buffer.from(await (await sdk().files.content(id)).arrayBuffer())),
    );
    assert.equal(sha(contents[0] ?? Buffer.alloc(0)), sha(readFileSync(path)));
    assert.deepEqual(
      contents.slice(1).map((bytes) => bytes.toString()),
      [LINE, LINE, ''],
    );
    for (const { id } of made) await remove(id);
  });

  test('turns pages by itself', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) {
      const purpose = i % 2 === 0 ? 'batch' : 'evals';
      ids.push((await sdk().files.create({ file: new File([`${i}`], `${i}`), purpose })).id);
    }
    const all = async (query: OpenAI.FileListParams): Promise<number[]> => {
      const found: number[] = [];
      for await (const { id } of sdk().files.list(query)) found.push(ids.indexOf(id));
      return found;
    };
    assert.deepEqual(await all({}), [6, 5, 4, 3, 2, 1, 0]);
    assert.deepEqual(await all({ limit: 2, order: 'asc' }), [0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await all({ limit: 3, order: 'desc', purpose: 'batch' }), [6, 4, 2, 0]);
    const page = await listed(`limit=2&order=asc&after=${ids[1]}`);
    assert.deepEqual([page.first_id, page.last_id, page.has_more], [ids[2], ids[3], true]);
    for (const id of ids) await remove(id);
    assert.deepEqual(await listed(''), { object: 'list', data: [], first_id: null, last_id: null, has_more: false });
  });

  test('of another key sees nothing of it', async () => {
    const { id } = await sdk().files.create({ file: new File([LINE], 'a'), purpose: 'batch' });
    const other = sdk('key-two').files;
    for (const attempt of [other.retrieve(id), other.content(id), other.delete(id)]) {
      await assert.rejects(attempt, { status: 404, code: 'file_not_found' });
    }
    assert.deepEqual((await other.list()).data, []);
    await assert.rejects(sdk('nobody').files.retrieve(id), { status: 401 });
    await assert.rejects(sdk('nobody').files.create({ file: new File([LINE], 'a'), purpose: 'batch' }), {
      status: 401,
    });
    assert.equal((await sdk().files.retrieve(id)).id, id);
    await remove(id);
  });
});

describe('holders of OIDC tokens', () => {
  test('have files of their own, from the first request on', async () => {
    const [one, two] = await Promise.all([issuer.token({ sub: 'one' }), issuer.token({ sub: 'two' })]);
    // The token is checked while the file is on its way.
    const { id } = await sdk(one).files.create({ file: new File([LINE.repeat(50_000)], 'a'), purpose: 'batch' });
    await assert.rejects(sdk(two).files.retrieve(id), { status: 404 });
    await assert.rejects(sdk().files.retrieve(id), { status: 404 });
    assert.equal((await sdk(await issuer.token({ sub: 'one' })).files.retrieve(id)).id, id);
    await remove(id, one);
  });

  test('that are not good make no file', async () => {
    const bad = await issuer.token({ aud: 'somebody else' });
    const creating = sdk(bad).files.create({ file: new File([LINE.repeat(50_000)], 'a'), purpose: 'batch' });
    await assert.rejects(creating, { status: 401 });
  });
});

describe('a large file', () => {
  /** Highest resident memory of the serving process while `work` ran, in MB. */
  async function peakWhile(work: Promise<unknown>): Promise<number> {
    const [pid] = stack.workerPids();
    let peak = 0;
    let running = true;
    work.then(
      () => {
        running = false;
      },
      () => {
        running = false;
      },
    );
    while (running) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      peak = Math.max(peak, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
      await delay(10);
    }
    await work;
    return peak;
  }

  test('goes in and comes out without ever being in memory', async () => {
    const bytes = randomBytes(120 * MB);
    const small = await sdk().files.create({ file: new File([bytes.subarray(0, MB)], 'warm'), purpose: 'batch' });
    await (await sdk().files.content(small.id)).arrayBuffer();
    const resting = await peakWhile(delay(50));
    const creating = sdk().files.create({ file: new File([bytes], 'large'), purpose: 'batch' });
    const whileUp = await peakWhile(creating);
    const { id } = await creating;
    const reading = sdk()
      .files.content(id)
      .then((response) => response.arrayBuffer());
    const whileDown = await peakWhile(reading);
    assert.equal(sha(new Uint8Array(await reading)), sha(bytes));
    const growth = { up: whileUp - resting, down: whileDown - resting };
    // What the collector has not looked at yet is some 70 MB for a file of any size.
    assert.ok(growth.up < 100 && growth.down < 100, `120 MB took ${JSON.stringify(growth)} MB more`);
    for (const made of [id, small.id]) await remove(made);
  });

  test('waits in the client, not in the gateway, when the client reads slowly', async () => {
    const bytes = randomBytes(40 * MB);
    const { id } = await sdk().files.create({ file: new File([bytes], 'large'), purpose: 'batch' });
    const resting = await peakWhile(delay(50));
    const hash = createHash('sha256');
    const headers = [['authorization', 'Bearer key-one']] as const;
    const onBody = (piece: Buffer): void => void hash.update(piece);
    const request = new RawRequest(stack.port, { path: `/v1/files/${id}/content`, headers, onBody });
    await request.until('a first piece', ({ bodyBytes }) => bodyBytes > 0);
    request.socket.pause();
    const stalled = await peakWhile(delay(300));
    assert.ok(stalled - resting < 25, `${stalled - resting} MB for a client that does not read`);
    request.socket.resume();
    assert.equal(await request.ended, 'complete');
    assert.equal(hash.digest('hex'), sha(bytes));
    request.leave();

    // One that goes in the middle costs nothing either.
    const leaving = new RawRequest(stack.port, { path: `/v1/files/${id}/content`, headers });
    await leaving.until('a first piece', ({ bodyBytes }) => bodyBytes > 0);
    leaving.leave();
    await remove(id);
  });

  test('is refused where it is larger than the largest, with or without an announced length', async () => {
    const bytes = Buffer.alloc(LARGEST + 1);
    await assert.rejects(sdk().files.create({ file: new File([bytes], 'huge'), purpose: 'batch' }), {
      status: 400,
      code: 'file_too_large',
      param: 'file',
    });
    const body = form([field('purpose', 'batch'), file(bytes)]);
    const response = await fetch(`${stack.baseUrl}/files`, {
      method: 'POST',
      headers: { authorization: 'Bearer key-one', 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: Readable.toWeb(Readable.from([body.subarray(0, 20 * MB), body.subarray(20 * MB)])) as ReadableStream,
      duplex: 'half',
    });
    const { error } = (await response.json()) as { error: Refusal };
    assert.deepEqual([response.status, error.code], [400, 'file_too_large']);
    const exact = await sdk().files.create({ file: new File([bytes.subarray(1)], 'largest'), purpose: 'batch' });
    assert.equal(exact.bytes, LARGEST);
    await remove(exact.id);
  });

  test('is refused where the key has no room, and room comes back', async () => {
    const create = (bytes: number) =>
      sdk('key-small').files.create({ file: new File([Buffer.alloc(bytes)], 'x'), purpose: 'batch' });
    const large = await create(100 * MB);
    const small = await create(38 * MB);
    await assert.rejects(create(1), { status: 400, code: 'storage_limit_exceeded' });
    await remove(small.id, 'key-small');
    const again = await create(20 * MB);
    for (const { id } of [large, again]) await remove(id, 'key-small');
  });
});

describe('a form', () => {
  test('may have its fields in any order, and others, and a preamble', async () => {
    const orders = [
      [
        field('purpose', 'evals'),
        field('expires_after[anchor]', 'created_at'),
        field('expires_after[seconds]', '7200'),
        file(),
      ],
      [
        file(),
        field('expires_after[seconds]', '7200'),
        field('expires_after[anchor]', 'created_at'),
        field('purpose', 'evals'),
      ],
      [field('other', 'ä'.repeat(100)), field('purpose', 'evals'), file(), field('expires_after[seconds]', '7200')],
    ];
    for (const parts of orders) {
      const body = Buffer.concat([Buffer.from('preamble\r\n'), form(parts), Buffer.from('epilogue')]);
      const { status, json } = await post(body);
      assert.equal(status, 200, JSON.stringify(json));
      assert.deepEqual(
        [json.purpose, Number(json.expires_at) - Number(json.created_at), json.bytes, json.filename],
        ['evals', 7_200, LINE.length, 'in.jsonl'],
      );
      const content = await sdk().files.content(String(json.id));
      assert.equal(await content.text(), LINE);
      await remove(json.id);
    }
  });

  test('keeps bytes that look like its own boundaries', async () => {
    const bytes = Buffer.from(`\r\n--${BOUNDARY.slice(0, -1)}\r\n--\r\n\r\n--x\0\xff--${BOUNDARY}`, 'latin1');
    const { json } = await post(form([file(bytes), field('purpose', 'batch')]));
    const content = Buffer.from(await (await sdk().files.content(String(json.id))).arrayBuffer());
    assert.deepEqual(content, bytes);
    await remove(json.id);
  });

  test('loses the directories of a filename, and no header comes of its name', async () => {
    const { json } = await post(form([file(LINE, 'file', '../../etc/pass"wd.jsonl'), field('purpose', 'batch')]));
    assert.ok(!String(json.filename).includes('/'), String(json.filename));
    await remove(json.id);
  });

  const wrong: readonly [string, () => Parameters<typeof post>, string, string | null][] = [
    ['no file', () => [form([field('purpose', 'batch')])], 'missing_parameter', 'file'],
    ['no purpose', () => [form([file()])], 'missing_parameter', 'purpose'],
    ['nothing at all', () => [form([])], 'missing_parameter', 'file'],
    ['an unknown purpose before the file', () => [form([field('purpose', 'fun'), file()])], 'invalid_value', 'purpose'],
    ['an unknown purpose behind the file', () => [form([file(), field('purpose', 'fun')])], 'invalid_value', 'purpose'],
    ['the purpose of outputs', () => [form([field('purpose', 'batch_output'), file()])], 'invalid_value', 'purpose'],
    ['two files', () => [form([file(), file(), field('purpose', 'batch')])], 'invalid_value', 'file'],
    ['a file of another name', () => [form([file(LINE, 'data'), field('purpose', 'batch')])], 'invalid_value', 'data'],
    ['a file as a field', () => [form([field('file', LINE), field('purpose', 'batch')])], 'invalid_value', 'file'],
    [
      'a long filename',
      () => [form([file(LINE, 'file', 'x'.repeat(600)), field('purpose', 'batch')])],
      'invalid_value',
      'file',
    ],
    [
      'too short a life',
      () => [form([file(), field('purpose', 'batch'), field('expires_after[seconds]', '3599')])],
      'invalid_value',
      'expires_after[seconds]',
    ],
    [
      'too long a life',
      () => [form([field('expires_after[seconds]', '2592001'), file(), field('purpose', 'batch')])],
      'invalid_value',
      'expires_after[seconds]',
    ],
    [
      'a life that is no number',
      () => [form([file(), field('purpose', 'batch'), field('expires_after[seconds]', '1e4')])],
      'invalid_value',
      'expires_after[seconds]',
    ],
    [
      'another anchor',
      () => [form([file(), field('purpose', 'batch'), field('expires_after[anchor]', 'now')])],
      'invalid_value',
      'expires_after[anchor]',
    ],
    [
      'a value that never ends',
      () => [form([field('purpose', 'b'.repeat(100_000)), file()])],
      'invalid_multipart',
      null,
    ],
    [
      'a field name that never ends',
      () => [form([field('x'.repeat(100_000), '1'), field('purpose', 'batch')])],
      'missing_parameter',
      'file',
    ],
    [
      'a hundred fields',
      () => [form([...Array.from({ length: 100 }, (_, i) => field(`f${i}`, '1')), file()])],
      'invalid_multipart',
      null,
    ],
    ['no end', () => [form([field('purpose', 'batch'), file()], '')], 'invalid_multipart', null],
    [
      'an end in the middle of the file',
      () => [form([field('purpose', 'batch'), file(randomBytes(MB))]).subarray(0, 900_000)],
      'invalid_multipart',
      null,
    ],
    ['no form in it', () => [Buffer.from(LINE.repeat(5_000))], 'invalid_multipart', null],
    ['another boundary', () => [form([file()]), 'multipart/form-data; boundary=other'], 'invalid_multipart', null],
    ['no boundary', () => [form([file()]), 'multipart/form-data'], 'invalid_content_type', null],
    ['an empty boundary', () => [form([file()]), 'multipart/form-data; boundary='], 'invalid_multipart', null],
    ['another type', () => [Buffer.from('{}'), 'application/json'], 'invalid_content_type', null],
    ['no type', () => [Buffer.from('{}'), ''], 'invalid_content_type', null],
  ];
  for (const [what, body, code, param] of wrong) {
    test(`with ${what} is refused`, async () => {
      const { status, json } = await post(...body());
      assert.deepEqual([status, json.error?.code, json.error?.param], [400, code, param], JSON.stringify(json));
    });
  }

  test('without a body is refused', async () => {
    const { status, json } = await post(Buffer.alloc(0));
    assert.deepEqual([status, json.error?.code], [400, 'invalid_multipart']);
  });
});

describe('a client', () => {
  test('that leaves in the middle of its upload leaves nothing', async () => {
    const whole = form([field('purpose', 'batch'), file(randomBytes(20 * MB))]);
    const request = new RawRequest(stack.port, {
      method: 'POST',
      path: '/v1/files',
      headers: [
        ['authorization', 'Bearer key-one'],
        ['content-type', `multipart/form-data; boundary=${BOUNDARY}`],
        ['content-length', String(whole.length)],
      ],
    });
    request.head.catch(() => undefined);
    request.socket.write(whole.subarray(0, 10 * MB));
    while ((await redis.keys('hg:{file:*')).length < 4) await delay(5);
    assert.deepEqual((await sdk().files.list()).data, []);
    request.leave();
    // What is left of it, `afterEach` sees.
  });

  test('that sends byte by byte is understood', async () => {
    const whole = form([file('{"a":1}'), field('purpose', 'batch')]);
    const request = new RawRequest(stack.port, {
      method: 'POST',
      path: '/v1/files',
      headers: [
        ['authorization', 'Bearer key-one'],
        ['content-type', `multipart/form-data; boundary=${BOUNDARY}`],
        ['content-length', String(whole.length)],
      ],
    });
    for (const byte of whole) {
      request.socket.write(Buffer.of(byte));
      await new Promise((next) => setImmediate(next));
    }
    assert.equal((await request.head).status, 200);
    await request.ended;
    request.leave();
    await remove((JSON.parse(request.text) as { id: string }).id);
  });

  test('that asks wrongly is told what is wrong', async () => {
    const ask = async (path: string, method = 'GET') => {
      const response = await fetch(`${stack.baseUrl}${path}`, { method, headers: { authorization: 'Bearer key-one' } });
      const { error } = (await response.json()) as { error: Refusal };
      return [response.status, error.code, error.param];
    };
    assert.deepEqual(await ask('/files?limit=0'), [400, 'invalid_value', 'limit']);
    assert.deepEqual(await ask('/files?limit=10001'), [400, 'invalid_value', 'limit']);
    assert.deepEqual(await ask('/files?limit=ten'), [400, 'invalid_value', 'limit']);
    assert.deepEqual(await ask('/files?order=up'), [400, 'invalid_value', 'order']);
    assert.deepEqual(await ask('/files?purpose=fun'), [400, 'invalid_value', 'purpose']);
    assert.deepEqual(await ask('/files?after=file-x'), [400, 'invalid_value', 'after']);
    assert.deepEqual(await ask('/files/file-x'), [404, 'file_not_found', 'id']);
    assert.deepEqual(await ask('/files/%00%7D'), [404, 'file_not_found', 'id']);
    assert.deepEqual(await ask('/files', 'PUT'), [405, 'method_not_allowed', null]);
    assert.deepEqual(await ask('/files/file-x', 'POST'), [405, 'method_not_allowed', null]);
  });

  test('that has used up its requests is refused before its file is stored', async () => {
    const body = form([field('purpose', 'batch'), file()]);
    const first = await post(body, undefined, 'key-slow');
    assert.equal(first.status, 200);
    await assert.rejects(sdk('key-slow').files.create({ file: new File([LINE], 'x'), purpose: 'batch' }), {
      status: 429,
    });
    // Looking and deleting are not counted.
    assert.equal((await sdk('key-slow').files.list()).data.length, 1);
    await remove(first.json.id, 'key-slow');
  });

  test('in a browser may delete', async () => {
    const origin = { origin: 'https://app.example.com' };
    const preflight = await fetch(`${stack.baseUrl}/files/file-x`, { method: 'OPTIONS', headers: origin });
    assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /DELETE/);
    const list = await fetch(`${stack.baseUrl}/files`, { headers: { ...origin, authorization: 'Bearer key-one' } });
    assert.equal(list.headers.get('access-control-allow-origin'), '*');
    assert.ok(list.headers.get('x-request-id'));
    await list.arrayBuffer();
  });

  test('hears of it when Redis is away, and is served when it is back', async () => {
    const { id } = await sdk().files.create({ file: new File([LINE], 'a'), purpose: 'batch' });
    stack.redis.pause();
    try {
      await assert.rejects(sdk().files.retrieve(id), { status: 503, code: 'files_unavailable' });
      await assert.rejects(sdk().files.create({ file: new File([LINE], 'b'), purpose: 'batch' }), { status: 503 });
    } finally {
      stack.redis.resume();
    }
    while (
      !(await sdk()
        .files.retrieve(id)
        .catch(() => null))
    )
      await delay(20);
    for await (const made of sdk().files.list()) await remove(made.id);
    // Redis has begun the second upload without an answer, and ended it behind that; only the note that there might be bytes
    // is left, for the next sweep.
    for (const key of await redis.keys('hg:{files:*:garbage')) await redis.del(key);
  });
});
