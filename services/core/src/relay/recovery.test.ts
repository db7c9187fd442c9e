import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import type { EndpointTimeouts } from '../catalog/index.ts';
import { Transcript } from '../dialects/index.ts';
import { UpstreamPools } from '../upstream/index.ts';
import { Realignment } from './realignment.ts';
import {
  DONE,
  delta,
  fails,
  model,
  ROLE,
  type Running,
  type RunOptions,
  run,
  type Script,
  ScriptedProvider,
  STREAM_END,
  STREAM_HEAD,
  says,
  silent,
  text,
  USAGE,
} from './scripted.testing.ts';

/** Says so much, then its connection breaks. */
const breaksAfter =
  (...frames: string[]): Script =>
  (socket) =>
    void socket.write(STREAM_HEAD + ROLE + frames.join(''), () => setImmediate(() => socket.resetAndDestroy()));

const claude = (event: object): string => {
  const data = `event: ${(event as { type: string }).type}\ndata: ${JSON.stringify(event)}\n\n`;
  return `${Buffer.byteLength(data).toString(16)}\r\n${data}\r\n`;
};

/** A whole answer of the Messages API. */
const claudeSays =
  (content: string, stop_reason = 'end_turn'): Script =>
  (socket) =>
    void socket.write(
      STREAM_HEAD +
        [
          {
            type: 'message_start',
            message: {
              id: 'msg',
              model: 'claude',
              role: 'assistant',
              content: [],
              usage: { input_tokens: 7, output_tokens: 1 },
            },
          },
          { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
          { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: content } },
          { type: 'content_block_stop', index: 0 },
          {
            type: 'message_delta',
            delta: { stop_reason, stop_sequence: null },
            usage: { output_tokens: 3 },
          },
          { type: 'message_stop' },
        ]
          .map(claude)
          .join('') +
        STREAM_END,
    );

const bodyOf = (request: string): { messages: { role: string; content: unknown }[] } =>
  JSON.parse(request.slice(request.indexOf('\r\n\r\n') + 4));

describe('a stream that breaks behind content', () => {
  const pools = new UpstreamPools();
  const providers: ScriptedProvider[] = [];
  afterEach(async () => {
    for (const provider of providers.splice(0)) provider.stop();
    await pools.close();
  });

  interface Given extends RunOptions {
    /** Of the second endpoint; default openai. */
    readonly dialect?: string;
    readonly model?: string;
    readonly timeouts?: Partial<EndpointTimeouts>;
  }

  /** Runs a request over one OpenAI endpoint and, behind it, others. */
  async function relay(scripts: Script[][], options: Given = {}): Promise<Running> {
    assert.equal(providers.length, 0, 'one run at a time');
    for (const list of scripts) providers.push(await ScriptedProvider.start(...list));
    const models = providers.map((provider, i) => {
      const dialect = i === 0 ? 'openai' : (options.dialect ?? 'openai');
      const one = model('a', [dialect === 'openai' ? provider.baseUrl : provider.baseUrl.replace('/v1', '')], {
        dialect,
        ...(options.timeouts ? { timeouts: options.timeouts } : {}),
      });
      const [endpoint] = one.endpoints;
      assert.ok(endpoint);
      const name = `p${i}`;
      const upstream = options.model ?? endpoint.model;
      return { ...endpoint, key: `${name}:${upstream}`, model: upstream, provider: { ...endpoint.provider, name } };
    });
    const [first] = [model('a', ['http://127.0.0.1:1'])];
    assert.ok(first);
    return run(pools, [{ ...first, endpoints: models }], options);
  }

  interface Metadata {
    readonly resumed?: boolean;
    readonly routing: {
      readonly finalProvider: string;
      readonly attempts: readonly { readonly provider: string; readonly success: boolean }[];
    };
  }

  const metadataOf = ({ sink }: Running): Metadata =>
    JSON.parse(sink.frames.find((data) => data.includes('provider_metadata')) ?? '').choices[0].delta.provider_metadata
      .gateway;

  const roles = ({ sink }: Running): number => sink.sent.split('"role":"assistant"').length - 1;

  it('goes on with another endpoint that says the same: every letter once, told in the metadata', async () => {
    const running = await relay([[breaksAfter(text('Hel'), text('lo'))], [says('Hello world')]], {
      body: { stream_options: { include_usage: true } },
    });
    const outcome = await running.settled;
    assert.equal(running.sink.content, 'Hello world');
    assert.equal(running.sink.frames.at(-1), '[DONE]');
    assert.equal(roles(running), 1);
    assert.deepEqual([outcome.error, outcome.attempts, outcome.resumed, outcome.provider], [null, 2, true, 'p1']);
    const { resumed, routing } = metadataOf(running);
    assert.deepEqual([resumed, routing.finalProvider], [true, 'p1']);
    assert.deepEqual(
      routing.attempts.map(({ provider, success }) => [provider, success]),
      [
        ['p0', false],
        ['p1', true],
      ],
    );
    assert.equal(outcome.usage?.completionTokens, 5, 'that of the attempt that answered');
    assert.deepEqual(running.health.told, ['p0:up began', 'p0:up stream_broken', 'p1:up began', 'p1:up answered']);
    assert.equal(running.sink.frames.filter((data) => data.includes('"usage":{')).length, 1);
  });

  for (const [how, second] of [
    ['something else', says('Goodbye')],
    ['less', says('Hel')],
    ['nothing', says('')],
    ['an error', fails(400)],
  ] as const) {
    it(`ends with the first error when the other says ${how}`, async () => {
      const running = await relay([[breaksAfter(text('Hello'))], [second]]);
      const { error, attempts } = await running.settled;
      assert.equal(running.sink.content, 'Hello');
      assert.deepEqual([running.sink.errorFrame?.code, error?.code, attempts], ['stream_broken', 'stream_broken', 2]);
      assert.match(running.sink.errorFrame?.message ?? '', /p0/);
      assert.equal(running.sink.frames.includes('[DONE]'), false);
    });
  }

  it('tries one endpoint after the other, also when the one that goes on breaks in turn', async () => {
    const running = await relay([
      [breaksAfter(text('one '))],
      [says('uno dos')],
      [breaksAfter(text('one '), text('two '))],
      [says('one two three')],
    ]);
    const { error, attempts } = await running.settled;
    assert.deepEqual([running.sink.content, error, attempts], ['one two three', null, 4]);
    assert.equal(roles(running), 1);
    assert.equal(
      running.health.told.filter((one) => one.endsWith('stream_broken')).length,
      2,
      'other words are no failure',
    );
  });

  it('waits out what it is asked to while it goes on', async () => {
    const running = await relay([[breaksAfter(text('a'))], [fails(503), says('ab')]]);
    assert.equal((await running.settled).error, null);
    assert.equal(running.sink.content, 'ab');
  });

  it('is not gone on with where the request forbids it, or the failure is not of the stream', async () => {
    const off = await relay([[breaksAfter(text('a'))], [says('ab')]], { request: { resume: 'off' } });
    assert.equal((await off.settled).attempts, 1);
    assert.notEqual(off.sink.errorFrame, null);
    for (const provider of providers.splice(0)) provider.stop();
    const own = await relay([[(socket) => void socket.write(STREAM_HEAD + ROLE + text('a'))], [says('ab')]], {
      request: { timeoutMs: 60, answerWithinMs: 60 },
    });
    assert.deepEqual([(await own.settled).attempts, own.sink.errorFrame?.code], [1, 'deadline_exceeded']);
  });

  it('is asked of the same endpoint again only with resume: always, once', async () => {
    const again = [breaksAfter(text('a')), says('ab')];
    const safe = await relay([again]);
    assert.equal((await safe.settled).attempts, 1);
    for (const provider of providers.splice(0)) provider.stop();
    const always = await relay([[breaksAfter(text('a')), says('ab')]], { request: { resume: 'always' } });
    assert.deepEqual([(await always.settled).error, always.sink.content], [null, 'ab']);
    for (const provider of providers.splice(0)) provider.stop();
    const never = await relay([[breaksAfter(text('a'))]], { request: { resume: 'always' } });
    assert.equal((await never.settled).attempts, 2);
  });

  const call = (args: string, id?: string): string =>
    delta({
      tool_calls: [
        {
          index: 0,
          ...(id ? { id, type: 'function' } : {}),
          function: { ...(id ? { name: 'f' } : {}), arguments: args },
        },
      ],
    });
  const calls =
    (args: string): Script =>
    (socket) =>
      void socket.write(
        STREAM_HEAD + ROLE + call('', 'other') + call(args) + delta({}, 'tool_calls') + DONE + STREAM_END,
      );

  it('in the middle of a tool call: its arguments are completed under its first id, or not at all', async () => {
    const good = await relay([[breaksAfter(call('', 'first'), call('{"x":'))], [calls('{"x":1}')]]);
    assert.equal((await good.settled).error, null);
    const args = good.sink.frames
      .filter((data) => data.includes('tool_calls"'))
      .flatMap((data) => JSON.parse(data).choices[0].delta.tool_calls ?? []);
    assert.deepEqual(args.map((one) => one.id).filter(Boolean), ['first']);
    assert.equal(args.map((one) => one.function.arguments).join(''), '{"x":1}');
    for (const provider of providers.splice(0)) provider.stop();
    const bad = await relay([[breaksAfter(call('', 'first'), call('{"x":'))], [calls('{"y":1}')]]);
    assert.notEqual((await bad.settled).error, null);
    assert.equal(bad.sink.sent.includes('"y"'), false);
  });

  it('is given to a model that goes on with a message, and goes on with what it says', async () => {
    const running = await relay([[breaksAfter(text('Hello '))], [claudeSays(' world')]], {
      dialect: 'anthropic',
      model: 'claude-sonnet-4-20250514',
    });
    assert.equal((await running.settled).error, null);
    assert.equal(running.sink.content, 'Hello world');
    assert.deepEqual(bodyOf(providers[1]?.requests[0] ?? '').messages.at(-1)?.role, 'assistant');
    assert.equal(
      JSON.stringify(bodyOf(providers[1]?.requests[0] ?? '').messages.at(-1)?.content).includes('Hello "'),
      false,
    );
    assert.equal(metadataOf(running).resumed, true);
  });

  it('that refuses to: then it has to repeat the answer', async () => {
    const running = await relay(
      [
        [breaksAfter(text('Hello'))],
        [fails(400, { message: 'This model does not support assistant message prefill.' }), claudeSays('Hello world')],
      ],
      { dialect: 'anthropic', model: 'claude-sonnet-4-20250514' },
    );
    const { error, attempts } = await running.settled;
    assert.deepEqual([error, attempts, running.sink.content], [null, 3, 'Hello world']);
    assert.equal(bodyOf(providers[1]?.requests[1] ?? '').messages.at(-1)?.role, 'user');
  });

  describe('and whose continuation says nothing', () => {
    const prefilled = { dialect: 'anthropic', model: 'claude-sonnet-4-20250514' };
    it('is not taken for complete in the middle of a sentence: it has to repeat the answer, or the next one goes on', async () => {
      for (const empty of ['', ' \n']) {
        const on = await relay(
          [[breaksAfter(text('Hello, my'))], [claudeSays(empty), claudeSays('Hi')], [claudeSays(' dear.')]],
          prefilled,
        );
        const { error, attempts } = await on.settled;
        assert.deepEqual([error, attempts, on.sink.frames.at(-1)], [null, 4, '[DONE]']);
        assert.equal(on.sink.content.replaceAll(/\s+/g, ' '), 'Hello, my dear.');
        assert.equal(bodyOf(providers[1]?.requests[1] ?? '').messages.at(-1)?.role, 'user');
        assert.equal(on.health.told.includes('p1:up stream_broken'), false, 'which says nothing of the endpoint');
        for (const provider of providers.splice(0)) provider.stop();
      }
    });

    it('is complete when it is proved by a repetition that ends there', async () => {
      const whole = [claudeSays(''), claudeSays('Hello, my')];
      const { sink, settled } = await relay([[breaksAfter(text('Hello, my'))], whole], prefilled);
      const { error, attempts } = await settled;
      assert.deepEqual([error, attempts, sink.content, sink.frames.at(-1)], [null, 3, 'Hello, my', '[DONE]']);
    });

    it('not even its end is told, where that comes before the end of the stream', async () => {
      const transcript = new Transcript();
      transcript.delta(0, { content: 'Hello, my' });
      const realignment = new Realignment(transcript, { mode: 'continue', cutOff: '', freeReasoning: false });
      const frame = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;
      assert.equal(realignment.pass(frame({ delta: { role: 'assistant', content: '' } })), '');
      assert.throws(() => realignment.pass(frame({ delta: {}, finish_reason: 'stop' })), /it is shorter/);
    });

    it('is told as a break when nobody goes on', async () => {
      const { sink, settled } = await relay(
        [[breaksAfter(text('Hello, my'))], [claudeSays(''), claudeSays('Hi')]],
        prefilled,
      );
      assert.equal((await settled).error?.code, 'stream_broken');
      assert.deepEqual([sink.errorFrame?.code, sink.frames.includes('[DONE]')], ['stream_broken', false]);
    });

    it('is complete where the text may be, or where the end tells that something is missing', async () => {
      for (const [said, why, finish] of [
        ['Hello, my dear.', 'end_turn', 'stop'],
        ['Hello, my', 'max_tokens', 'length'],
        ['Hello, my', 'refusal', 'content_filter'],
      ] as const) {
        const { sink, settled } = await relay([[breaksAfter(text(said))], [claudeSays('', why)]], prefilled);
        assert.equal((await settled).error, null, why);
        assert.deepEqual([sink.content, sink.frames.at(-1)], [said, '[DONE]']);
        assert.match(sink.sent, new RegExp(`"finish_reason":"${finish}"`));
        for (const provider of providers.splice(0)) provider.stop();
      }
    });
  });

  it('is repeated where thinking, structure or a forced call stand in the way of a prefix', async () => {
    const options = [
      { body: { reasoning: { effort: 'high' }, max_tokens: 4_000 } },
      { body: { response_format: { type: 'json_object' } } },
      { body: {}, model: 'claude-opus-4-6' },
    ];
    for (const option of options) {
      const running = await relay([[breaksAfter(text('Hel'))], [claudeSays('Hello')]], {
        dialect: 'anthropic',
        model: 'claude-sonnet-4-20250514',
        ...option,
      });
      assert.equal((await running.settled).error, null);
      assert.equal(running.sink.content, 'Hello');
      assert.equal(bodyOf(providers[1]?.requests[0] ?? '').messages.at(-1)?.role, 'user');
      for (const provider of providers.splice(0)) provider.stop();
    }
  });

  it('is left at once when the client leaves while another endpoint is asked', async () => {
    const running = await relay([[breaksAfter(text('a'))], [silent]]);
    await once(running.sink.events, 'write');
    const [, second] = providers;
    assert.ok(second);
    if (second.requests.length === 0) await once(second.events, 'request');
    running.relay.clientGone();
    assert.deepEqual([(await running.settled).clientAborted, (await running.settled).attempts], [true, 2]);
    if (second.sockets.size > 0) await once(second.events, 'closed');
  });

  it('has the limits of a new attempt: one that says nothing is left for the next', async () => {
    const running = await relay([[breaksAfter(text('a'))], [silent], [says('ab')]]);
    assert.equal((await running.settled).error, null);
    assert.equal(running.sink.content, 'ab');
  });

  it('has all the time it needs to repeat what was said, as long as it speaks', async () => {
    const slowly: Script = async (socket) => {
      socket.write(STREAM_HEAD + ROLE);
      for (const letter of 'abcdefgh') {
        socket.write(text(letter));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      socket.write(text('i') + delta({}, 'stop') + DONE + STREAM_END);
    };
    const running = await relay([[breaksAfter(text('abcdefgh'))], [slowly], [silent]], {
      timeouts: { firstTokenMs: 100 },
    });
    const { error, attempts } = await running.settled;
    assert.deepEqual([error, attempts, running.sink.content], [null, 2, 'abcdefghi']);
  });

  it('is not waited for when the last endpoint stalls while it repeats', async () => {
    const stalls: Script = (socket) => void socket.write(STREAM_HEAD + ROLE + text('a'));
    const running = await relay([[breaksAfter(text('abc'))], [stalls]], { timeouts: { streamStallMs: 40 } });
    const { error, attempts } = await running.settled;
    assert.deepEqual([error?.code, attempts], ['stream_broken', 2]);
    assert.deepEqual(running.health.told.slice(-1), ['p1:up stream_broken']);
  });

  it('is not routed around a refusal of its content', async () => {
    const refuses = fails(400, { code: 'content_filter', message: 'No.' });
    const running = await relay([[breaksAfter(text('a'))], [refuses], [says('ab')]]);
    const { error, attempts } = await running.settled;
    assert.deepEqual([error?.code, running.sink.errorFrame?.code, attempts], ['content_filter', 'content_filter', 2]);
    assert.equal(providers[2]?.requests.length, 0);
  });

  it('passes by an endpoint that cannot take the request', async () => {
    // Taken by some that speak OpenAI, unknown to Claude.
    const running = await relay([[breaksAfter(text('a'))], [claudeSays('ab')]], {
      dialect: 'anthropic',
      model: 'claude-sonnet-4-20250514',
      body: { reasoning_effort: 'default' },
    });
    const { error, attempts } = await running.settled;
    assert.deepEqual([error?.code, attempts], ['stream_broken', 2]);
    assert.equal(providers[1]?.requests.length, 0);
  });

  it('loses nothing that came in the same read as something senseless', async () => {
    const senseless = delta({ content: 'lost' }, 'insufficient_system_resource');
    const running = await relay([[breaksAfter(text('a'), senseless)], [says('ablost!')]]);
    assert.equal((await running.settled).error, null);
    assert.equal(running.sink.content, 'ablost!');
  });

  it('waits for a client that does not read, whoever goes on', async () => {
    const flood = Array.from({ length: 2_000 }, (_, i) => text(`${i} `)).join('');
    const whole = `a${Array.from({ length: 2_000 }, (_, i) => `${i} `).join('')}`;
    const long: Script = (socket) =>
      void socket.write(STREAM_HEAD + ROLE + text('a') + flood + delta({}, 'stop') + DONE + STREAM_END);
    const running = await relay([[breaksAfter(text('a'))], [long]]);
    running.sink.accepts = false;
    await once(running.sink.events, 'write');
    const written = running.sink.writes.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    // What was read when the pause came may still go out.
    assert.ok(running.sink.writes.length - written <= 2, 'it is held back');
    running.sink.accepts = true;
    running.relay.clientDrained();
    assert.equal((await running.settled).error, null);
    assert.equal(running.sink.content, whole);
  });

  it('with a whole answer of usage and finish reasons where the second has them', async () => {
    const whole: Script = (socket) =>
      void socket.write(STREAM_HEAD + ROLE + text('ab') + delta({}, 'length') + USAGE + DONE + STREAM_END);
    const running = await relay([[breaksAfter(text('a'))], [whole]]);
    await running.settled;
    const finishes = running.sink.frames
      .filter((data) => data !== '[DONE]')
      .map((data) => JSON.parse(data).choices[0]?.finish_reason)
      .filter(Boolean);
    assert.deepEqual(finishes, ['length']);
  });
});
