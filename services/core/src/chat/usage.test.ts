import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { completionTokens, promptTokens, usageFromOpenAi } from './usage.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

describe('usageFromOpenAi', () => {
  it('takes cached and reasoning tokens out of what includes them', () => {
    const usage = usageFromOpenAi({
      prompt_tokens: 100,
      completion_tokens: 50,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 20 },
    });
    assert.deepEqual(usage, { uncachedInput: 30, cacheRead: 60, cacheWrite: 10, output: 30, reasoning: 20 });
  });

  it('keeps zero apart from absent', () => {
    const silent = usageFromOpenAi({ prompt_tokens: 1, completion_tokens: 0 });
    assert.deepEqual(silent, { uncachedInput: 1, cacheRead: null, cacheWrite: null, output: 0, reasoning: null });
    const zero = usageFromOpenAi({ prompt_tokens: 1, prompt_tokens_details: { cached_tokens: 0 } });
    assert.equal(zero?.cacheRead, 0);
  });

  it('is null where nothing is said, and takes no nonsense for a count', () => {
    for (const raw of [
      null,
      undefined,
      5,
      'x',
      {},
      { prompt_tokens: '5' },
      { prompt_tokens: -1 },
      { completion_tokens: 1.5 },
      { prompt_tokens: 1e300 },
    ]) {
      assert.equal(usageFromOpenAi(raw), null, JSON.stringify(raw));
    }
    assert.equal(usageFromOpenAi({ prompt_tokens: 5, prompt_tokens_details: null })?.uncachedInput, 5);
  });

  it('adds up to what the provider said, and never below zero', () => {
    const count = fc.nat(1_000_000);
    fc.assert(
      fc.property(count, count, count, count, count, (prompt, completion, read, write, reasoning) => {
        const usage = usageFromOpenAi({
          prompt_tokens: prompt,
          completion_tokens: completion,
          prompt_tokens_details: { cached_tokens: read, cache_write_tokens: write },
          completion_tokens_details: { reasoning_tokens: reasoning },
        });
        assert.ok(usage);
        assert.equal(promptTokens(usage), Math.max(prompt, read + write));
        assert.equal(completionTokens(usage), Math.max(completion, reasoning));
        assert.ok(usage.uncachedInput >= 0 && usage.output >= 0);
      }),
      { seed: SEED },
    );
  });
});
