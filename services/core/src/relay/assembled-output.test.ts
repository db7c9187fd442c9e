import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import type { EndpointTimeouts } from '../catalog/index.ts';
import { UpstreamPools } from '../upstream/index.ts';
import {
  answers,
  completion,
  DONE,
  delta,
  FINISH,
  fails,
  frame,
  model,
  planOf,
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

type Written = Record<string, unknown> & { readonly stream?: unknown };

const bodyOf = (request: string): Written => JSON.parse(request.slice(request.indexOf('\r\n\r\n') + 4));
/** What of each request says how it wants its answer. */
const asked = ({ requests }: ScriptedProvider): unknown[] => requests.map((request) => bodyOf(request).stream);

const writes =
  (...frames: string[]): Script =>
  (socket) =>
    void socket.write(STREAM_HEAD + ROLE + frames.join(''));
/** Then the connection breaks. */
const breaksAfter =
  (...frames: string[]): Script =>
  (socket) =>
    void socket.write(STREAM_HEAD + ROLE + frames.join(''), () => setImmediate(() => socket.resetAndDestroy()));
/** A frame at a time, so many milliseconds apart. */
const paced =
  (ms: number, ...frames: string[]): Script =>
  (socket) => {
    socket.write(STREAM_HEAD + ROLE);
    frames.forEach((one, i) => {
      setTimeout(() => socket.write(one), ms * (i + 1));
    });
  };

describe('a whole answer, asked for while another endpoint is left', () => {
  const started: { stop(): void }[] = [];
  const pools: UpstreamPools[] = [];
  let providers: readonly ScriptedProvider[] = [];

  afterEach(async () => {
    for (const one of started.splice(0)) one.stop();
    await Promise.all(pools.splice(0).map((pool) => pool.close()));
  });

  async function endpoints(scripts: readonly Script[][], options?: Parameters<typeof model>[2]) {
    providers = await Promise.all(scripts.map((own) => ScriptedProvider.start(...own)));
    started.push(...providers);
    return model(
      'a',
      providers.map(({ baseUrl }) => baseUrl),
      options,
    );
  }

  function ask(served: ReturnType<typeof model>, options: RunOptions = {}): Running {
    const pool = new UpstreamPools();
    pools.push(pool);
    return run(pool, [served], { stream: false, ...options });
  }

  const [first, second] = [() => providers[0] as ScriptedProvider, () => providers[1] as ScriptedProvider];
  const answer = ({ sink }: Running) => JSON.parse(sink.body ?? 'null');
  const contentOf = (running: Running): unknown => answer(running)?.choices[0].message.content;

  const silence = { firstTokenMs: 60 };
  const stalls = { streamStallMs: 60 };
  const breaks: [what: string, script: Script, failure: string, timeouts?: Partial<EndpointTimeouts>][] = [
    ['never answers', silent, 'silent', silence],
    ['opens a stream and says nothing', writes(), 'silent', silence],
    ['is cut off', (socket) => void socket.end(STREAM_HEAD + ROLE + text('half')), 'stream_broken'],
    ['ends without a finish reason', writes(text('half'), STREAM_END), 'stream_broken'],
    ['stalls behind content', writes(text('half')), 'stream_broken', stalls],
    ['stalls behind its thoughts', writes(delta({ reasoning_content: 'hm' })), 'stream_broken', stalls],
    [
      'stalls in a tool call',
      writes(delta({ tool_calls: [{ index: 0, id: 'c', function: { name: 'f' } }] })),
      'stream_broken',
      stalls,
    ],
    ['is reset at the third token', breaksAfter(text('a'), text('b'), text('c')), 'stream_broken'],
    ['sends a malformed chunk', writes(text('half'), frame('{"choices":[')), 'stream_broken'],
    ['finishes without a word', writes(FINISH, USAGE, DONE, STREAM_END), 'empty_success'],
  ];
  for (const [what, script, failure, timeouts = {}] of breaks) {
    it(`comes whole from the second when the first ${what}`, async () => {
      const running = ask(await endpoints([[script], [answers(200, completion('all of it'))]], { timeouts }));
      const outcome = await running.settled;
      assert.equal(contentOf(running), 'all of it');
      assert.deepEqual([outcome.error, outcome.attempts, running.sink.openedBy], [null, 2, null]);
      assert.deepEqual(running.health.told, ['a0:up began', `a0:up ${failure}`, 'a1:up began', 'a1:up answered']);
      // The last one left is asked for what the client asked for.
      assert.deepEqual([asked(first()), asked(second())], [[true], [false]]);
    });
  }

  it('is put together, with its usage, its price and the metadata in their places', async () => {
    const running = ask(await endpoints([[says('Hello')], [silent]]), { request: { metadataAtTop: true } });
    const outcome = await running.settled;
    const { choices, usage, provider_metadata: top, ...head } = answer(running);
    assert.deepEqual(head, {
      id: 'gen_01K8KPJ0FZA7172X6CSGNZGDWY',
      object: 'chat.completion',
      created: 1,
      model: 'a',
    });
    const { provider_metadata: metadata, ...message } = choices[0].message;
    assert.deepEqual(message, { role: 'assistant', content: 'Hello', refusal: null });
    assert.deepEqual(metadata, top);
    assert.deepEqual([metadata.gateway.cost, metadata.gateway.usageSource], ['0.00006', 'provider']);
    assert.equal(metadata.gateway.routing.attempts[0].success, true);
    assert.equal(usage.total_tokens, 15);
    assert.deepEqual([outcome.accounted?.costUsd, outcome.usage?.completionTokens], ['0.00006', 5]);
    assert.equal(running.sink.answeredBy, 'a0');
    assert.equal(typeof running.health.outcomes[0]?.ttftMs, 'number');
    const { stream, stream_options } = bodyOf(first().requests[0] ?? '');
    assert.deepEqual([stream, stream_options], [true, { include_usage: true }]);
  });

  it('is waited for while it grows, for longer than a first token may take, and the client hears nothing until it is whole', async () => {
    const words = ['one', ' two', ' three', ' four', ' five', ' six'].map(text);
    const slow = paced(50, delta({ reasoning_content: 'hm' }), ...words, FINISH + USAGE + DONE + STREAM_END);
    const served = await endpoints([[slow], [silent]], { timeouts: { firstTokenMs: 200, streamStallMs: 5_000 } });
    const running = ask(served, { request: { keepAliveMs: 10 } });
    const outcome = await running.settled;
    assert.equal(contentOf(running), 'one two three four five six');
    assert.deepEqual([outcome.attempts, running.sink.writes], [1, []]);
  });

  it('is complete without the terminal event', async () => {
    const running = ask(await endpoints([[writes(text('all'), FINISH)], [silent]], { timeouts: stalls }));
    await running.settled;
    assert.equal(contentOf(running), 'all');
  });

  it('has all choices, though they come interleaved', async () => {
    const piece = (index: number, content: string, finish_reason: string | null = null) =>
      frame({ id: 'up', model: 'up-model', created: 1, choices: [{ index, delta: { content }, finish_reason }] });
    const both = [piece(1, 'b'), piece(0, 'a'), piece(1, 'd'), piece(0, 'c', 'stop'), piece(1, '', 'length')];
    const served = await endpoints([[writes(...both, DONE, STREAM_END)], [silent]]);
    const running = ask(served, { body: { n: 2 } });
    await running.settled;
    const said = answer(running).choices.map(
      (choice: { index: number; message: { content: string }; finish_reason: string }) => [
        choice.index,
        choice.message.content,
        choice.finish_reason,
      ],
    );
    assert.deepEqual(said, [
      [0, 'ac', 'stop'],
      [1, 'bd', 'length'],
    ]);
  });

  it('fails as any other where the request is to blame', async () => {
    const running = ask(await endpoints([[fails(400, { param: 'temperature' })], [silent]]));
    const { error, attempts } = await running.settled;
    assert.deepEqual([error?.param, error?.status, attempts], ['temperature', 400, 1]);
  });

  it('ends when the client goes', async () => {
    const running = ask(await endpoints([[writes(text('half'))], [silent]]));
    await once(first().events, 'request');
    running.relay.clientGone();
    await once(first().events, 'closed');
    assert.equal((await running.settled).clientAborted, true);
    assert.deepEqual(running.health.told, ['a0:up began', 'a0:up abandoned']);
  });

  it('says which tier served it, when that is not the ordinary one or another was asked for', async () => {
    const tiers: [served: string, asked: object, said: string | undefined][] = [
      ['default', {}, undefined],
      ['default', { service_tier: 'priority' }, 'default'],
      ['default', { providerOptions: { gateway: { serviceTier: 'flex' } } }, 'default'],
      ['flex', {}, 'flex'],
    ];
    for (const [service_tier, body, said] of tiers) {
      const streamed = frame({ id: 'up', choices: [{ index: 0, delta: { content: 'x' } }], service_tier });
      const whole = answers(200, { ...completion('x'), service_tier });
      for (const scripts of [[[writes(streamed, FINISH, USAGE, DONE, STREAM_END)], [silent]], [[whole]]]) {
        const running = ask(await endpoints(scripts), { body });
        await running.settled;
        const { provider_metadata: metadata } = answer(running).choices[0].message;
        assert.deepEqual([metadata.gateway.serviceTier, answer(running).service_tier], [said, service_tier]);
      }
    }
  });

  describe('of an endpoint that does not stream', () => {
    const whole = answers(200, completion('all of it'));

    it('is taken as it comes, and the next one is not asked for as a stream', async () => {
      const served = await endpoints([[whole], [silent]]);
      for (const ways of [[true], [true, false]]) {
        const running = ask(served);
        assert.equal((await running.settled).error, null);
        assert.equal(contentOf(running), 'all of it');
        assert.deepEqual(asked(first()), ways);
      }
    });

    for (const refusal of [
      { param: 'stream', message: 'Your organization must be verified to stream this model.' },
      { message: "This model doesn't support tool use in streaming mode." },
    ]) {
      it(`is asked for again, as the client did: ${refusal.message}`, async () => {
        const served = await endpoints([[fails(400, refusal), whole], [silent]]);
        for (const ways of [
          [true, false],
          [true, false, false],
        ]) {
          const running = ask(served);
          assert.equal((await running.settled).error, null);
          assert.equal(contentOf(running), 'all of it');
          assert.deepEqual([asked(first()), second().requests.length], [ways, 0]);
        }
      });
    }

    it('is asked for again where the credential is not for streams', async () => {
      const served = await endpoints([[fails(403, { param: 'stream' }), whole], [silent]]);
      for (const ways of [
        [true, false],
        [true, false, false],
      ]) {
        const running = ask(served);
        assert.equal((await running.settled).error, null);
        assert.deepEqual([asked(first()), second().requests.length], [ways, 0]);
      }
    });

    it('is not given up because of a request that is wrong either way', async () => {
      const wrong = fails(400, { message: "Invalid tool name 'stream it'." });
      const served = await endpoints([[wrong, wrong, says('Hello')], [silent]]);
      assert.equal((await ask(served).settled).error?.status, 400);
      const running = ask(served);
      await running.settled;
      assert.equal(contentOf(running), 'Hello');
      assert.deepEqual(asked(first()), [true, false, true]);
    });

    it('is not asked for as one that would hide what it used', async () => {
      const served = await endpoints([[writes(text('a'), FINISH, DONE, STREAM_END), whole], [silent]]);
      const running = ask(served);
      await running.settled;
      assert.deepEqual([contentOf(running), answer(running).usage], ['a', undefined]);
      await ask(served).settled;
      assert.deepEqual(asked(first()), [true, false]);
    });

    it('is asked for as one still when a stream that tells what it used has failed to once', async () => {
      const untold = writes(text('a'), FINISH, DONE, STREAM_END);
      const served = await endpoints([[says('Hello'), untold, says('again')], [silent]]);
      for (const content of ['Hello', 'a', 'again']) {
        const running = ask(served);
        await running.settled;
        assert.equal(contentOf(running), content);
      }
      assert.deepEqual(asked(first()), [true, true, true]);
    });
  });

  describe('is asked for as it is', () => {
    it('of the only endpoint, byte for byte', async () => {
      const running = ask(await endpoints([[answers(200, completion('all of it'))]]));
      assert.equal((await running.settled).error, null);
      const sent = first().requests[0]?.split('\r\n\r\n')[1];
      assert.equal(sent, '{"model":"up","messages":[{"role":"user","content":"Hi"}],"stream":false}');
    });

    it('when it has sound', async () => {
      const served = await endpoints([[answers(200, completion('all of it'))], [silent]]);
      const running = ask(served, {
        body: { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'mp3' } },
      });
      assert.equal((await running.settled).error, null);
      assert.deepEqual(asked(first()), [false]);
    });
  });

  it("of the only endpoint, keeps to the client's own limit for the first token", async () => {
    const served = await endpoints([[silent]], { timeouts: { firstTokenMs: 50 } });
    const running = ask(served, { request: { plan: planOf([served], { firstTokenBinds: true }) } });
    const { error } = await running.settled;
    assert.equal(error?.code, 'first_token_timeout');
    assert.deepEqual(asked(first()), [true]);
  });
});
