import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Workshop } from '../conformance/workshop.ts';
import { type Stack, withStack } from '../support/stack.ts';
import { type Gateway, reference } from './client.ts';
import { limits } from './configuration.ts';
import { PRICES, providersOn } from './providers.ts';
import { retryAfter, SCALE, scaled } from './timing.ts';

/** What the seed's examples ask for, and the first provider of their `order`. */
const SONNET = 'anthropic/claude-sonnet-4';
const AT_ANTHROPIC = 'claude-sonnet-4-20250514';
const ON_VERTEX = 'claude-sonnet-4@20250514';
const QUESTION = 'Tell me the history of the San Francisco Mission-style burrito in two paragraphs.';

interface Case {
  readonly name: string;
  readonly fault: Readonly<Record<string, unknown>> | null;
  /** Providers of the attempts, in order. */
  readonly attempts: readonly ('vertex' | 'anthropic')[];
  /** Of a stream. */
  readonly resumed?: true;
}

const OVER = ['vertex', 'anthropic'] as const;

/** The refusal of the credential comes last: it holds for all of the provider's endpoints, and for longer than a test. */
const CASES: readonly Case[] = [
  { name: 'up', fault: null, attempts: ['vertex'] },
  { name: 'failing (503)', fault: { status: 503 }, attempts: ['vertex', 'vertex', 'anthropic'] },
  { name: 'slow (first token after 20 s)', fault: { ttft: scaled(20_000) }, attempts: OVER },
  { name: 'dead in mid-stream (cut)', fault: { cut: 10 }, attempts: OVER, resumed: true },
  {
    name: 'dead in mid-stream (stalled for 30 s)',
    fault: { stall: `10:${scaled(30_000)}` },
    attempts: OVER,
    resumed: true,
  },
  { name: 'dead in mid-stream (TCP reset)', fault: { reset: 10 }, attempts: OVER, resumed: true },
  { name: 'failing (429)', fault: { status: 429, ...retryAfter(2_000) }, attempts: OVER },
  { name: 'failing (401)', fault: { status: 401 }, attempts: OVER },
  { name: 'failing (401) still, and no longer asked', fault: { status: 401 }, attempts: ['anthropic'] },
];

const EXAMPLES = [
  { file: 'provider-options.ts', stream: false },
  { file: 'streaming-provider-options.ts', stream: true },
];

async function runAll(file: string, stream: boolean): Promise<void> {
  const { health, ...rest } = limits();
  const endpoint = { pricing: PRICES.primary };
  const config = {
    ...rest,
    // Each case finds its provider where the last one left it.
    health: { ...health, breaker: { ...health.breaker, consecutiveFailures: 1_000, minimumRequests: 1_000 } },
    models: [
      {
        id: SONNET,
        endpoints: [
          { ...endpoint, provider: 'anthropic', model: AT_ANTHROPIC },
          { ...endpoint, provider: 'vertex', model: ON_VERTEX },
        ],
      },
    ],
  };
  await withStack(
    {
      simulators: 2,
      // Vertex is a simulator of its own.
      config: ([first, second]) => ({
        ...config,
        providers: {
          ...(first ? providersOn([first], ['anthropic']) : {}),
          ...(second ? providersOn([second], ['vertex']) : {}),
        },
      }),
    },
    async (stack) => {
      const workshop = new Workshop(stack);
      try {
        for (const one of CASES) await runOne(stack, workshop, file, stream, one);
      } finally {
        workshop.clear();
      }
    },
  );
}

async function runOne(stack: Stack, workshop: Workshop, file: string, stream: boolean, one: Case): Promise<void> {
  const vertex = stack.simulator(1);
  const since = [await stack.simulator(0).lastSeq(), await vertex.lastSeq()];
  await vertex.clearFaults();
  if (one.fault !== null) await vertex.fault({ match: { model: ON_VERTEX }, fault: one.fault });
  const { text } = await reference(stack.simulator(0).url, { messages: [{ role: 'user', content: QUESTION }] });
  const witness = join(import.meta.dirname, 'witness.mjs');
  const { code, stdout, stderr } = await workshop.runSeed(file, process.execPath, ['--import', witness]);
  const context = `${one.name}:\n${stderr}\n${stdout}`;
  assert.equal(code, 0, context);

  if (stream) assert.equal(stdout, text, context);
  else assert.ok(stdout.includes(`Assistant: ${text}\n`), context);
  const answer = answerOf(stderr, stream);
  assert.equal(answer.text, text, context);
  assert.deepEqual(answer.models, [SONNET]);

  const { routing, resumed } = answer.gateway;
  const attempts = routing.attempts.map(({ provider, success }) => [provider, success]);
  const last = one.attempts.length - 1;
  assert.deepEqual(
    attempts,
    one.attempts.map((provider, i) => [provider, i === last]),
    context,
  );
  assert.equal(routing.finalProvider, one.attempts.at(-1), context);
  assert.equal(resumed ?? false, stream && one.resumed === true, context);
  for (const [i, provider] of (['anthropic', 'vertex'] as const).entries()) {
    const model = provider === 'vertex' ? ON_VERTEX : AT_ANTHROPIC;
    const received = await stack.simulator(i).requests({ since: since[i] ?? 0, model });
    assert.equal(received.length, one.attempts.filter((asked) => asked === provider).length, `${provider}, ${context}`);
  }
}

interface Answer {
  readonly text: string;
  readonly models: readonly string[];
  readonly gateway: Gateway;
}

interface Chunk {
  readonly model: string;
  readonly choices: readonly Readonly<
    Record<'message' | 'delta', { content?: string | null; provider_metadata?: { gateway: Gateway } } | undefined>
  >[];
}

/** What the witness saw. */
function answerOf(raw: string, stream: boolean): Answer {
  const frames = stream ? raw.split('\n\n').filter((frame) => frame !== '') : [`data: ${raw}`];
  if (stream) assert.equal(frames.pop(), 'data: [DONE]', raw);
  const chunks = frames.map((frame) => JSON.parse(frame.slice('data: '.length)) as Chunk);
  const parts = chunks.flatMap(({ choices }) => choices.map(({ message, delta }) => message ?? delta));
  const gateway = parts.find((part) => part?.provider_metadata)?.provider_metadata?.gateway;
  assert.ok(gateway, raw);
  return {
    text: parts.map((part) => part?.content ?? '').join(''),
    models: [...new Set(chunks.map(({ model }) => model))],
    gateway,
  };
}

describe(`the seed’s examples of provider options, times ${SCALE} of real`, { concurrency: EXAMPLES.length }, () => {
  for (const { file, stream } of EXAMPLES) test(`${file}, whatever becomes of vertex`, () => runAll(file, stream));
});
