import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { FrameBuffer } from './frame-buffer.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

it('FrameBuffer holds what was put in, however much it has to grow', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(fc.array(fc.array(piece, { maxLength: 12 }), { maxLength: 4 }), (rounds) => {
      const frames = new FrameBuffer(8);
      for (const pieces of rounds) {
        frames.reset();
        for (const one of pieces) {
          if (typeof one === 'string') frames.text(one);
          else frames.bytes(one);
        }
        const expected = Buffer.concat(pieces.map((one) => Buffer.from(one)));
        assert.ok(frames.view().equals(expected));
        assert.equal(frames.length, expected.length);
      }
    }),
    { seed: SEED },
  );
  const part = new FrameBuffer(8);
  part.bytes(Buffer.from('0123456789abc'), 3, 11);
  assert.equal(part.view().toString(), '3456789a');
});
