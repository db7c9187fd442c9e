import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requestIds } from './ids.ts';

const ULID = '[0-9A-HJKMNP-TV-Z]{26}';

describe('requestIds', () => {
  it('are ULIDs, of one another', () => {
    const before = Date.now();
    const { requestId, generationId } = requestIds('');
    assert.match(generationId, new RegExp(`^gen_${ULID}$`));
    assert.equal(requestId, generationId.replace('gen_', 'req_'));
    const time = [...generationId.slice(4, 14)].reduce(
      (sum, letter) => sum * 32 + '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(letter),
      0,
    );
    assert.ok(time >= before && time <= Date.now(), 'the time they were made');
  });

  it('are all different, beyond the pool of random bytes', () => {
    const made = new Set(Array.from({ length: 20_000 }, () => requestIds('').generationId));
    assert.equal(made.size, 20_000);
    for (let place = 14; place < 30; place++) {
      assert.equal(new Set([...made].map((id) => id[place])).size, 32, 'each place takes every letter');
    }
  });

  it("take the client's own when it is short and plain", () => {
    for (const own of ['abc', 'req_1.2:3-4', 'x'.repeat(128)]) {
      const ids = requestIds(own);
      assert.equal(ids.requestId, own);
      assert.match(ids.generationId, /^gen_/);
    }
    for (const odd of ['', ' ', 'a b', 'a\r\nx-evil: 1', 'é', '<script>', 'x'.repeat(129)]) {
      assert.match(requestIds(odd).requestId, /^req_/, odd);
    }
  });
});
