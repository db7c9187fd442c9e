import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BodyQueue } from './body-queue.ts';

const MB = 1024 * 1024;

describe('the queue of a body', () => {
  /** Bytes put in, then pieces taken. */
  const courses: readonly (readonly (readonly [number, number])[])[] = [
    [[0, 1]],
    [[1, 1]],
    [
      [65_536, 1],
      [65_537, 3],
    ],
    [
      [524_287, 0],
      [2, 20],
    ],
    [
      [8 * MB, 0],
      [1, 10],
      [1, 200],
    ],
    [
      [8 * MB + 1, 0],
      [3 * MB, 100],
      [3 * MB, 100],
      [1_000, 100],
      [5 * MB, 0],
    ],
    [
      [30 * MB, 500],
      [MB, 1],
      [MB, 1],
      [30 * MB, 1],
      [7, 0],
    ],
    Array.from({ length: 100 }, (_, i) => [i * 3_001, i % 5] as const),
  ];
  for (const [seed, course] of courses.entries()) {
    it(`gives back what was put in, in order (${seed})`, () => {
      const queue = new BodyQueue();
      let put = 0;
      let taken = 0;
      const take = (): boolean => {
        const piece = queue.take();
        if (piece === null) return false;
        for (let at = 0; at < piece.length; at += 127) assert.equal(piece[at], byteAt(taken + at, seed));
        taken += piece.length;
        return true;
      };
      for (const [bytes, times] of course) {
        const chunk = new Uint8Array(bytes);
        for (let i = 0; i < bytes; i++) chunk[i] = byteAt(put + i, seed);
        queue.put(chunk.buffer);
        // The memory is used again as soon as we have it back.
        chunk.fill(0);
        put += bytes;
        for (let i = 0; i < times; i++) take();
        assert.equal(queue.empty, put === taken);
      }
      while (take());
      assert.equal(taken, put);
      assert.ok(queue.empty);
      queue.close();
    });
  }

  it('has nothing left after its end', () => {
    const queue = new BodyQueue();
    for (let i = 0; i < 20; i++) queue.put(new ArrayBuffer(MB));
    queue.close();
    assert.ok(queue.empty);
    assert.equal(queue.take(), null);
  });

  it('says where it would write, when what does not fit into memory cannot be written', () => {
    const { TMPDIR } = process.env;
    process.env.TMPDIR = '/nowhere/at/all';
    const queue = new BodyQueue();
    try {
      queue.put(new ArrayBuffer(8 * MB));
      assert.throws(() => queue.put(new ArrayBuffer(1)), {
        code: 'no_temporary_space',
        message: /temporary folder \/nowhere\/at\/all cannot be written \(ENOENT\)/,
      });
    } finally {
      queue.close();
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
    }
  });
});

/** No two segments or pieces look the same. */
const byteAt = (index: number, seed: number): number => (index * 31 + (index >> 8) * 17 + (index >> 16) + seed) & 255;
