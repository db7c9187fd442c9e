import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { UpstreamPools } from '../upstream/index.ts';
import {
  answers,
  comment,
  completion,
  DONE,
  FINISH,
  fails,
  frame,
  model,
  ROLE,
  type Running,
  type RunOptions,
  resets,
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

interface Attempts {
  gateway: {
    cost?: string;
    generationId: string;
    routing: {
      finalProvider: string;
      attempts: {
        provider: string;
        success: boolean;
        error?: string;
        statusCode?: number;
        providerTimeout?: boolean;
        configuredTimeoutMs?: number;
      }[];
    };
  };
}

/** The metadata that a stream carried. */
function metadataOf({ sink }: Running): Attempts {
  const carrying = sink.frames.find((data) => data.includes('provider_metadata')) ?? '';
  return JSON.parse(carrying).choices[0].delta.provider_metadata;
}

describe('Relay', () => {
  const pools = new UpstreamPools();
  const providers: ScriptedProvider[] = [];
  afterEach(async () => {
    for (const provider of providers.splice(0)) provider.stop();
    await pools.close();
  });

  async function provider(...scripts: Script[]): Promise<ScriptedProvider> {
    const started = await ScriptedProvider.start(...scripts);
    providers.push(started);
    return started;
  }

  /** One provider a list of scripts, all endpoints of one model. */
  async function relay(
    scripts: readonly (readonly Script[])[],
    options: RunOptions & Parameters<typeof model>[2] = {},
  ): Promise<Running> {
    const started = await Promise.all(scripts.map((list) => provider(...list)));
    return run(
      pools,
      [
        model(
          'm',
          started.map(({ baseUrl }) => baseUrl),
          options,
        ),
      ],
      options,
    );
  }

  describe('an answer', () => {
    it('as JSON', async () => {
      const { sink, settled, observed } = await relay([[answers(200, completion('Hello'))]], { stream: false });
      const outcome = await settled;
      const { id, model: name, choices } = JSON.parse(sink.body ?? '');
      assert.deepEqual([id, name, choices[0].message.content], ['gen_01K8KPJ0FZA7172X6CSGNZGDWY', 'm', 'Hello']);
      assert.equal(choices[0].message.provider_metadata.gateway.cost, '0.00006');
      assert.deepEqual(
        [outcome.error, outcome.provider, outcome.model, outcome.attempts, sink.openedBy],
        [null, 'm0', 'm', 1, null],
      );
      assert.deepEqual(
        [outcome.accounted?.costUsd, outcome.usage?.promptTokens, outcome.usage?.completionTokens],
        ['0.00006', 10, 5],
      );
      assert.equal(sink.answeredBy, 'm0');
      assert.deepEqual(
        [observed[0]?.end?.status, observed[0]?.end?.errorType, observed[0]?.end?.responseModel],
        [200, null, 'up-model'],
      );
    });

    it('as a stream', async () => {
      const { sink, settled } = await relay([[says('Hello')]]);
      const outcome = await settled;
      assert.deepEqual([sink.openedBy, sink.content, sink.frames.at(-1), sink.ended], ['m0', 'Hello', '[DONE]', true]);
      assert.deepEqual([outcome.error, outcome.accounted?.costUsd], [null, '0.00006']);
      assert.ok(outcome.firstContentAt);
    });

    it('goes out with its first content, not before, and in as few writes as it came in', async () => {
      let socket: Parameters<Script>[0] | undefined;
      const started = await provider((given) => {
        socket = given;
        given.write(STREAM_HEAD + ROLE);
      });
      const { sink, settled, observed } = run(pools, [model('m', [started.baseUrl])]);
      await once(started.events, 'request');
      // Two turns through the sockets: what was sent has been read.
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(sink.openedBy, null);
      socket?.write(text('a') + text('b') + text('c'));
      await once(sink.events, 'write');
      assert.equal(sink.writes.length, 1);
      assert.equal(sink.content, 'abc');
      assert.match(sink.frames[0] ?? '', /"role":"assistant"/);
      socket?.write(FINISH + DONE + STREAM_END);
      assert.equal((await settled).error, null);
      assert.equal(sink.writes.length, 2, 'the last frames and the end are one send');
      assert.equal(observed.length, 1);
    });

    it('of a provider that leaves out [DONE] and stays connected ends soon', async () => {
      const open: Script = (socket) => void socket.write(STREAM_HEAD + ROLE + text('a') + FINISH);
      const { sink, settled } = await relay([[open]], { timeouts: { streamStallMs: 40 } });
      assert.equal((await settled).error, null);
      assert.equal(sink.frames.at(-1), '[DONE]');
    });

    it('that was complete when the connection broke is one', async () => {
      const { sink, settled } = await relay([
        [(socket) => void socket.write(STREAM_HEAD + ROLE + text('a') + FINISH, () => socket.resetAndDestroy())],
      ]);
      assert.equal((await settled).error, null);
      assert.equal(sink.frames.at(-1), '[DONE]');
    });

    it('passes the trace on, and no nonsense', async () => {
      const started = await provider(says('a'));
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      await run(pools, [model('m', [started.baseUrl])], { trace: { traceparent, tracestate: 'a=1,b=2' } }).settled;
      assert.match(started.requests[0] ?? '', new RegExp(`traceparent: ${traceparent}\r\ntracestate: a=1,b=2\r\n`));
      const odd = run(pools, [model('m', [started.baseUrl])], { trace: { traceparent, tracestate: 'a=水' } });
      assert.equal((await odd.settled).error, null);
      assert.doesNotMatch(started.requests[1] ?? '', /tracestate/);
    });
  });

  describe('before content, a failure moves on', () => {
    const table: [name: string, scripts: Script[], error: RegExp, status: number | undefined][] = [
      ['401', [fails(401)], /refused the gateway's credentials/, 401],
      ['429', [fails(429)], /said 429/, 429],
      ['500 twice', [fails(500), fails(500)], /said 500/, 500],
      ['a reset, twice', [resets, resets], /connection (reset|closed)/, undefined],
      [
        'a stream that ends without a finish',
        [(socket) => void socket.write(STREAM_HEAD + ROLE + STREAM_END)],
        /broke off/,
        200,
      ],
      [
        'a stream cut before content',
        [(socket) => void socket.write(STREAM_HEAD + ROLE, () => socket.resetAndDestroy())],
        /connection broke/,
        200,
      ],
      [
        'a chunk that is no JSON',
        [(socket) => void socket.write(STREAM_HEAD + ROLE + frame('{"a'))],
        /cannot be read/,
        200,
      ],
      [
        'an error in the stream',
        [(socket) => void socket.write(STREAM_HEAD + ROLE + frame({ error: { message: 'busy', code: 429 } }))],
        /busy/,
        200,
      ],
      ['a whole answer where a stream was asked for', [answers(200, completion('x'))], /stream was asked for/, 200],
    ];
    for (const [name, scripts, error, status] of table) {
      it(name, async () => {
        const running = await relay([scripts, [says('from b')]]);
        const outcome = await running.settled;
        assert.deepEqual(
          [outcome.error, outcome.provider, running.sink.content, running.sink.openedBy],
          [null, 'm1', 'from b', 'm1'],
        );
        const { attempts, finalProvider } = metadataOf(running).gateway.routing;
        assert.equal(finalProvider, 'm1');
        assert.deepEqual(
          attempts.map(({ provider: by, success }) => [by, success]),
          [...scripts.map(() => ['m0', false]), ['m1', true]],
        );
        assert.match(attempts[0]?.error ?? '', error);
        assert.equal(attempts[0]?.statusCode, status);
        assert.equal(metadataOf(running).gateway.cost, '0.00006', 'failed attempts cost nothing');
        assert.ok(running.observed.every(({ end }) => end !== null));
      });
    }

    it('an overloaded provider gets a second chance, and one only', async () => {
      const { sink, settled } = await relay([[fails(503), says('again')], [says('other')]]);
      assert.equal((await settled).attempts, 2);
      assert.equal(sink.content, 'again');
    });

    it('a silent one is left when its time for the first token is over', async () => {
      const running = await relay([[silent], [says('b')]], { timeouts: { firstTokenMs: 40 } });
      await running.settled;
      assert.equal(running.sink.content, 'b');
      const [first] = metadataOf(running).gateway.routing.attempts;
      assert.deepEqual(
        [first?.error, first?.providerTimeout, first?.configuredTimeoutMs],
        ['PROVIDER_TIMEOUT', true, 40],
      );
      const [silentOne] = providers;
      if (silentOne?.sockets.size) await once(silentOne.events, 'closed');
      assert.equal(silentOne?.sockets.size, 0, 'its connection is closed');
    });

    it('roles and comments are no tokens', async () => {
      const { sink, settled } = await relay(
        [[(socket) => void socket.write(STREAM_HEAD + comment + ROLE)], [says('b')]],
        { timeouts: { firstTokenMs: 40 } },
      );
      await settled;
      assert.equal(sink.content, 'b');
    });

    it('but the last one has all the time there is', async () => {
      const late: Script = (socket) => void setTimeout(() => says('late')(socket, ''), 80);
      const { sink, settled } = await relay([[late]], { timeouts: { firstTokenMs: 20 } });
      assert.equal((await settled).error, null);
      assert.equal(sink.content, 'late');
    });

    it('a first-token limit that falls into the pause before a second chance does not end the request', async () => {
      const slow: Script = (socket) => void setTimeout(() => fails(500)(socket, ''), 30);
      const { sink, settled } = await relay([[slow, says('again')], [says('b')]], { timeouts: { firstTokenMs: 60 } });
      assert.equal((await settled).error, null);
      assert.equal(sink.content, 'again');
    });

    it('too long a request goes to a model with a larger window only', async () => {
      const long = fails(400, { code: 'context_length_exceeded' });
      const [a, b, c, d] = await Promise.all([
        provider(long),
        provider(says('b')),
        provider(says('c')),
        provider(says('d')),
      ]);
      const models = [
        model('small', [a?.baseUrl ?? '', b?.baseUrl ?? '']),
        model('same', [c?.baseUrl ?? '']),
        model('large', [d?.baseUrl ?? ''], { contextWindow: 100_000 }),
      ];
      const running = run(pools, models);
      assert.equal((await running.settled).model, 'large');
      assert.equal(JSON.parse(running.sink.frames[0] ?? '').model, 'large');
      assert.deepEqual([a?.requests.length, b?.requests.length, c?.requests.length], [1, 0, 0]);
      const refused = run(pools, models.slice(0, 2));
      assert.equal((await refused.settled).error?.code, 'context_length_exceeded');
      assert.equal(refused.sink.error?.status, 400);
    });

    it('an empty success is tried once elsewhere', async () => {
      const empty: Script = (socket) => void socket.write(STREAM_HEAD + ROLE + FINISH + DONE + STREAM_END);
      const better = await relay([[empty], [says('b')]]);
      await better.settled;
      assert.equal(better.sink.content, 'b');
      const all = await relay([[empty], [empty], [says('c')]]);
      const outcome = await all.settled;
      assert.deepEqual(
        [outcome.error, outcome.attempts, all.sink.frames.at(-1)],
        [null, 2, '[DONE]'],
        'a second empty one is the answer',
      );
      const json = await relay([[answers(200, completion(null))], [answers(200, completion('b'))]], { stream: false });
      await json.settled;
      assert.match(json.sink.body ?? '', /"content":"b"/);
    });
  });

  describe('what is not tried elsewhere', () => {
    it('a bad request and a content filter', async () => {
      for (const error of [{ param: 'n' }, { code: 'content_filter' }]) {
        const { sink, settled, observed } = await relay([[fails(400, error)], [says('b')]]);
        await settled;
        assert.deepEqual([sink.error?.status, sink.error?.type, observed.length], [400, 'invalid_request_error', 1]);
      }
    });

    it('what the dialect itself refuses', async () => {
      const { sink, settled } = await relay([[says('a')], [says('b')]], {
        body: { reasoning: { effort: 'low', max_tokens: 5 } },
      });
      const outcome = await settled;
      assert.deepEqual([sink.error?.status, sink.error?.param, outcome.attempts], [400, 'reasoning', 1]);
    });
  });

  describe('when all have failed', () => {
    it('429 only when each of them was', async () => {
      const { sink, settled } = await relay(
        [[fails(429, {}, 'retry-after: 7\r\n')], [fails(429, {}, 'retry-after: 3\r\n')]],
        { request: { answerWithinMs: 2_500 } },
      );
      assert.equal((await settled).attempts, 2, 'there is no time to wait');
      assert.equal(sink.error?.status, 429);
      const wait = sink.error?.retryAfterMs ?? 0;
      assert.ok(wait <= 3_000 && wait > 2_900, `the first that may be asked again: ${wait}`);
      const mixed = await relay([[fails(401)], [fails(429)]]);
      await mixed.settled;
      assert.deepEqual([mixed.sink.error?.status, mixed.sink.error?.shouldRetry], [502, false]);
    });

    it('after six attempts, however many endpoints there are', async () => {
      const scripts = Array.from({ length: 9 }, () => [fails(403)]);
      const { sink, settled, observed } = await relay(scripts);
      assert.equal((await settled).attempts, 6);
      assert.deepEqual([observed.length, sink.error?.status], [6, 502]);
    });

    it('without showing the credential that a provider quotes', async () => {
      const { sink, settled } = await relay([[fails(400, { message: 'bad: topsecretcredential' })]]);
      await settled;
      assert.equal(sink.error?.message, 'bad: [redacted]');
    });

    it('in a dialect that nobody speaks', async () => {
      const { sink, settled } = await relay([[says('a')]], { dialect: 'klingon' });
      await settled;
      assert.deepEqual([sink.error?.code, sink.error?.status], ['unsupported_dialect', 503]);
    });

    it('at the deadline, or when there is no time for another attempt', async () => {
      const waiting = await relay([[silent]], { request: { answerWithinMs: 50 } });
      const outcome = await waiting.settled;
      assert.deepEqual(
        [outcome.error?.code, waiting.sink.error?.status, waiting.sink.error?.shouldRetry],
        ['deadline_exceeded', 504, false],
      );
      const slow: Script = (socket) => void setTimeout(() => fails(500)(socket, ''), 20);
      const pausing = await relay([[slow, silent]], { request: { answerWithinMs: 45 } });
      const { error, attempts } = await pausing.settled;
      assert.deepEqual([error?.status, error?.message, attempts], [502, 'said 500', 1]);
      const late = await relay([[says('a')]], { request: { startedAt: performance.now() - 95, answerWithinMs: 100 } });
      assert.deepEqual([(await late.settled).attempts, late.sink.error?.code], [0, 'deadline_exceeded']);
    });

    it("not at the client's deadline once an answer has begun", async () => {
      const slow: Script = (socket) => {
        socket.write(STREAM_HEAD + ROLE + text('a'));
        setTimeout(() => socket.write(text('b') + FINISH + DONE + STREAM_END), 100);
      };
      const { sink, settled } = await relay([[slow]], { request: { answerWithinMs: 60 } });
      assert.equal((await settled).error, null);
      assert.equal(sink.content, 'ab');
    });
  });

  describe('after content, when nobody says the same, the first failure is told in the stream', () => {
    const table: [name: string, rest: string | null, code: string, options?: Parameters<typeof model>[2]][] = [
      ['a cut', null, 'stream_broken'],
      ['an end without finish', STREAM_END, 'stream_broken'],
      ['[DONE] without finish', DONE + STREAM_END, 'stream_broken'],
      ['a chunk that is no JSON', frame('{"a'), 'invalid_provider_response'],
      ['a stall', comment, 'stream_stalled', { timeouts: { streamStallMs: 40 } }],
    ];
    for (const [name, rest, code, options] of table) {
      it(name, async () => {
        const breaking: Script = (socket) => {
          socket.write(STREAM_HEAD + ROLE + text('begun'), () => {
            if (rest === null) setImmediate(() => socket.resetAndDestroy());
            else socket.write(rest);
          });
        };
        const { sink, settled, outcomes } = await relay([[breaking], [says('b')]], options);
        const outcome = await settled;
        assert.deepEqual(
          [sink.content, sink.errorFrame?.code, outcome.error?.code, outcome.attempts],
          ['begun', code, code, 2],
        );
        assert.equal(sink.frames.includes('[DONE]'), false);
        assert.equal(sink.ended, true);
        assert.equal(outcomes.length, 1);
      });
    }

    it('what was good before a fault in the same read goes out first', async () => {
      const { sink, settled } = await relay([
        [(socket) => void socket.write(STREAM_HEAD + ROLE + text('good') + frame('bad'))],
      ]);
      await settled;
      assert.deepEqual([sink.content, sink.errorFrame?.code], ['good', 'invalid_provider_response']);
    });

    it('the deadline of the whole request', async () => {
      const { sink, settled } = await relay([[(socket) => void socket.write(STREAM_HEAD + ROLE + text('a'))]], {
        request: { timeoutMs: 80, answerWithinMs: 80 },
      });
      await settled;
      assert.equal(sink.errorFrame?.code, 'deadline_exceeded');
      const [cut] = providers;
      if (cut?.sockets.size) await once(cut.events, 'closed');
    });
  });

  describe('the client', () => {
    it('that leaves cuts the provider off at once', async () => {
      for (const script of [silent, ((socket) => void socket.write(STREAM_HEAD + ROLE + text('a'))) satisfies Script]) {
        const started = await provider(script);
        const running = run(pools, [model('m', [started.baseUrl])]);
        await (script === silent ? once(started.events, 'request') : once(running.sink.events, 'write'));
        const closed = once(started.events, 'closed');
        running.sink.gone = true;
        running.relay.clientGone();
        assert.equal(running.observed[0]?.end?.errorType, 'client_aborted');
        await closed;
        const { clientAborted, error } = await running.settled;
        assert.deepEqual([clientAborted, error], [true, null]);
        running.relay.clientGone();
        running.relay.clientDrained();
        assert.equal(running.outcomes.length, 1);
      }
    });

    it('that leaves in the pause before a second chance is not served', async () => {
      const started = await provider(fails(500), says('a'));
      const running = run(pools, [model('m', [started.baseUrl])]);
      while (running.observed[0]?.end == null) await new Promise((resolve) => setImmediate(resolve));
      running.sink.gone = true;
      running.relay.clientGone();
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.deepEqual([started.requests.length, running.outcomes.length], [1, 1]);
    });

    it('that does not read stops the provider, and nothing is lost', async () => {
      const many = 4_000;
      const long = 'x'.repeat(4_000);
      let written = 0;
      const flood: Script = async (socket) => {
        socket.write(STREAM_HEAD + ROLE);
        for (written = 0; written < many; written++) {
          if (!socket.write(text(long))) await once(socket, 'drain');
        }
        socket.write(FINISH + USAGE + DONE + STREAM_END);
      };
      const started = await provider(flood);
      const {
        relay: paused,
        sink,
        settled,
      } = run(pools, [model('m', [started.baseUrl], { timeouts: { streamStallMs: 30 } })]);
      sink.accepts = false;
      await once(sink.events, 'write');
      // Longer than the stall limit: the provider is not to blame for the client's pause.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const held = sink.sent.length;
      assert.ok(written < many, 'the provider was stopped');
      assert.ok(held < 1_000_000, `${held} bytes came although the client does not read`);
      assert.equal(sink.ended, false);
      sink.accepts = true;
      paused.clientDrained();
      assert.equal((await settled).error, null);
      assert.equal(sink.content.length, many * long.length);
    });

    it('waiting long for the first token gets comments, and then the answer', async () => {
      const late: Script = (socket) => void setTimeout(() => says('late')(socket, ''), 90);
      const { sink, settled } = await relay([[late]], { request: { keepAliveMs: 25 } });
      assert.equal((await settled).error, null);
      assert.equal(sink.openedBy, '');
      assert.match(sink.sent, /^(: keep-alive\n\n){2,}data: /);
      assert.equal(sink.content, 'late');
    });

    it('that got a comment hears of a failure in the stream', async () => {
      const late: Script = (socket) => void setTimeout(() => fails(400)(socket, ''), 60);
      const { sink, settled } = await relay([[late]], { request: { keepAliveMs: 25 } });
      await settled;
      assert.equal(sink.openedBy, '');
      assert.equal(sink.errorFrame?.message, 'said 400');
      assert.equal(sink.error, null);
    });

    it('that does not even take comments is not flooded by the provider that answers at last', async () => {
      const late: Script = (socket) => void setTimeout(() => resets(socket, ''), 60);
      let written = 0;
      const flood: Script = async (socket) => {
        socket.write(STREAM_HEAD + ROLE);
        for (written = 0; written < 4_000; written++)
          if (!socket.write(text('x'.repeat(4_000)))) await once(socket, 'drain');
      };
      const [a, b] = await Promise.all([provider(late), provider(flood)]);
      const running = run(pools, [model('m', [a?.baseUrl ?? '', b?.baseUrl ?? ''])], { request: { keepAliveMs: 25 } });
      running.sink.accepts = false;
      while (written === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(running.sink.sent.length < 1_000_000);
      running.sink.gone = true;
      running.relay.clientGone();
    });
  });

  it('USAGE in a chunk of its own is asked for and passed on when the client wants it', async () => {
    const { sink, settled } = await relay(
      [[(socket) => void socket.write(STREAM_HEAD + ROLE + text('a') + FINISH + USAGE + DONE + STREAM_END)]],
      {
        body: { stream_options: { include_usage: true } },
      },
    );
    await settled;
    assert.equal(JSON.parse(sink.frames.at(-2) ?? '').usage.total_tokens, 15);
  });
});
