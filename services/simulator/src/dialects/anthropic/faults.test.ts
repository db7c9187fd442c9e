import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import type { Message } from '@anthropic-ai/sdk/resources/messages';
import { type Simulator, startSimulator } from '../../server.ts';
import { requestRaw } from '../../testing/rawRequest.ts';

describe('faults in the dialect of Anthropic', () => {
  let simulator: Simulator;
  let client: Anthropic;
  before(async () => {
    simulator = await startSimulator();
    client = new Anthropic({ apiKey: 'sk-ant-test', baseURL: simulator.url, maxRetries: 0 });
  });
  after(() => simulator.close());

  const params = (directives: string) => ({
    model: `claude-haiku-4-5${directives}`,
    max_tokens: 4096,
    messages: [{ role: 'user' as const, content: 'Hello' }],
  });
  const failureOf = async (promise: Promise<unknown>) => {
    const error = await promise.then(
      () => assert.fail('It should have failed.'),
      (cause: unknown) => cause,
    );
    assert.ok(error instanceof Anthropic.APIError);
    return error;
  };
  const raw = (directives: string, body: object = {}) =>
    requestRaw(simulator.port, {
      path: '/v1/messages',
      headers: { 'x-api-key': 'k', 'anthropic-version': '2023-06-01' },
      body: { ...params(directives), stream: true, ...body },
    });
  const textsIn = (body: string) => [...body.matchAll(/"text_delta"/g)].length;

  it("fails with Anthropic's statuses, types and headers", async () => {
    for (const [directives, status, type] of [
      ['+error=rate_limit', 429, 'rate_limit_error'],
      ['+error=overloaded', 529, 'overloaded_error'],
      ['+error=server', 500, 'api_error'],
      ['+error=context_length', 400, 'invalid_request_error'],
      ['+error=invalid_key', 401, 'authentication_error'],
      ['+error=forbidden', 403, 'permission_error'],
      ['+error=model_not_found', 404, 'not_found_error'],
      ['+status=413', 413, 'request_too_large'],
      ['+status=529+message=Busy+type=my_error', 529, 'my_error'],
    ] as const) {
      const error = await failureOf(client.messages.create(params(directives)));
      assert.equal(error.status, status, directives);
      assert.equal(error.type, type, directives);
    }
    const limited = await failureOf(client.messages.create(params('+error=rate_limit+retry-after=7')));
    assert.equal(limited.headers?.get('retry-after'), '7');
    assert.equal(limited.headers?.get('anthropic-ratelimit-requests-limit'), '4000');
    assert.equal(limited.requestID, limited.headers?.get('request-id'));
    const unknown = await failureOf(client.messages.create(params('+nonsense')));
    assert.match(unknown.message, /Unknown simulator directive 'nonsense'/);
  });

  it('fails in the middle of a stream', async () => {
    const stream = client.messages.stream(params('+tokens=20+stream-error=3'));
    let said = '';
    stream.on('text', (text) => {
      said += text;
    });
    const error = await failureOf(stream.finalMessage());
    assert.match(error.message, /overloaded_error/);
    assert.ok(said.length > 0);
    const { body } = await raw('+tokens=20+stream-error=3');
    assert.equal(textsIn(body), 3);
    assert.ok(
      body.endsWith(
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
      ),
    );
  });

  it('breaks off, tears, stutters and leaves out the end', async () => {
    const cut = await raw('+tokens=20+cut=5');
    assert.deepEqual([textsIn(cut.body), cut.terminated, cut.body.includes('message_stop')], [5, true, false]);
    const torn = await raw('+tokens=20+tear=5');
    assert.deepEqual([textsIn(torn.body), torn.terminated], [5, false]);
    const endless = await raw('+nofinish');
    assert.ok(endless.terminated && !/message_stop|message_delta/.test(endless.body));
    const undone = await raw('+nodone');
    assert.ok(undone.body.includes('message_delta') && !undone.body.includes('message_stop'));
    const broken = await raw('+tokens=20+malformed=2');
    const data = broken.body.split('\n').filter((line) => line.startsWith('data: '));
    const bad = data.filter((line) => {
      try {
        return JSON.parse(line.slice('data: '.length)) === undefined;
      } catch {
        return true;
      }
    });
    assert.equal(bad.length, 1);
    assert.ok(broken.body.includes('message_stop'));
  });

  it('sends what the SDK reads the same in any framing', async () => {
    const contentOf = ({ content }: Message) => content;
    const plain = contentOf(await client.messages.create(params('+emoji')));
    for (const style of ['+crlf', '+nospace', '+comments', '+split=7', '+gzip', '+split=1+crlf'])
      assert.deepEqual(contentOf(await client.messages.stream(params(`+emoji${style}`)).finalMessage()), plain, style);
  });

  it('keeps to the order of events on the wire', async () => {
    const { body, head } = await raw('+think=1+tokens=1', { thinking: { type: 'enabled', budget_tokens: 1024 } });
    assert.match(head, /content-type: text\/event-stream; charset=utf-8/i);
    assert.match(head, /request-id: req_/i);
    const kinds = body
      .split('\n\n')
      .filter(Boolean)
      .map((event) => {
        const [, name, data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? [];
        const { type, delta } = JSON.parse(data);
        assert.equal(type, name);
        return delta?.type ?? type;
      });
    assert.deepEqual(kinds, [
      'message_start',
      'content_block_start',
      'ping',
      'thinking_delta',
      'signature_delta',
      'content_block_stop',
      'content_block_start',
      'text_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });
});
