import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import fc from 'fast-check';
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
  resets,
  run,
  type Script,
  ScriptedProvider,
  STREAM_END,
  STREAM_HEAD,
  text,
  USAGE,
} from './scripted.testing.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

/** What a provider sends, piece by piece; 'wait' lets everybody else have a turn, 'cut' and 'reset' end the connection. */
const PIECES = {
  head: STREAM_HEAD,
  role: ROLE,
  text: text('x'),
  comment,
  malformed: frame('{"a'),
  error: frame({ error: { message: 'no', code: 500 } }),
  finish: FINISH,
  usage: USAGE,
  done: DONE,
  end: STREAM_END,
} as const;
type Step = keyof typeof PIECES | 'wait' | 'cut' | 'reset';

const step = fc.constantFrom<Step>(
  'role',
  'text',
  'text',
  'wait',
  'comment',
  'malformed',
  'error',
  'finish',
  'usage',
  'done',
  'end',
  'cut',
  'reset',
);
const stream: fc.Arbitrary<Script> = fc.array(step, { maxLength: 8 }).map((steps) => play(['head', ...steps]));
const good: Script = play(['head', 'role', 'text', 'wait', 'text', 'finish', 'usage', 'done', 'end']);
const script: fc.Arbitrary<Script> = fc.oneof(
  { arbitrary: stream, weight: 4 },
  fc.constantFrom<Script>(
    good,
    fails(500),
    fails(429),
    fails(429, {}, 'retry-after-ms: 5\r\n'),
    fails(503, {}, 'retry-after-ms: 10\r\n'),
    fails(401),
    fails(400),
    resets,
    answers(200, completion('x')),
    answers(200, '<html>'),
  ),
);
const client = fc.array(fc.constantFrom('wait', 'refuse', 'accept', 'drained', 'leave'), { maxLength: 8 });

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function play(steps: readonly Step[]): Script {
  return async (socket) => {
    for (const one of steps) {
      if (socket.destroyed || socket.writableEnded) return;
      if (one === 'wait') await turn();
      else if (one === 'cut') socket.end();
      else if (one === 'reset') socket.resetAndDestroy();
      else socket.write(PIECES[one]);
    }
  };
}

const pools = new UpstreamPools();
after(() => pools.close());

it('whatever happens, a request settles once, and the client gets a whole answer, an error, or has left', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(script, { minLength: 2, maxLength: 4 }),
      client,
      fc.boolean(),
      async (scripts, acts, streaming) => {
        const provider = await ScriptedProvider.start(...scripts);
        const models = [
          model('m', [provider.baseUrl, provider.baseUrl], { timeouts: { firstTokenMs: 25, streamStallMs: 20 } }),
        ];
        const { relay, sink, health, outcomes, settled, observed } = run(pools, models, {
          stream: streaming,
          request: {
            timeoutMs: 120,
            answerWithinMs: 100,
            keepAliveMs: 10,
            drainAborted: { when: 'billed', maxMs: 20, maxConcurrent: 8 },
          },
        });
        for (const act of acts) {
          if (act === 'wait') await turn();
          else if (act === 'leave' && !sink.ended) {
            sink.gone = true;
            relay.clientGone();
          } else if (act === 'drained') relay.clientDrained();
          else sink.accepts = act === 'accept';
        }
        sink.accepts = true;
        relay.clientDrained();
        const outcome = await settled;
        // Late events of the provider change nothing.
        await turn();
        await turn();
        provider.stop();
        assert.equal(outcomes.length, 1);
        assert.equal(outcome.clientAborted, sink.gone);
        assert.equal(outcome.attempts >= 1 && outcome.attempts <= 6, true);
        assert.ok(
          observed.every(({ end }) => end !== null),
          'every attempt ended',
        );
        assert.equal(health.inFlight, 0, 'for health, too');
        assert.equal(health.told.length, 2 * outcome.attempts);
        if (sink.gone) return;
        assert.equal(sink.ended, true);
        const proved = sink.frames.at(-1) === '[DONE]';
        if (outcome.error === null) assert.ok(streaming ? proved : sink.body !== null);
        else {
          assert.ok(sink.error !== null || sink.errorFrame !== null);
          assert.equal(sink.frames.includes('[DONE]'), false);
          assert.equal(sink.body, null);
        }
      },
    ),
    { seed: SEED, numRuns: 40 },
  );
});
