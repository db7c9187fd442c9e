import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { BatchEndpoint } from './contract.ts';
import { inputLines } from './input-lines.ts';
import { isProblem, readLine } from './line-request.ts';
import { areProblems, type BatchCaps, validate } from './validation.ts';

const CAPS: BatchCaps = { lineBytes: 2_000, requests: 50_000, embeddingInputs: 50_000 };
const SIZE = { requests: 50, bytes: 1_000_000 };

const request = (id: string, more: object = {}, body: object = {}): string =>
  JSON.stringify({
    custom_id: id,
    method: 'POST',
    url: '/v1/embeddings',
    body: { model: 'a/b', input: 'x', ...body },
    ...more,
  });

async function* inPieces(text: string | Buffer, size = 7): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  const piece = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    // The same memory again, as readers of files do.
    const length = bytes.copy(piece, 0, at, at + size);
    yield piece.subarray(0, length);
  }
}

const check = (
  text: string | Buffer,
  options: { endpoint?: BatchEndpoint; caps?: Partial<BatchCaps>; size?: number } = {},
) => validate(inPieces(text, options.size), options.endpoint ?? '/v1/embeddings', { ...CAPS, ...options.caps }, SIZE);

async function problemsOf(
  ...given: Parameters<typeof check>
): Promise<readonly (readonly [string, number | null, string | null])[]> {
  const found = await check(...given);
  assert.ok(areProblems(found), 'nothing was found');
  for (const { message } of found) assert.ok(message.length > 20);
  return found.map(({ code, line, param }) => [code, line, param]);
}

describe('lines of a file', () => {
  it('are the same however it is cut', async () => {
    const line = fc.stringMatching(/^[ -~äß€😀]{0,30}$/u);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n')), { maxLength: 8 }),
        line,
        fc.boolean(),
        fc.integer({ min: 1, max: 40 }),
        async (lines, last, bom, size) => {
          const text = `${bom ? '\uFEFF' : ''}${lines.map(([said, end]) => said + end).join('')}${last}`;
          const bytes = Buffer.from(text);
          const found: string[] = [];
          for await (const one of inputLines(inPieces(bytes, size), 200)) {
            found.push(`${one.number}:${one.bytes}`);
            const own = bytes
              .subarray(one.from, one.to)
              .toString()
              .replace(/\r?\n$/, '');
            assert.equal(own.replace(/^\uFEFF/, ''), String(one.bytes));
          }
          const expected = [...lines.map(([said]) => said), last].map((said, at) => `${at + 1}:${said}`);
          assert.deepEqual(
            found,
            expected.filter((one) => !/^\d+:[ \t]*$/.test(one)),
          );
        },
      ),
    );
  });

  it('longer than allowed are told of, and not held', async () => {
    const text = `${'a'.repeat(100)}\n${'b'.repeat(101)}\n${'c'.repeat(5_000)}\nd\n${'e'.repeat(300)}`;
    const found: [number, number | undefined][] = [];
    for await (const { number, bytes } of inputLines(inPieces(text, 64), 100)) found.push([number, bytes?.length]);
    assert.deepEqual(found, [
      [1, 100],
      [2, undefined],
      [3, undefined],
      [4, 1],
      [5, undefined],
    ]);
  });

  it('are never lost at the limit, whatever their end and however they come', async () => {
    for (const length of [9, 10, 11, 12]) {
      for (const end of ['', '\n', '\r\n']) {
        for (let size = 1; size <= 14; size++) {
          const found: (number | undefined)[] = [];
          const text = Buffer.from(`${'a'.repeat(length)}${end}`);
          for await (const { bytes } of inputLines(inPieces(text.toString(), size), 10)) found.push(bytes?.length);
          assert.deepEqual(found, [length <= 10 ? length : undefined], JSON.stringify([length, end, size]));
        }
      }
    }
  });

  it('can be read from the middle', async () => {
    const text = 'one\ntwo\n\nthree\n';
    const found: string[] = [];
    for await (const { number, from, bytes } of inputLines(inPieces(text.slice(4)), 100, { from: 4, firstLine: 2 })) {
      found.push(`${number} ${from} ${bytes}`);
    }
    assert.deepEqual(found, ['2 4 two', '4 9 three']);
  });
});

describe('a file of requests', () => {
  it('that is well is cut into shards that hold each line once', async () => {
    const lines = Array.from({ length: 123 }, (_, at) => request(`r${at}`));
    for (const [text, size] of [
      [`${lines.join('\n')}\n`, 7],
      [`\n${lines.join('\r\n\r\n')}`, 1_000],
    ] as const) {
      const found = await check(text, { size });
      assert.ok(!areProblems(found));
      assert.deepEqual([found.total, found.model, found.shards.length], [123, 'a/b', 3]);
      assert.deepEqual(
        found.shards.map(({ number, requests }) => [number, requests]),
        [
          [0, 50],
          [1, 50],
          [2, 23],
        ],
      );
      const bytes = Buffer.from(text);
      const ids: string[] = [];
      for (const { from, to, firstLine, requests } of found.shards) {
        let count = 0;
        for await (const line of inputLines(inPieces(bytes.subarray(from, to)), 1_000, { from, firstLine })) {
          ids.push(JSON.parse(String(line.bytes)).custom_id);
          count++;
        }
        assert.equal(count, requests);
      }
      assert.deepEqual(
        ids,
        lines.map((_, at) => `r${at}`),
      );
    }
  });

  it('that is large is cut by its bytes', async () => {
    const text = Array.from({ length: 20 }, (_, at) => request(`r${at}`, {}, { input: 'x'.repeat(900) })).join('\n');
    const found = await validate(inPieces(text, 4_096), '/v1/embeddings', CAPS, { requests: 50, bytes: 4_000 });
    assert.ok(!areProblems(found));
    assert.deepEqual(
      found.shards.map(({ requests }) => requests),
      [4, 4, 4, 4, 4],
    );
  });

  it('names no model where there are several', async () => {
    const found = await check([request('a'), request('b', {}, { model: 'c/d' })].join('\n'));
    assert.ok(!areProblems(found));
    assert.equal(found.model, null);
  });

  it('that has nothing in it', async () => {
    for (const text of ['', '\n', ' \r\n\n']) assert.deepEqual(await problemsOf(text), [['empty_file', null, null]]);
  });

  it('with a line of brackets: it is told, and harms no other', async () => {
    const nested = (levels: number): string =>
      request('n').replace(/"input":[^}]*/, `"input":"x","z":${'['.repeat(levels)}${']'.repeat(levels)}`);
    const options = { caps: { lineBytes: 1_000_000 }, size: 65_536 };
    for (const levels of [1_001, 5_000, 100_000]) {
      assert.deepEqual(await problemsOf(`${request('ok')}\n${nested(levels)}`, options), [
        ['nesting_too_deep', 2, null],
      ]);
    }
  });

  it('whose requests reach their runner as they were written', () => {
    const body = '{ "model":"a/b","input":"\\u00e9","seed":12345678901234567890,"t":1.0 }';
    const line = Buffer.from(` {"custom_id":"a","body":{},"method":"POST","url":"/v1/embeddings","body":${body} }`);
    const read = readLine(line, '/v1/embeddings');
    assert.ok(!isProblem(read));
    assert.equal(read.json.toString(), body);
  });

  it('with lines that are wrong: all of them are told, by their numbers', async () => {
    const without = (name: string): string => JSON.stringify({ ...JSON.parse(request('w')), [name]: undefined });
    const text = [
      request('ok'),
      '{"custom_id": "b",',
      '[1]',
      without('custom_id'),
      without('method'),
      without('url'),
      without('body'),
      request('c', { custom_id: 7 }),
      request('d', { method: 'GET' }),
      request('e', { url: '/v1/chat/completions' }),
      request('f', { body: 'x' }),
      request('g', {}, { model: undefined }),
      request('h', {}, { model: 7 }),
      request('i', {}, { stream: true }),
      request('ok'),
      request('j', {}, { input: 'y'.repeat(3_000) }),
      request('k', { custom_id: 'k'.repeat(600) }),
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]).toString('latin1'),
    ].join('\n');
    const bytes = Buffer.from(text);
    bytes[bytes.length - 3] = 0xff;
    assert.deepEqual(await problemsOf(bytes), [
      ['invalid_json_line', 2, null],
      ['invalid_json_line', 3, null],
      ['missing_required_parameter', 4, 'custom_id'],
      ['missing_required_parameter', 5, 'method'],
      ['missing_required_parameter', 6, 'url'],
      ['missing_required_parameter', 7, 'body'],
      ['invalid_custom_id', 8, 'custom_id'],
      ['invalid_method', 9, 'method'],
      ['invalid_url', 10, 'url'],
      ['invalid_body', 11, 'body'],
      ['missing_required_parameter', 12, 'body.model'],
      ['invalid_model', 13, 'body.model'],
      ['stream_unsupported', 14, 'body.stream'],
      ['duplicate_custom_id', 15, 'custom_id'],
      ['line_too_long', 16, null],
      ['invalid_custom_id', 17, 'custom_id'],
      ['invalid_json_line', 18, null],
    ]);
  });

  it('that is too large in the number of its requests or inputs', async () => {
    const three = ['a', 'b', 'c'].map((id) => request(id, {}, { input: ['x', 'y'] })).join('\n');
    assert.deepEqual(await problemsOf(three, { caps: { requests: 2 } }), [['too_many_requests', 3, null]]);
    assert.deepEqual(await problemsOf(three, { caps: { embeddingInputs: 5 } }), [['too_many_inputs', 3, 'body.input']]);
    const ids = [request('a', {}, { input: [1, 2, 3] }), request('b', {}, { input: [[1, 2], [3]] })].join('\n');
    assert.ok(!areProblems(await check(ids, { caps: { embeddingInputs: 3 } })));
  });

  it('does not say more than a hundred times what is wrong', async () => {
    assert.equal((await problemsOf(Array.from({ length: 300 }, () => 'x').join('\n'))).length, 100);
  });
});
