import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, describe, it } from 'node:test';
import { UpstreamPools } from '../upstream/index.ts';
import {
  answers,
  completion,
  DONE,
  FINISH,
  fails,
  frame,
  model,
  planOf,
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
} from './scripted.testing.ts';

describe('what health is told of attempts', () => {
  const pools = new UpstreamPools();
  const providers: ScriptedProvider[] = [];
  afterEach(() => {
    for (const provider of providers.splice(0)) provider.stop();
  });
  after(() => pools.close());

  async function relay(
    scripts: readonly (readonly Script[])[],
    options: RunOptions & Parameters<typeof model>[2] = {},
    planned: Parameters<typeof planOf>[1] = {},
  ): Promise<Running> {
    const started = await Promise.all(scripts.map((list) => ScriptedProvider.start(...list)));
    providers.push(...started);
    const urls = started.map(({ baseUrl }) => baseUrl);
    const models = [model('m', urls, options)];
    return run(pools, models, { ...options, request: { plan: planOf(models, planned), ...options.request } });
  }

  const cases: [name: string, scripts: Script[], told: string[], status: number | null][] = [
    ['an answer', [says('a')], ['answered'], 200],
    ['a refusal that the caller is to blame for', [fails(400)], ['answered'], 400],
    ['a content filter', [fails(400, { code: 'content_filter' })], ['answered'], 400],
    ['too long a prompt', [fails(400, { code: 'context_length_exceeded' })], ['answered'], 400],
    ['a refused key', [fails(401)], ['auth'], 401],
    ['an exhausted account', [fails(402)], ['auth'], 402],
    ['a rate limit', [fails(429)], ['rate_limited'], 429],
    ['an outage, each time', [fails(500), fails(503)], ['overloaded', 'overloaded'], 503],
    ['a reset', [resets, says('a')], ['overloaded', 'answered'], 200],
    [
      'a broken stream',
      [(socket) => void socket.write(STREAM_HEAD + ROLE + text('a') + frame('{"a'))],
      ['stream_broken'],
      200,
    ],
  ];
  for (const [name, scripts, told, status] of cases) {
    it(name, async () => {
      const { settled, health } = await relay([scripts]);
      await settled;
      assert.deepEqual(
        health.told,
        told.flatMap((what) => ['m0:up began', `m0:up ${what}`]),
      );
      assert.equal(health.inFlight, 0);
      const last = health.outcomes.at(-1);
      assert.deepEqual([last?.provider, last?.status], ['m0', status]);
    });
  }

  describe('of a trial', () => {
    const onTrial = ['m0:up'];
    const begun = STREAM_HEAD + ROLE;
    const end = text('b') + FINISH + DONE + STREAM_END;

    it('its first content, long before its end', async () => {
      let finish: (() => void) | undefined;
      const slow: Script = (socket) => {
        socket.write(begun + text('a'));
        finish = () => void socket.write(end);
      };
      const { settled, health, sink } = await relay([[slow]], { onTrial });
      await once(sink.events, 'write');
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(health.told, ['m0:up began', 'm0:up answering']);
      finish?.();
      await settled;
      assert.deepEqual(health.told, ['m0:up began', 'm0:up answering', 'm0:up answered']);
      assert.equal(health.outcomes[0]?.startedAt, health.answeringSince[0]);
    });

    it('the break behind it', async () => {
      const broken: Script = (socket) => void socket.end(begun + text('a'));
      const { settled, health } = await relay([[broken]], { onTrial });
      await settled;
      assert.deepEqual(health.told, ['m0:up began', 'm0:up answering', 'm0:up stream_broken']);
      assert.equal(health.outcomes[0]?.startedAt, health.answeringSince[0]);
    });

    it('nothing of content that did not come', async () => {
      const empty: Script = (socket) => void socket.end(begun);
      const { settled, health } = await relay([[empty], [says('b')]], { onTrial });
      await settled;
      assert.deepEqual(health.told, ['m0:up began', 'm0:up stream_broken', 'm1:up began', 'm1:up answered']);
    });

    it('also of a whole answer that is watched as a stream', async () => {
      const slow: Script = (socket) => {
        socket.write(begun + text('a'));
        setTimeout(() => socket.write(end), 40);
      };
      const { settled, health } = await relay([[slow], [says('b')]], { onTrial, stream: false });
      await settled;
      assert.deepEqual(health.told, ['m0:up began', 'm0:up answering', 'm0:up answered']);
    });
  });

  it('an empty success', async () => {
    const empty: Script = (socket) => void socket.write(STREAM_HEAD + ROLE + FINISH + DONE + STREAM_END);
    const { settled, health } = await relay([[empty], [says('b')]]);
    await settled;
    assert.deepEqual(health.told, ['m0:up began', 'm0:up empty_success', 'm1:up began', 'm1:up answered']);
  });

  it('how long it asked to be left alone, if it did', async () => {
    const { settled, health } = await relay([
      [fails(429, {}, 'retry-after: 70\r\n')],
      [fails(429)],
      [fails(503, {}, 'retry-after: 90\r\n')],
    ]);
    await settled;
    assert.deepEqual(
      health.outcomes.map(({ retryAfterMs }) => retryAfterMs),
      [70_000, undefined, 90_000],
    );
  });

  it('how fast it was', async () => {
    const usage = frame({
      id: 'up',
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 20, total_tokens: 21 },
    });
    const paced: Script = (socket) => {
      socket.write(STREAM_HEAD + ROLE);
      setTimeout(() => socket.write(text('a')), 40);
      setTimeout(() => socket.write(text('b') + FINISH + usage + DONE + STREAM_END), 140);
    };
    const { settled, health } = await relay([[paced]]);
    const before = performance.now();
    await settled;
    const [outcome] = health.outcomes;
    assert.ok(outcome && outcome.startedAt >= before - 50 && outcome.startedAt < performance.now());
    assert.ok(outcome.ttftMs !== null && outcome.ttftMs >= 38 && outcome.ttftMs < 120, `${outcome.ttftMs}`);
    // 20 tokens in 100 ms.
    const pace = outcome.tokensPerSecond ?? 0;
    assert.ok(pace > 100 && pace < 260, `${pace}`);
  });

  it('but not what cannot be told: of few tokens, of a whole answer, of a client that did not keep up', async () => {
    const few = await relay([[says('a')]]);
    await few.settled;
    assert.equal(few.health.outcomes[0]?.tokensPerSecond, null);
    const whole = await relay([[answers(200, completion('a'))]], { stream: false });
    await whole.settled;
    const [outcome] = whole.health.outcomes;
    assert.deepEqual([outcome?.failure, outcome?.ttftMs, outcome?.tokensPerSecond], [null, null, null]);
    const usage = frame({
      id: 'up',
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 50, total_tokens: 51 },
    });
    const paced: Script = (socket) => {
      socket.write(STREAM_HEAD + ROLE + text('a'));
      setTimeout(() => socket.write(text('b') + FINISH + usage + DONE + STREAM_END), 60);
    };
    const slow = await relay([[paced]]);
    slow.sink.accepts = false;
    await once(slow.sink.events, 'write');
    slow.sink.accepts = true;
    slow.relay.clientDrained();
    await slow.settled;
    assert.deepEqual([slow.health.outcomes[0]?.failure, slow.health.outcomes[0]?.tokensPerSecond], [null, null]);
  });

  it('nothing of an attempt with a credential of the caller', async () => {
    const { settled, health } = await relay([[fails(401)], [says('b')]], {}, { credentialType: 'byok' });
    assert.equal((await settled).error, null);
    assert.deepEqual(health.told, []);
  });

  it('nothing of a request that could not be made', async () => {
    const { settled, health } = await relay([[says('a')]], { body: { reasoning: { effort: 'low', max_tokens: 5 } } });
    await settled;
    assert.deepEqual(health.told, ['m0:up began', 'm0:up abandoned']);
    const odd = await relay([[says('a')]], { dialect: 'klingon' });
    await odd.settled;
    assert.deepEqual(odd.health.told, ['m0:up began', 'm0:up abandoned']);
  });

  describe('when the client leaves or its time is over', () => {
    async function cut(
      script: Script,
      firstTokenMs: number,
      planned: Parameters<typeof planOf>[1] = {},
    ): Promise<string | undefined> {
      const { settled, health } = await relay(
        [[script]],
        { timeouts: { firstTokenMs }, request: { answerWithinMs: 60, timeoutMs: 60 } },
        planned,
      );
      assert.equal((await settled).error?.code, 'deadline_exceeded');
      assert.equal(health.inFlight, 0);
      return health.told.at(-1);
    }

    it('the endpoint is to blame only for a silence that the operator does not allow', async () => {
      const begun: Script = (socket) => void socket.write(STREAM_HEAD + ROLE + text('a'));
      assert.equal(await cut(silent, 5_000), 'm0:up abandoned');
      assert.equal(await cut(silent, 20), 'm0:up silent');
      assert.equal(await cut(begun, 20), 'm0:up abandoned');
    });

    it('leaving tells nothing', async () => {
      const { relay: left, sink, health } = await relay([[silent]]);
      const [provider] = providers;
      if (provider?.requests.length === 0) await once(provider.events, 'request');
      sink.gone = true;
      left.clientGone();
      assert.deepEqual(health.told, ['m0:up began', 'm0:up abandoned']);
      assert.equal(health.inFlight, 0);
    });

    it("a limit of the client's own closes no endpoint to others", async () => {
      const started = await ScriptedProvider.start(silent);
      providers.push(started);
      const catalog = model('m', [started.baseUrl], { timeouts: { firstTokenMs: 5_000 } });
      const [endpoint] = catalog.endpoints;
      assert.ok(endpoint);
      const wished = { ...endpoint, timeouts: { ...endpoint.timeouts, firstTokenMs: 30 } };
      const { settled, health } = run(pools, [catalog], {
        request: { plan: planOf([catalog], { endpoint: wished, firstTokenBinds: true }) },
      });
      assert.equal((await settled).error?.code, 'first_token_timeout');
      assert.deepEqual(health.told, ['m0:up began', 'm0:up abandoned']);
    });
  });

  it("a refusal of the caller's credential moves on to the next, and does not blame the gateway's", async () => {
    const all = await relay([[fails(401)], [fails(403)]], {}, { credentialType: 'byok' });
    await all.settled;
    assert.deepEqual([all.sink.error?.status, all.sink.error?.param], [502, 'providerOptions.gateway.byok']);
    assert.equal(all.sink.error?.message, 'The provider m1 refused a credential of this request.');
    assert.equal(JSON.stringify(all.sink.error?.toBody()).includes('topsecret'), false);
    const next = await relay([[fails(401)], [says('b')]], {}, { credentialType: 'byok' });
    await next.settled;
    assert.equal(next.sink.content, 'b');
    assert.match(next.sink.sent, /"credentialType":"byok"/);
  });
});
