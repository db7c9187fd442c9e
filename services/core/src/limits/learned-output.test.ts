import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LearnedOutput } from './learned-output.ts';

/** Numbers that look like chance and are the same in each run. */
function* chance(seed: number): Generator<number> {
  for (let x = seed; ; ) {
    x = (x * 1_103_515_245 + 12_345) % 2 ** 31;
    yield x / 2 ** 31;
  }
}

test('about nineteen of twenty answers have no more than is guessed, and a change is followed', () => {
  const learned = new LearnedOutput();
  const random = chance(7);
  for (const most of [400, 4_000, 100]) {
    let exceeded = 0;
    for (let i = 0; i < 4_000; i++) {
      const tokens = Math.ceil((random.next().value ?? 0) * most);
      if (i >= 2_000 && tokens > learned.guess('key', 'model', 0)) exceeded++;
      learned.learn('key', 'model', tokens);
    }
    assert.ok(exceeded > 2_000 * 0.02 && exceeded < 2_000 * 0.09, `${exceeded} of 2,000, of up to ${most}`);
    const guess = learned.guess('key', 'model', 0);
    assert.ok(guess > most * 0.8 && guess < most * 1.2, `${guess} of up to ${most}`);
  }
});

test('knows nothing at first, and never more than a model can say', () => {
  const learned = new LearnedOutput();
  assert.equal(learned.guess('key', 'model', 0), 1_000);
  assert.equal(learned.guess('key', 'model', 300), 300);
  learned.learn('key', 'model', 40);
  assert.equal(learned.guess('key', 'model', 0), 60);
  assert.equal(learned.guess('other', 'model', 0), 1_000);
  learned.learn('key', 'model', Number.NaN);
  assert.equal(learned.guess('key', 'model', 0), 60);
});

test('what was heard of last is remembered', () => {
  const learned = new LearnedOutput();
  learned.learn('first', 'model', 10);
  for (let i = 0; i < 9_999; i++) learned.learn(`key${i}`, 'model', 10);
  learned.learn('first', 'model', 10);
  learned.learn('one more', 'model', 10);
  assert.ok(learned.guess('first', 'model', 0) < 1_000);
  assert.equal(learned.guess('key0', 'model', 0), 1_000);
});
