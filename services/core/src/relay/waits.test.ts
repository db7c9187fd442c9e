import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, describe, it } from 'node:test';
import { UpstreamPools } from '../upstream/index.ts';
import {
  answers,
  completion,
  fails,
  model,
  planOf,
  type Running,
  type RunOptions,
  run,
  type Script,
  ScriptedProvider,
  says,
  silent,
} from './scripted.testing.ts';

const limited = (ms: number): Script => fails(429, {}, `retry-after-ms: ${ms}\r\n`);

describe('Relay: what is waited for, and what is not', () => {
  const pools = new UpstreamPools();
  const providers: ScriptedProvider[] = [];
  afterEach(() => {
    for (const provider of providers.splice(0)) provider.stop();
  });
  after(() => pools.close());

  /** One provider a list of scripts, all endpoints of one model. */
  async function relay(
    scripts: readonly (readonly Script[])[],
    options: RunOptions & Parameters<typeof model>[2] = {},
  ): Promise<Running> {
    const started = await Promise.all(scripts.map((list) => ScriptedProvider.start(...list)));
    providers.push(...started);
    const urls = started.map(({ baseUrl }) => baseUrl);
    return run(pools, [model('m', urls, options)], options);
  }

  it('a 429 goes to the next endpoint at once', async () => {
    const { sink, settled } = await relay([[limited(5_000)], [says('b')]]);
    assert.equal((await settled).attempts, 2);
    assert.equal(sink.content, 'b');
    assert.equal(sink.timing?.waitMs, 0);
  });

  it('when nobody else is left, the endpoint that is free first is asked again', async () => {
    const { sink, settled, health } = await relay([
      [limited(300), says('late')],
      [limited(60), says('early')],
    ]);
    const { error, attempts } = await settled;
    assert.deepEqual([error, attempts, sink.content, sink.openedBy], [null, 3, 'early', 'm1']);
    assert.deepEqual(health.told, [
      'm0:up began',
      'm0:up rate_limited',
      'm1:up began',
      'm1:up rate_limited',
      'm1:up began',
      'm1:up answered',
    ]);
    const { waitMs, gatewayMs } = sink.timing ?? { waitMs: 0, gatewayMs: 0 };
    assert.ok(waitMs >= 50 && waitMs < 250, `waited ${waitMs}`);
    assert.ok(gatewayMs < 50, `what was waited for is no work of ours: ${gatewayMs}`);
  });

  it('for ever limited, it is asked six times at most, and the client is told how long to wait', async () => {
    const { sink, settled } = await relay([[limited(1)]], { stream: false });
    assert.equal((await settled).attempts, 6);
    assert.equal(sink.error?.status, 429);
    assert.ok((sink.error?.retryAfterMs ?? 2) <= 1);
    assert.equal(providers[0]?.requests.length, 6);
  });

  it('comments keep the connection alive meanwhile', async () => {
    const { sink, settled } = await relay([[limited(130), says('a')]], { request: { keepAliveMs: 30 } });
    assert.equal((await settled).error, null);
    assert.match(sink.sent, /^(: keep-alive\n\n){2,}data: /);
    assert.equal(sink.content, 'a');
    assert.equal(sink.timing?.attempts, 1, 'the headers went out with the first comment');
  });

  it('the client that leaves meanwhile is not served, and settled at once', async () => {
    const running = await relay([[limited(60), says('a')]]);
    while (running.observed[0]?.end == null) await new Promise((resolve) => setImmediate(resolve));
    running.sink.gone = true;
    running.relay.clientGone();
    assert.deepEqual([running.outcomes.length, running.outcomes[0]?.clientAborted], [1, true]);
    await new Promise((resolve) => setTimeout(resolve, 120));
    assert.deepEqual([providers[0]?.requests.length, running.outcomes.length], [1, 1]);
    assert.deepEqual(running.health.told, ['m0:up began', 'm0:up rate_limited']);
  });

  it('a pause that the deadline does not allow is not begun', async () => {
    const { sink, settled } = await relay([[limited(5_000)]], { request: { answerWithinMs: 2_000 } });
    const before = performance.now();
    assert.equal((await settled).attempts, 1);
    assert.ok(performance.now() - before < 1_000);
    assert.equal(sink.error?.status, 429);
  });

  it('a 503 that asks for a long pause goes to the next at once, and without another gets it', async () => {
    const busy = fails(503, {}, 'retry-after: 2\r\n');
    const { sink, settled, observed } = await relay([[busy, says('again')], [says('b')]]);
    await settled;
    assert.deepEqual([sink.content, observed.length], ['b', 2]);
    const short = await relay([[fails(529, {}, 'retry-after-ms: 70\r\n'), says('again')], [says('b')]]);
    await short.settled;
    assert.equal(short.sink.content, 'again');
    assert.ok((short.sink.timing?.waitMs ?? 0) >= 68);
  });

  it("the client's own time to the first token holds for the last endpoint, too", async () => {
    const started = await ScriptedProvider.start(silent);
    providers.push(started);
    const models = [model('m', [started.baseUrl], { timeouts: { firstTokenMs: 40 } })];
    const { sink, settled, health } = run(pools, models, {
      request: { plan: planOf(models, { firstTokenBinds: true }) },
    });
    const { error } = await settled;
    assert.deepEqual([error?.code, sink.error?.status, error?.failure], ['first_token_timeout', 504, 'silent']);
    if (started.sockets.size) await once(started.events, 'closed');
    assert.deepEqual(health.told, ['m0:up began', 'm0:up silent'], "which is the operator's here");
  });

  it('time is told where it went', async () => {
    const slow: Script = (socket) => void setTimeout(() => answers(200, completion('a'))(socket, ''), 60);
    const { sink, settled } = await relay([[fails(403)], [slow]], { stream: false });
    const outcome = await settled;
    const timing = sink.timing ?? { gatewayMs: -1, upstreamMs: -1, waitMs: -1, attempts: -1 };
    assert.deepEqual([timing.attempts, timing.waitMs], [2, 0]);
    assert.ok(timing.upstreamMs >= 58, `upstream ${timing.upstreamMs}`);
    assert.ok(timing.gatewayMs >= 0 && timing.gatewayMs < timing.upstreamMs, `gateway ${timing.gatewayMs}`);
    assert.ok(outcome.gatewayMs >= timing.gatewayMs);
    const refused = await relay([[fails(400)]], { stream: false });
    await refused.settled;
    assert.equal(refused.sink.timing?.attempts, 1, 'also with an error');
  });
});
