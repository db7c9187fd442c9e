import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../errors/index.ts';
import { model, planOf } from '../relay/scripted.testing.ts';
import type { ChunkCall, ChunkOutcome, ChunkTools, EmbeddingRunner } from './contract.ts';
import { MicroBatcher } from './micro-batch.ts';
import { entryText } from './vectors.ts';

const PLAN = planOf([model('a/b', ['http://127.0.0.1:1'])]);
const TOOLS = {} as ChunkTools;
const PRICE = 13n;

/** Answers as a chunk that was run does: the vector of an item is the item. */
class Provider implements EmbeddingRunner {
  readonly calls: (readonly string[])[] = [];
  readonly signals: AbortSignal[] = [];
  fails: (items: readonly string[]) => GatewayError | null = () => null;
  answersAfter: Promise<void> = Promise.resolve();

  async run([call]: readonly ChunkCall[]): Promise<readonly ChunkOutcome[]> {
    assert.ok(call);
    const items = call.items.map(String);
    this.calls.push(items);
    this.signals.push(call.signal);
    await this.answersAfter;
    const error = this.fails(items);
    const entries = items.map((item, i) => entryText({ form: 'json', text: `[${item}]` }, call.from + i, 'float'));
    const promptTokens = items.reduce((sum, item) => sum + item.length, 0);
    return [
      {
        data: error === null ? Buffer.from(entries.join(',')) : null,
        error,
        head: {
          items: items.length,
          promptTokens,
          usageSource: 'provider',
          costUsd: `0.${String(PRICE * BigInt(promptTokens)).padStart(9, '0')}`,
          marketCostUsd: null,
          provider: 'p',
          providerModel: 'm',
          attempts: [],
          warnings: [],
        },
      },
    ];
  }
}

function chunk(items: readonly string[], more: Partial<ChunkCall> = {}, dimensions: number | null = null): ChunkCall {
  return {
    items,
    from: 0,
    request: { model: 'a/b', dimensions, format: 'float', user: '', extra: {}, providerOptions: {} },
    plan: PLAN,
    deadlineAt: performance.now() + 5_000,
    signal: new AbortController().signal,
    observation: {} as ChunkCall['observation'],
    generationId: 'gen_1',
    ...more,
  };
}

function batcher(waitMs = 5, maxItems = 16): { readonly provider: Provider; readonly batches: MicroBatcher } {
  const provider = new Provider();
  return { provider, batches: new MicroBatcher(provider, () => ({ waitMs, maxItems })) };
}

const ask = async (batches: MicroBatcher, call: ChunkCall, owner = 'key'): Promise<ChunkOutcome> => {
  const [outcome] = await batches.runnerFor(owner).run([call], TOOLS);
  return outcome ?? assert.fail();
};

const vectors = ({ data }: ChunkOutcome): unknown =>
  (JSON.parse(`[${data}]`) as { index: number; embedding: number[] }[]).map(({ index, embedding }) => [
    index,
    embedding,
  ]);

describe('small requests of one key', () => {
  it('share a call, and each gets its own vectors', async () => {
    const { provider, batches } = batcher();
    const all = await Promise.all([['1'], ['22', '333'], ['4']].map((items) => ask(batches, chunk(items))));
    assert.deepEqual(provider.calls, [['1', '22', '333', '4']]);
    assert.deepEqual(all.map(vectors), [
      [[0, [1]]],
      [
        [0, [22]],
        [1, [333]],
      ],
      [[0, [4]]],
    ]);
  });

  it('share what it used, to the token and to the last digit of the money', async () => {
    const item = fc.integer({ min: 1, max: 99_999 }).map(String);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(item, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 6 }),
        async (asked) => {
          const { provider, batches } = batcher(1, 100);
          const outcomes = await Promise.all(asked.map((items) => ask(batches, chunk(items))));
          assert.equal(provider.calls.length, 1);
          const tokens = asked.flat().reduce((sum, { length }) => sum + length, 0);
          assert.equal(
            outcomes.reduce((sum, { head }) => sum + head.promptTokens, 0),
            tokens,
          );
          const cost = outcomes.reduce((sum, { head }) => sum + BigInt(Math.round(Number(head.costUsd) * 1e9)), 0n);
          assert.equal(cost, PRICE * BigInt(tokens));
          assert.ok(outcomes.every(({ head }) => head.promptTokens > 0 && head.marketCostUsd === null));
          assert.deepEqual(
            outcomes.map(({ data }) =>
              (JSON.parse(`[${data}]`) as { embedding: number[] }[]).map(({ embedding }) => String(embedding[0])),
            ),
            asked,
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  it('go out when there are enough of them', async () => {
    const { provider, batches } = batcher(60_000, 4);
    await Promise.all(['1', '2', '3', '4', '5', '6', '7', '8'].map((item) => ask(batches, chunk([item]))));
    assert.deepEqual(
      provider.calls.map(({ length }) => length),
      [4, 4],
    );
  });

  it('do not share with other keys, models or settings, nor where they are large or strict, nor unless told to', async () => {
    const { provider, batches } = batcher(5, 4);
    const other = planOf([model('c/d', ['http://127.0.0.1:2'])]);
    await Promise.all([
      ask(batches, chunk(['1'])),
      ask(batches, chunk(['2']), 'another'),
      ask(batches, chunk(['3'], {}, 8)),
      ask(batches, chunk(['4'], { plan: { ...other, keys: ['x'] } })),
      ask(batches, chunk(['5', '6', '7'])),
      ask(batches, chunk(['8'], { strict: true })),
    ]);
    assert.equal(provider.calls.length, 6);
    const off = batcher(0);
    await Promise.all([ask(off.batches, chunk(['1'])), ask(off.batches, chunk(['2']))]);
    assert.equal(off.provider.calls.length, 2);
  });

  it('do not suffer from what is wrong with one of them', async () => {
    const { provider, batches } = batcher();
    const wrong = new GatewayError('invalid_request_error', 'Too long.', { failure: 'context_length' });
    provider.fails = (items) => (items.includes('666') ? wrong : null);
    const [good, bad] = await Promise.all([ask(batches, chunk(['1'])), ask(batches, chunk(['666']))]);
    assert.deepEqual([good.error, bad.error], [null, wrong]);
    assert.deepEqual(vectors(good), [[0, [1]]]);
    assert.deepEqual(provider.calls, [['1', '666'], ['1'], ['666']]);
  });

  it('share the failure of their provider', async () => {
    const { provider, batches } = batcher();
    const down = new GatewayError('upstream_error', 'Down.', { failure: 'overloaded' });
    provider.fails = () => down;
    const outcomes = await Promise.all([ask(batches, chunk(['1'])), ask(batches, chunk(['2']))]);
    assert.deepEqual(
      outcomes.map(({ error }) => error),
      [down, down],
    );
    assert.equal(provider.calls.length, 1);
  });

  it('leave by themselves; the call ends when all have left', async () => {
    const { provider, batches } = batcher();
    let answer: () => void = () => undefined;
    provider.answersAfter = new Promise((resolve) => {
      answer = resolve;
    });
    const leaving = [new AbortController(), new AbortController()];
    const asked = leaving.map(({ signal }, i) => ask(batches, chunk([String(i + 1)], { signal })));
    const hasty = ask(batches, chunk(['3'], { deadlineAt: performance.now() + 40 }));
    assert.equal((await hasty).error?.code, 'deadline_exceeded');
    leaving[0]?.abort();
    assert.equal((await asked[0])?.error?.code, 'abandoned');
    assert.equal(provider.signals[0]?.aborted, false);
    leaving[1]?.abort();
    assert.equal((await asked[1])?.error?.code, 'abandoned');
    assert.equal(provider.signals[0]?.aborted, true);
    answer();
  });
});
