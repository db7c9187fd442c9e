import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';
import { type Simulator, startSimulator } from '../../server.ts';
import { requestRaw } from '../../testing/rawRequest.ts';

const contents = [{ role: 'user', parts: [{ text: 'Hello' }] }];

describe('faults in the dialect of Google', () => {
  let simulator: Simulator;
  let client: GoogleGenAI;
  before(async () => {
    simulator = await startSimulator();
    client = new GoogleGenAI({ apiKey: 'AIza-test-key', httpOptions: { baseUrl: simulator.url } });
  });
  after(() => simulator.close());

  const raw = (directives: string, alt = '?alt=sse') =>
    requestRaw(simulator.port, {
      path: `/v1beta/models/gemini-2.5-flash${directives}:streamGenerateContent${alt}`,
      headers: { 'x-goog-api-key': 'k' },
      body: { contents },
    });
  const textsIn = (body: string) => [...body.matchAll(/"text":"[^"]/g)].length;

  it("fails with Google's codes, statuses and details", async () => {
    for (const [directives, code, status] of [
      ['+error=rate_limit', 429, 'RESOURCE_EXHAUSTED'],
      ['+error=overloaded', 503, 'UNAVAILABLE'],
      ['+error=server', 500, 'INTERNAL'],
      ['+error=context_length', 400, 'INVALID_ARGUMENT'],
      ['+error=invalid_key', 400, 'INVALID_ARGUMENT'],
      ['+error=forbidden', 403, 'PERMISSION_DENIED'],
      ['+error=model_not_found', 404, 'NOT_FOUND'],
      ['+status=504', 504, 'DEADLINE_EXCEEDED'],
    ] as const) {
      const error = await client.models
        .generateContent({ model: `gemini-2.5-flash${directives}`, contents })
        .then(() => assert.fail('It should have failed.'))
        .catch((cause: unknown) => cause);
      assert.ok(error instanceof ApiError, directives);
      assert.equal(error.status, code, directives);
      assert.equal(JSON.parse(error.message).error.status, status, directives);
    }
    const { body, head } = await raw('+error=quota+retry-after=34.4');
    assert.match(head, /^HTTP\/1.1 429/);
    const { error } = JSON.parse(body);
    assert.deepEqual(
      error.details.map((detail: Record<string, unknown>) => detail['@type']),
      ['type.googleapis.com/google.rpc.QuotaFailure', 'type.googleapis.com/google.rpc.RetryInfo'],
    );
    assert.equal(error.details[1].retryDelay, '34.4s');
  });

  it('ends its lines with CRLF and its stream without [DONE]', async () => {
    const { body, head } = await raw('');
    assert.match(head, /content-type: text\/event-stream/i);
    assert.ok(!body.includes('[DONE]'));
    assert.deepEqual(body.match(/(?<!\r)\n/g), null);
    const events = body.split('\r\n\r\n');
    assert.equal(events.pop(), '');
    for (const event of events) assert.ok(JSON.parse(event.slice('data: '.length)).candidates);
    const { body: again } = await raw('+crlf');
    assert.ok(!again.includes('\r\r'));
    assert.equal(textsIn(again), textsIn(body));
  });

  it('streams an array where no SSE is asked for', async () => {
    const { body } = await raw('', '');
    assert.equal(JSON.parse(body)[0].candidates[0].finishReason, 'STOP');
  });

  it('breaks off, tears, fails amid and leaves out the end', async () => {
    const cut = await raw('+tokens=20+cut=5');
    assert.deepEqual([textsIn(cut.body), cut.terminated, cut.body.includes('finishReason')], [5, true, false]);
    const torn = await raw('+tokens=20+tear=5');
    assert.deepEqual([textsIn(torn.body), torn.terminated], [5, false]);
    const failed = await raw('+tokens=20+stream-error=3');
    assert.equal(textsIn(failed.body), 3);
    const last = failed.body.trimEnd().split('\r\n\r\n').at(-1) ?? '';
    assert.deepEqual(JSON.parse(last.slice('data: '.length)), {
      error: { code: 503, message: 'The model is overloaded. Please try again later.', status: 'UNAVAILABLE' },
    });
    const endless = await raw('+nofinish');
    assert.ok(endless.terminated && textsIn(endless.body) > 3 && !endless.body.includes('finishReason'));
  });

  it('is read the same by the SDK in any framing', async () => {
    const textFor = async (style: string) => {
      let text = '';
      const model = `gemini-2.5-flash+emoji${style}`;
      for await (const chunk of await client.models.generateContentStream({ model, contents }))
        text += chunk.text ?? '';
      return text;
    };
    const plain = await textFor('');
    assert.ok(plain.length > 20);
    for (const style of ['+crlf', '+split=7', '+gzip', '+split=1']) assert.equal(await textFor(style), plain, style);
  });
});
