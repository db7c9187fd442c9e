import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { MINI, SONNET } from '../gateway.ts';
import { tinyPng } from '../media.ts';
import { type Bench, KEYS, onlyBody, REPLAYED } from './bench.ts';
import { MAX_BODY_BYTES, ORIGIN } from './start-bench.ts';

interface ErrorAnswer {
  readonly error: { readonly message: string; readonly type: string; readonly param: unknown; readonly code: unknown };
}

const hello = { model: MINI, messages: [{ role: 'user', content: 'Hello.' }] };

/** What plain HTTP shows: paths, methods, bodies, browsers. */
export function httpTests(bench: () => Bench): void {
  async function refused(response: Response, status: number, type: string, code: string | null): Promise<ErrorAnswer> {
    const text = await response.text();
    assert.equal(response.status, status, text);
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
    assert.ok(response.headers.get('x-request-id'));
    const answer = JSON.parse(text) as ErrorAnswer;
    assert.deepEqual(Object.keys(answer.error).sort(), ['code', 'message', 'param', 'type']);
    assert.deepEqual([answer.error.type, answer.error.code], [type, code], text);
    return answer;
  }

  test('a missing model gives the very error that the seed shows', async () => {
    const response = await bench().chat({ messages: hello.messages });
    assert.equal(response.status, 400);
    assert.deepEqual(await response.json(), {
      error: {
        message: "Invalid request: missing required parameter 'model'",
        type: 'invalid_request_error',
        param: 'model',
        code: 'missing_parameter',
      },
    });
  });

  test('unknown paths are 404, wrong methods 405 with Allow', async () => {
    for (const path of ['/', '/v1', '/v1/', '/v1/chat', '/v1/chat/completions/x', '/v2/models']) {
      await refused(await bench().fetch(path), 404, 'not_found', 'unknown_path');
    }
    const wrong: readonly [string, string, string][] = [
      ['GET', '/v1/chat/completions', 'POST'],
      ['DELETE', '/v1/chat/completions', 'POST'],
      ['POST', '/v1/models', 'GET'],
      ['PUT', `/v1/models/${SONNET}`, 'GET'],
      ['POST', '/health/live', 'GET'],
    ];
    for (const [method, path, allowed] of wrong) {
      const response = await bench().fetch(path, { method });
      assert.match(response.headers.get('allow') ?? '', new RegExp(`\\b${allowed}\\b`));
      await refused(response, 405, 'method_not_allowed', 'method_not_allowed');
    }
  });

  test('a body that is empty, no JSON, no object or no UTF-8 is a 400', async () => {
    const send = (body: string | Uint8Array<ArrayBuffer>) =>
      bench().fetch('/v1/chat/completions', { method: 'POST', body });
    await refused(await send(''), 400, 'invalid_request_error', 'empty_body');
    for (const text of ['{', '{"model": "x",}', 'model=x', '{"model": "x"} {}', '{"a": nul}']) {
      await refused(await send(text), 400, 'invalid_request_error', 'invalid_json');
    }
    await refused(await send(Uint8Array.of(0x22, 0xff, 0x22)), 400, 'invalid_request_error', 'invalid_json');
    for (const text of ['[]', '"text"', '12', 'null']) {
      await refused(await send(text), 400, 'invalid_request_error', 'invalid_type');
    }
  });

  test('a body over the limit is a 413, announced or not', async () => {
    const large = JSON.stringify({ ...hello, pad: 'x'.repeat(MAX_BODY_BYTES) });
    await refused(await bench().chat(large), 413, 'request_too_large', 'request_too_large');
    const announced = await rawHead(bench(), [
      'POST /v1/chat/completions HTTP/1.1',
      `content-length: ${MAX_BODY_BYTES + 1}`,
    ]);
    assert.match(announced, /^HTTP\/1\.1 413 /);
    const fits = JSON.stringify({ ...hello, user: 'x'.repeat(MAX_BODY_BYTES / 2) });
    assert.equal((await bench().chat(fits)).status, 200);
  });

  test('JSON under another content type, or none, is read all the same', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-8', '']) {
      const body = Buffer.from(JSON.stringify(hello));
      const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
      const response = await bench().fetch('/v1/chat/completions', { method: 'POST', body, headers });
      assert.equal(response.status, 200, type);
    }
  });

  test('browsers get their preflight and may read what they need', async () => {
    const preflight = await bench().fetch('/v1/chat/completions', {
      method: 'OPTIONS',
      key: null,
      headers: {
        origin: ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-stainless-lang,x-stainless-retry-count',
      },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get('access-control-allow-origin'), ORIGIN);
    assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /POST/);
    const allowed = preflight.headers.get('access-control-allow-headers') ?? '';
    for (const name of ['authorization', 'content-type', 'x-stainless-lang', 'x-stainless-retry-count']) {
      assert.ok(allowed.toLowerCase().includes(name), allowed);
    }
    for (const response of [
      await bench().chat(hello, { headers: { origin: ORIGIN } }),
      await bench().chat({ ...hello, stream: true }, { headers: { origin: ORIGIN } }),
      await bench().chat(hello, { headers: { origin: ORIGIN }, key: null }),
    ]) {
      await response.text();
      assert.equal(response.headers.get('access-control-allow-origin'), ORIGIN);
      assert.match(response.headers.get('access-control-expose-headers') ?? '', /x-request-id.*x-generation-id/);
      assert.match(response.headers.get('vary') ?? '', /origin/i);
    }
    const foreign = await bench().chat(hello, { headers: { origin: 'https://evil.example.net' } });
    assert.equal(foreign.headers.get('access-control-allow-origin'), null);
  });

  test('a key’s models hold whatever the body’s spelling: what is checked is what is sent', async () => {
    const messages = JSON.stringify(hello.messages);
    const forbidden: readonly string[] = [
      `{"model":"${MINI}","model":"${SONNET}","messages":${messages}}`,
      `{"model":"${MINI}","mod\\u0065l":"${SONNET}","messages":${messages}}`,
      `{"mod\\u0065l":"${SONNET}","messages":${messages}}`,
    ];
    for (const body of forbidden) {
      const { result, received } = await bench().during(() => bench().chat(body, { key: KEYS.openaiOnly }));
      await refused(result, 403, 'forbidden', 'model_not_allowed');
      assert.equal(received.length, 0);
    }
    // The provider must read the same model out of it as we did, whichever of the two its parser takes.
    const { replay } = bench();
    const allowed: readonly string[] = [
      `{"model":"${SONNET}","model":"${REPLAYED}","messages":${messages}}`,
      `{"mod\\u0065l":"${SONNET}","messages":${messages},"model":"${REPLAYED}"}`,
      `{"model":"${SONNET}","messages":${messages},"mod\\u0065l":"${REPLAYED}"}`,
      `{"model":"${SONNET}","messages":[],"messages":${messages},"model":"${REPLAYED}"}`,
    ];
    const text = { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hello.' } };
    const answer = { id: 'x', object: 'chat.completion', created: 1, model: 'recorded', choices: [text] };
    replay.answerWith({
      status: 200,
      headers: { 'content-type': 'application/json' },
      pieces: [Buffer.from(JSON.stringify(answer))],
    });
    for (const body of allowed) {
      const response = await bench().chat(body);
      assert.equal(response.status, 200, await response.text());
      assert.doesNotMatch(replay.lastBody, /claude|\\u0065/);
      assert.equal(replay.lastBody.match(/"model"/g)?.length, 1);
      assert.equal(replay.lastBody.match(/"messages"/g)?.length, 1);
      assert.equal(JSON.parse(replay.lastBody).model, 'recorded');
    }
  });

  test('line breaks that a shell leaves in strings do no harm, in small bodies and large', async () => {
    const picture = Buffer.concat([tinyPng(), Buffer.alloc(60_000, 7)]);
    for (const bytes of [tinyPng(), picture]) {
      const wrapped = bytes.toString('base64').replace(/.{76}/g, '$&\n');
      const url = `"url":"data:image/png;base64,${wrapped}"`;
      const content = `[{"type":"text","text":"two\nlines"},{"type":"image_url","image_url":{${url}}}]`;
      const body = `{"model":"${MINI}","messages":[{"role":"user","content":${content}}]}`;
      const { result, received } = await bench().during(() => bench().chat(body));
      assert.equal(result.status, 200, await result.text());
      assert.deepEqual(onlyBody(received).messages, [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'two\nlines' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${bytes.toString('base64')}` } },
          ],
        },
      ]);
    }
  });

  test('deep nesting and long conversations survive', async () => {
    const nested = '['.repeat(200) + ']'.repeat(200);
    const deep = `{"model":"${MINI}","messages":[{"role":"user","content":"[[sim lenient]]Hi."}],"deep":${nested}}`;
    assert.equal((await bench().chat(deep)).status, 200);
    const tooDeep = '['.repeat(100_000) + ']'.repeat(100_000);
    await refused(await bench().chat(deep.replace(nested, tooDeep)), 400, 'invalid_request_error', 'nesting_too_deep');
    const messages = Array.from({ length: 2_000 }, (_, i) => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content: `turn ${i}`,
    }));
    const { received } = await bench().during(() => bench().chat({ model: MINI, messages }));
    assert.deepEqual(onlyBody(received).messages, messages);
  });

  test('many requests at once each get their own answer', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const response = await bench().chat({ ...hello, messages: [{ role: 'user', content: `[[sim text=n${i}]]` }] });
        const { id, choices } = (await response.json()) as { id: string; choices: { message: { content: string } }[] };
        assert.equal(choices[0]?.message.content, `n${i}`);
        return id;
      }),
    );
    assert.equal(new Set(ids).size, 20);
  });
}

/** Sends only a head and returns the answer's beginning. */
function rawHead({ stack }: Bench, lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(stack.port, '127.0.0.1', () => {
      socket.write([...lines, 'host: headgate', `authorization: Bearer ${stack.key}`, '', ''].join('\r\n'));
    });
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
