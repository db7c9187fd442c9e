import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { chat, openChat, question } from './chat-client.ts';
import { configuration, targetOf } from './configuration.ts';
import { accessLog, eventually, idle, metrics, total } from './observe.ts';
import { type ReplayProvider, startReplayProvider, streamedAnswer } from './replay-provider.ts';

/** The simulator tells of an abort as soon as its socket closes; this is only so that a failure ends. */
const AT_ONCE_MS = 2_000;
const EVENTS = 50;

let stack: Stack;
let replay: ReplayProvider;

before(async () => {
  const chunk = (delta: object, finish_reason: string | null = null): string =>
    JSON.stringify({
      id: 'chatcmpl-replayed',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'replayed',
      choices: [{ index: 0, delta, finish_reason }],
    });
  const words = Array.from({ length: EVENTS - 2 }, (_, i) => chunk({ content: ` word${i}` }));
  replay = await startReplayProvider(
    streamedAnswer([chunk({ role: 'assistant', content: '' }), ...words, chunk({}, 'stop'), '[DONE]']),
  );
  stack = await startStack({
    config: ([simulator]) =>
      configuration(simulator, {
        server: { keepAliveCommentMs: 50 },
        timeouts: { connectMs: 500, firstTokenMs: 1_500, streamStallMs: 5_000 },
        providers: { replay: { dialect: 'openai', baseUrl: replay.baseUrl, apiKey: 'none' } },
        models: [{ id: 'test/replayed', endpoints: [{ provider: 'replay', model: 'replayed' }] }],
      }),
  });
});

after(async () => {
  await stack.stop();
  await replay.close();
});

const leavings = [
  { when: 'in the middle of a stream', stream: true, how: 'tokens=5000 tps=50', until: '"content":"' },
  { when: 'before the first token', stream: true, how: 'ttft=60000', until: null },
  { when: 'before the first token, after a comment', stream: true, how: 'ttft=60000', until: ': keep-alive' },
  { when: 'before the headers', stream: true, how: 'hang', until: null },
  { when: 'while a JSON answer is pending', stream: false, how: 'ttft=60000', until: null },
  { when: 'while a provider sends a JSON answer', stream: false, how: 'tokens=100 stall=0', until: null },
];

for (const { when, stream, how, until } of leavings) {
  test(`a client that leaves ${when}: the provider is cut off at once and nothing leaks`, async () => {
    const simulator = stack.simulator();
    const since = await simulator.lastSeq();
    const aborts = total(await metrics(stack), 'gateway_client_aborts_total');
    const logged = accessLog(stack).length;
    const headers = until?.startsWith(':') ? [] : ([['x-headgate-keepalive', 'off']] as const);
    const request = openChat(
      targetOf(stack),
      { model: 'test/both', stream, messages: question(`[[sim ${how}]] hello`) },
      headers,
    );
    await simulator.received({ since }, 1);
    if (until !== null) await request.untilText(until);
    request.leave();
    const [aborted] = await simulator.received({ since, aborted: true }, 1, AT_ONCE_MS);
    assert.equal(aborted?.outcome, 'aborted');
    await idle(stack);
    assert.equal((await simulator.stats()).openRequests, 0);
    assert.equal((await simulator.requests({ since })).length, 1, 'no other provider was tried for nobody');
    const line = await eventually('a line in the access log', () => accessLog(stack)[logged]);
    assert.equal(line.status, 499);
    assert.equal(line.client_aborted, true);
    assert.equal(line.error_type, undefined);
    assert.equal(total(await metrics(stack), 'gateway_client_aborts_total'), aborts + 1);
  });
}

test('a client that leaves while it sends its body costs no provider anything', async () => {
  const since = await stack.simulator().lastSeq();
  const request = openChat(targetOf(stack), { model: 'test/one' }, [['content-length', '100000']]);
  await eventually('the request is being read', async () => {
    return total(await metrics(stack), 'gateway_requests_in_flight') === 1;
  });
  request.leave();
  await idle(stack);
  assert.deepEqual(await stack.simulator().requests({ since }), []);
});

test('200 clients that leave together: every provider call ends', async () => {
  const since = await stack.simulator().lastSeq();
  const body = { model: 'test/one', stream: true, messages: question('[[sim tokens=1000 tps=2]] hello') };
  const requests = Array.from({ length: 200 }, () => openChat(targetOf(stack), body));
  await Promise.all(requests.map((request) => request.untilText('"content":"')));
  for (const request of requests) request.leave();
  await stack.simulator().received({ since, aborted: true }, 200);
  await idle(stack);
  assert.equal((await stack.simulator().stats()).openRequests, 0);
});

test('silence before the first token is filled with comments, which a client may refuse', async () => {
  const body = { model: 'test/one', stream: true, messages: question('[[sim tokens=5 ttft=400]] slowly') };
  const [told, untold] = await Promise.all([
    chat(targetOf(stack), body),
    chat(targetOf(stack), body, [['x-headgate-keepalive', 'off']]),
  ]);
  assert.ok(told.comments.length >= 2, `${told.comments.length} comments`);
  assert.ok(told.raw.startsWith(': keep-alive\n\n'));
  assert.ok(told.raw.lastIndexOf(': keep-alive') < told.raw.indexOf('data: '), 'comments only before the first token');
  assert.deepEqual(untold.comments, []);
  for (const answer of [told, untold]) {
    assert.equal(answer.status, 200);
    assert.ok(answer.done);
  }
  assert.equal(told.text, untold.text);
});

test('after a comment has gone out, an error is a frame', async () => {
  const answer = await chat(targetOf(stack), {
    model: 'test/one',
    stream: true,
    messages: question('[[sim slow=300 status=400 message=No]] slowly'),
  });
  assert.equal(answer.status, 200);
  assert.ok(answer.comments.length >= 1);
  assert.deepEqual(answer.errors, [{ message: 'No', type: 'invalid_request_error', param: null, code: null }]);
  assert.equal(answer.frames.length, 1);
  assert.equal(answer.done, false);
  assert.equal(answer.end, 'complete', 'the framing of the body stays intact');
});

test('after a comment has gone out, another provider can still answer', async () => {
  const answer = await chat(targetOf(stack), {
    model: 'test/both',
    stream: true,
    messages: question('[[sim slow=300 status=401 for=one]] [[sim tokens=5]] slowly'),
  });
  assert.ok(answer.comments.length >= 1);
  assert.ok(answer.done);
  assert.equal(answer.metadata?.routing.finalProvider, 'beta');
});

test('what one read of the provider brings goes out in one write', async () => {
  for (let i = 0; i < 5; i++) {
    const answer = await chat(targetOf(stack), { model: 'test/replayed', stream: true });
    assert.ok(answer.done);
    assert.equal(answer.text, Array.from({ length: EVENTS - 2 }, (_, n) => ` word${n}`).join(''));
    assert.ok(answer.frames.length >= EVENTS);
    assert.ok(answer.chunks <= 3, `${EVENTS} events came in ${answer.chunks} HTTP chunks`);
  }
});
