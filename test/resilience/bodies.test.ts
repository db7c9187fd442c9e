import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Stack, startStack } from '../support/stack.ts';
import { type ChatResult, chat, question, readChat } from './chat-client.ts';
import { configuration, targetOf } from './configuration.ts';
import { eventually, idle, metrics, residentMb, total } from './observe.ts';
import { RawRequest } from './raw-http.ts';

const MAX_BODY = 33_554_432;
const MB = 1_000_000;

let stack: Stack;
let workers: readonly number[];

before(async () => {
  stack = await startStack({ config: ([simulator]) => configuration(simulator) });
  workers = stack.workerPids();
});

after(async () => {
  assert.deepEqual(stack.workerPids(), workers, 'no process has died of anything here');
  await stack.stop();
});

/** Sends these bytes as they are. */
function send(body: string | Buffer, headers: readonly (readonly [string, string])[] = []): RawRequest {
  return new RawRequest(stack.port, {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: [['authorization', `Bearer ${stack.key}`], ['content-type', 'application/json'], ...headers],
    body,
  });
}

const answerTo = (body: string | Buffer, headers: readonly (readonly [string, string])[] = []): Promise<ChatResult> =>
  readChat(send(body, headers));

/** A PNG's first bytes are enough for the simulator; behind them stands what nobody looks at. */
function image(bytes: number): string {
  const png = Buffer.alloc(bytes, 0x5a);
  Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(png);
  return `data:image/png;base64,${png.toString('base64')}`;
}

const withImage = (bytes: number, directives: string): string =>
  JSON.stringify({
    model: 'test/one',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: `[[sim tokens=5 ${directives}]] What is on it?` },
          { type: 'image_url', image_url: { url: image(bytes) } },
        ],
      },
    ],
    temperature: 0.5,
  });

test('a body of 30 MB reaches the provider byte for byte, and is not parsed as a whole', async () => {
  const body = withImage(22_400_000, 'ttft=1500');
  assert.ok(body.length > 29 * MB && body.length < MAX_BODY);
  const sent = body.replace('"model":"test/one"', '"model":"one"');
  const since = await stack.simulator().lastSeq();
  const heapBefore = total(await metrics(stack), 'nodejs_heap_used_bytes');
  const request = send(body);
  const [received] = await stack.simulator().received({ since }, 1, 15_000);
  // The answer is still to come, so whatever the request holds is held now.
  const heap = total(await metrics(stack), 'nodejs_heap_used_bytes');
  assert.ok(heap - heapBefore < 15 * MB, `the heap grew by ${heap - heapBefore} bytes`);
  assert.equal(received?.bodyBytes, Buffer.byteLength(sent));
  assert.equal(received.bodySha256, createHash('sha256').update(sent).digest('hex'));
  const answer = await readChat(request);
  assert.equal(answer.status, 200, answer.raw);
});

test('large bodies one after the other do not pile up', async () => {
  const body = withImage(15 * MB, '');
  const [pid] = workers;
  assert.ok(pid);
  for (let i = 0; i < 3; i++) assert.equal((await answerTo(body)).status, 200);
  const before = residentMb(pid);
  for (let i = 0; i < 6; i++) assert.equal((await answerTo(body)).status, 200);
  assert.ok(residentMb(pid) - before < 80, `memory grew from ${before} to ${residentMb(pid)} MB`);
});

test('a body beyond the cap is 413, announced or not, and nothing reaches a provider', async () => {
  const since = await stack.simulator().lastSeq();
  const announced = send('{', [['content-length', String(MAX_BODY + 1)]]);
  assert.equal((await announced.head).status, 413, 'refused by its announcement');
  await announced.ended;
  assert.equal((JSON.parse(announced.text) as { error: { code: string } }).error.code, 'request_too_large');
  announced.leave();

  const chunked = send('', [['transfer-encoding', 'chunked']]);
  const piece = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x100000, 0x20), Buffer.from('\r\n')]);
  let refused = false;
  void chunked.head.then(() => {
    refused = true;
  });
  let written = 0;
  while (!refused && written < 3 * MAX_BODY && chunked.socket.writable) {
    written += 0x100000;
    if (!chunked.socket.write(piece)) await Promise.race([once(chunked.socket, 'drain'), chunked.head]);
    await nextTurn();
  }
  assert.equal((await chunked.head).status, 413);
  assert.ok(written > MAX_BODY && written < 2 * MAX_BODY, `refused after ${written} bytes`);
  chunked.leave();
  await idle(stack);
  assert.deepEqual(await stack.simulator().requests({ since }), []);
});

test('a chunked body within the cap is as good as any', async () => {
  const body = JSON.stringify({ model: 'test/one', messages: question('[[sim text=chunked]] hello') });
  const request = send('', [['transfer-encoding', 'chunked']]);
  for (let at = 0; at < body.length; at += 7) {
    const piece = body.slice(at, at + 7);
    request.socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    await nextTurn();
  }
  request.socket.write('0\r\n\r\n');
  const answer = await readChat(request);
  assert.equal(answer.status, 200, answer.raw);
  assert.equal(answer.text, 'chunked');
});

test('a request that drips byte by byte is read like any other', async () => {
  const body = JSON.stringify({ model: 'test/one', messages: question('[[sim text=dripped]] hällo 🚢') });
  const slowly = send('', [['content-length', String(Buffer.byteLength(body))]]);
  for (const byte of Buffer.from(body)) {
    slowly.socket.write(Buffer.of(byte));
    await nextTurn();
  }
  const answer = await readChat(slowly);
  assert.equal(answer.status, 200, answer.raw);
  assert.equal(answer.text, 'dripped');
});

/** Parameters of a tool may hold anything; these are two objects a level. */
function nested(depth: number): string {
  const open = '{"type":"object","properties":{"x":';
  const parameters = `${open.repeat(depth)}{"type":"string"}${'}}'.repeat(depth)}`;
  const tool = `{"type":"function","function":{"name":"f","parameters":${parameters}}}`;
  const messages = JSON.stringify(question('[[sim calls=0 text=deep]] hello'));
  return `{"model":"test/one","messages":${messages},"tools":[${tool}]}`;
}

test('nesting: 200 levels pass, 100,000 are a clean 400, closed or not', async () => {
  const deep = await answerTo(nested(100));
  assert.equal(deep.status, 200, deep.raw);
  assert.equal(deep.text, 'deep');
  for (const body of [
    nested(50_000),
    `{"model":"test/one","messages":${'['.repeat(MB)}`,
    '['.repeat(MB),
    '{"a":'.repeat(MB),
  ]) {
    const answer = await answerTo(body);
    assert.equal(answer.status, 400, answer.raw);
    assert.match(answer.errors[0]?.code ?? '', /^(nesting_too_deep|invalid_json)$/);
  }
});

test('bodies made to be expensive are answered, and others are served meanwhile', async () => {
  const message = '{"role":"user","content":"x"}';
  const start = `{"model":"test/one","messages":[${message}]`;
  const bodies = {
    'many top-level keys': `${start}${Array.from({ length: 60_000 }, (_, i) => `,"k${i}":1`).join('')}}`,
    'many keys inside': `${start},"metadata":{${Array.from({ length: 60_000 }, (_, i) => `"k${i}":"1"`).join(',')}}}`,
    'one key many times': `{"messages":[${message}]${',"model":"test/one"'.repeat(60_000)}}`,
    'many messages that are none': `{"model":"test/one","messages":[${Array(100_000).fill('{}').join(',')}]}`,
    'many line breaks in a string': `{"model":"test/one","messages":[{"role":"user","content":"${'\n'.repeat(2 * MB)}"}]}`,
    'many escapes': `{"model":"test/one","messages":[{"role":"user","content":"${'\\\\'.repeat(MB)}"}]}`,
    'a number without end': `{"model":"test/one","messages":[],"seed":${'9'.repeat(MB)}}`,
    'a string without end': `{"model":"test/one","messages":"${'a'.repeat(MB)}`,
  };
  const answers = await Promise.all([
    ...Object.entries(bodies).map(async ([what, body]) => ({ what, status: (await answerTo(body)).status })),
    ...Array.from({ length: 5 }, async () => ({
      what: 'another',
      status: (await chat(targetOf(stack), { model: 'test/one', messages: question('[[sim tokens=3]] hello') })).status,
    })),
  ]);
  for (const { what, status } of answers) {
    assert.ok(what === 'another' ? status === 200 : status === 200 || status === 400, `${what}: ${status}`);
  }
});

test('what is no valid request is a 400 that says so, and never reaches a provider', async () => {
  const since = await stack.simulator().lastSeq();
  const bodies: readonly (readonly [body: string | Buffer, code: string])[] = [
    ['', 'empty_body'],
    ['   ', 'invalid_json'],
    ['{"model":"test/one","messages":[{"role":"user","content":"x"}]', 'invalid_json'],
    ['{"model":"test/one"} {"model":"test/one"}', 'invalid_json'],
    [Buffer.from('{"model":"test/one","messages":[{"role":"user","content":"\xff\xfe"}]}', 'latin1'), 'invalid_json'],
    [Buffer.from('{"model":"test/one\xc3","messages":[{"role":"user","content":"x"}]}', 'latin1'), 'invalid_json'],
    [Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(100)]), 'invalid_json'],
    ['{"model":"test/one","messages":[{"role":"user","content":"\u0000"}]}', 'invalid_json'],
    ['null', 'invalid_type'],
    ['[]', 'invalid_type'],
    ['{"messages":[{"role":"user","content":"x"}]}', 'missing_parameter'],
  ];
  for (const [body, code] of bodies) {
    const answer = await answerTo(body, body === '' ? [['content-length', '0']] : []);
    assert.equal(answer.status, 400, `${body}: ${answer.raw}`);
    assert.equal(answer.errors[0]?.type, 'invalid_request_error');
    assert.equal(answer.errors[0]?.code, code, String(body));
  }
  assert.deepEqual(await stack.simulator().requests({ since }), []);
  await eventually('idle', async () => total(await metrics(stack), 'gateway_requests_in_flight') === 0);
});
