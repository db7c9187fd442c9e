import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { type ChatResult, chat, question } from './chat-client.ts';
import { CREDENTIAL, configuration, pairsOf, targetOf } from './configuration.ts';
import { idle, metrics, total } from './observe.ts';

const PAIRS = 80;
/** What one test does to its providers must not send the next one past them. */
const nextPair = pairsOf(PAIRS);

/** Ample for processes that have just started, with all tests of a group upon them at once. */
const FIRST_TOKEN_MS = 1_000;

let stack: Stack;

before(async () => {
  stack = await startStack({
    config: ([simulator]) =>
      configuration(simulator, {
        pairs: PAIRS,
        server: { requestTimeoutMs: 5_000 },
        timeouts: { connectMs: 1_000, firstTokenMs: FIRST_TOKEN_MS, streamStallMs: 1_000 },
        providers: {
          gamma: { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: CREDENTIAL },
          claude: { dialect: 'anthropic', baseUrl: simulator?.url, apiKey: CREDENTIAL },
        },
        models: [
          ['test/claude', 'claude'],
          ['test/claude-first', 'claude', 'alpha'],
          ['test/claude-last', 'gamma', 'claude'],
        ].map(([id, ...providers]) => ({ id, endpoints: providers.map((provider) => ({ provider, model: 'one' })) })),
      }),
  });
});

after(() => stack.stop());

/** The fault is alpha's alone: beta answers. */
const ask = (model: string, stream: boolean, fault: string): Promise<ChatResult> =>
  chat(targetOf(stack), {
    model,
    stream,
    messages: question(`${fault && `[[sim ${fault} for=one]] `}[[sim tokens=20]] Who answers?`),
  });

/** Each fault, the status of alpha's attempts as metadata shows it, and how many there are. */
const FAULTS: readonly (readonly [fault: string, status: number | undefined, attempts: number])[] = [
  ['status=401', 401, 1],
  ['status=403', 403, 1],
  ['status=429', 429, 1],
  ['status=429 retry-after=600', 429, 1],
  ['status=500', 500, 2],
  ['status=503', 503, 2],
  ['status=529', 529, 2],
  ['reset=before', undefined, 2],
  ['reset=after', 200, 2],
  ['empty', 200, 1],
  // A whole answer is asked for as a stream while another provider is left, so that these are noticed there, too.
  ['hang', undefined, 1],
  ['silent', 200, 1],
  ['slow=3000', undefined, 1],
  ['ttft=3000', 200, 1],
  ['cut=0', 200, 1],
  ['tear=0', 200, 1],
  ['reset=0', 200, 1],
  ['stall=0', 200, 1],
  ['malformed=0', 200, 1],
  ['stream-error=0', 200, 2],
];

/** Behind content: only a whole answer can still begin anew elsewhere as if nothing had been. */
const LATE_FAULTS: typeof FAULTS = [
  ['cut=7', 200, 1],
  ['tear=7', 200, 1],
  ['reset=7', 200, 1],
  ['stall=7', 200, 1],
  ['malformed=7', 200, 1],
  ['stream-error=7', 200, 2],
];

for (const stream of [false, true]) {
  const faults = stream ? FAULTS : [...FAULTS, ...LATE_FAULTS];
  describe(`another provider takes over, ${stream ? 'stream' : 'JSON'}`, { concurrency: true }, () => {
    for (const [fault, status, attempts] of faults) {
      test(fault, async () => {
        const { model, alpha, beta } = nextPair();
        const [answer, calm] = await Promise.all([ask(model, stream, fault), ask(model, stream, '')]);
        assert.equal(answer.status, 200, answer.raw);
        assert.deepEqual(answer.errors, []);
        assert.equal(answer.done, stream);
        assert.equal(answer.finishReason, 'stop');
        assert.equal(answer.text, calm.text, 'complete, and nothing of the failed attempt in it');
        assert.deepEqual([...answer.models], [model], "the public id, never a provider's own");
        assert.equal(answer.headers['x-headgate-provider'], beta);

        const { metadata } = answer;
        assert.equal(metadata?.routing.finalProvider, beta);
        const failed = metadata.routing.attempts.filter(({ success }) => !success);
        assert.equal(failed.length, attempts);
        for (const attempt of failed) {
          assert.equal(attempt.provider, alpha);
          assert.equal(attempt.statusCode, status);
          assert.ok((attempt.error ?? '').length > 0);
        }
        assert.equal(metadata.routing.attempts.length, attempts + 1);
        assert.equal(metadata.routing.attempts.at(-1)?.provider, beta);
        assert.equal(metadata.routing.attempts.at(-1)?.success, true);
        assert.ok(Number(metadata.cost) > 0);
        assert.equal(metadata.cost, calm.metadata?.cost, 'failed attempts cost nothing');
      });
    }

    test('when all fail the last failure that tells something is the answer', async () => {
      const all = async (alpha: string, beta: string): Promise<ChatResult> =>
        chat(targetOf(stack), {
          model: nextPair().model,
          stream,
          messages: question(`[[sim ${alpha} for=one]] [[sim ${beta} for=two]] Who answers?`),
        });
      const limited = await all('status=429 retry-after=9', 'status=429 retry-after=4');
      assert.equal(limited.status, 429);
      assert.equal(limited.headers['retry-after-ms'], '4000', 'the first that may be asked again');
      assert.equal((await all('status=500', 'status=429')).status, 502, '429 only when every one was 429');
      assert.equal((await all('status=429', 'status=503')).status, 503);
      const refused = await all('status=500', 'status=401');
      assert.equal(refused.status, 502);
      assert.equal(refused.headers['x-should-retry'], 'false', 'the gateway has retried already');
    });

    test('an attempt that ran out of time is marked as such', async () => {
      const answer = await ask(nextPair().model, stream, 'hang');
      const [first] = answer.metadata?.routing.attempts ?? [];
      assert.equal(first?.providerTimeout, true);
      assert.equal(first.error, 'PROVIDER_TIMEOUT');
    });

    for (const [says, fault] of [
      ['says one word after the other', 'tps=14'],
      ['thinks first', 'think=40 tps=28'],
    ] as const) {
      test(`a provider that ${says} is waited for`, async () => {
        const { model, alpha } = nextPair();
        const calm = await ask(nextPair().model, stream, '');
        const begun = performance.now();
        const answer = await ask(model, stream, fault);
        assert.ok(performance.now() - begun > FIRST_TOKEN_MS);
        assert.equal(answer.text, calm.text);
        assert.equal(answer.headers['x-headgate-provider'], alpha);
        assert.equal(answer.metadata?.routing.attempts.length, 1);
      });
    }
  });

  test(`what a provider has no word for is asked of the next one, ${stream ? 'stream' : 'JSON'}`, async () => {
    const two = (model: string, more: object = {}) =>
      chat(targetOf(stack), { model, stream, n: 2, messages: question('[[sim tokens=3]] Heads or tails?'), ...more });
    const alone = await two('test/claude');
    assert.deepEqual(
      [alone.status, alone.errors[0]?.param, alone.errors[0]?.code],
      [400, 'n', 'unsupported_parameter'],
    );
    const answer = await two('test/claude-first');
    assert.deepEqual([answer.status, answer.headers['x-headgate-provider']], [200, 'alpha']);
    assert.deepEqual(
      answer.metadata?.routing.attempts.map(({ provider, success }) => [provider, success]),
      [
        ['claude', false],
        ['alpha', true],
      ],
    );
    // The request is none the worse for a provider that could not be asked.
    const failed = await two('test/claude-last', { messages: question('[[sim status=503 for=one]] Heads or tails?') });
    assert.deepEqual([failed.status, failed.errors[0]?.param], [503, null]);
  });

  test(`what another provider would refuse, too, is not asked of it, ${stream ? 'stream' : 'JSON'}`, async () => {
    for (const [fault, status] of [
      ['status=400', 400],
      ['error=content_filter', 400],
      ['status=404', 404],
    ] as const) {
      const since = await stack.simulator().lastSeq();
      assert.equal((await ask(nextPair().model, stream, fault)).status, status);
      assert.equal((await stack.simulator().requests({ since })).length, 1, fault);
    }
  });
}

test('one request is one in the metrics, however many attempts it took', async () => {
  const { model, alpha, beta } = nextPair();
  const before = await metrics(stack);
  await ask(model, false, 'status=500');
  const now = await metrics(stack);
  const rise = (name: string, labels: Record<string, string> = {}): number =>
    total(now, name, labels) - total(before, name, labels);
  assert.equal(rise('gateway_requests_total'), 1);
  assert.equal(rise('gateway_upstream_attempts_total', { gateway_provider: alpha, gateway_outcome: 'overloaded' }), 2);
  assert.equal(rise('gateway_upstream_attempts_total', { gateway_provider: beta, gateway_outcome: 'success' }), 1);
  assert.equal(rise('gateway_tokens_total', { gateway_provider: alpha }), 0);
  assert.equal(rise('gateway_tokens_total', { gateway_provider: beta, gateway_token_type: 'output' }), 20);
  await idle(stack);
});
