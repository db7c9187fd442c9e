import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WeightedSlots } from './weighted-slots.ts';

const NEVER = new AbortController().signal;

test('what is heavy waits, and nobody overtakes it; what is too heavy for any company runs alone', async () => {
  const slots = new WeightedSlots(10);
  const entered: string[] = [];
  const take = async (name: string, weight: number, signal = NEVER) => {
    const leave = await slots.take(weight, signal);
    entered.push(name);
    return leave;
  };
  const first = await take('first', 6);
  const heavy = take('heavy', 100);
  const light = take('light', 1);
  await new Promise(setImmediate);
  assert.deepEqual(entered, ['first']);
  first();
  first();
  const leave = await heavy;
  await new Promise(setImmediate);
  assert.deepEqual(entered, ['first', 'heavy']);
  leave();
  (await light)();
  assert.deepEqual(entered, ['first', 'heavy', 'light']);
});

test('who leaves the line makes way for those behind', async () => {
  const slots = new WeightedSlots(10);
  const controller = new AbortController();
  const first = await slots.take(6, NEVER);
  const heavy = slots.take(8, controller.signal);
  const light = slots.take(4, NEVER);
  controller.abort(new Error('not any more'));
  await assert.rejects(heavy, /not any more/);
  (await light)();
  first();
  (await slots.take(10, NEVER))();
  await assert.rejects(async () => {
    await slots.take(10, NEVER);
    await slots.take(1, controller.signal);
  }, /not any more/);
});
