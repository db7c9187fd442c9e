import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AffinityMemory } from './affinity-memory.ts';

describe('AffinityMemory', () => {
  it('knows who served a prefix of a model last, for as long as the provider keeps it', () => {
    const memory = new AffinityMemory();
    memory.remember('m', 7, 'a:x', 300, 1_000);
    assert.equal(memory.find('m', 7, 1_299), 'a:x');
    assert.equal(memory.find('m', 8, 1_000), null);
    assert.equal(memory.find('n', 7, 1_000), null);
    assert.equal(memory.find('m', 7, 1_300), null);
    assert.equal(memory.size, 0, 'what is over is let go');
  });

  it('each answer starts the time anew, and the last endpoint counts', () => {
    const memory = new AffinityMemory();
    memory.remember('m', 7, 'a:x', 300, 1_000);
    memory.remember('m', 7, 'b:x', 300, 1_200);
    assert.equal(memory.find('m', 7, 1_400), 'b:x');
    memory.remember('m', 7, 'c:x', 0, 1_400);
    assert.equal(memory.find('m', 7, 1_400), null, 'c keeps nothing, and the conversation has moved on from b');
  });

  it('holds so many and lets the one go that was served longest ago', () => {
    const memory = new AffinityMemory(3);
    for (const prefix of [1, 2, 3]) memory.remember('m', prefix, `e${prefix}:x`, 300, 1_000);
    memory.remember('m', 1, 'e1:x', 300, 1_001);
    memory.remember('m', 4, 'e4:x', 300, 1_002);
    assert.equal(memory.size, 3);
    assert.deepEqual(
      [1, 2, 3, 4].map((prefix) => memory.find('m', prefix, 1_100)),
      ['e1:x', null, 'e3:x', 'e4:x'],
    );
  });
});
