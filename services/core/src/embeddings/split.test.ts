import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { itemTokens } from './items.ts';
import { splitItems } from './split.ts';

const item = fc.oneof(fc.string({ minLength: 1, maxLength: 40 }), fc.array(fc.nat(9), { minLength: 1, maxLength: 12 }));

test('runs are whole, in order, never empty, and within the limits unless one item alone is not', () => {
  fc.assert(
    fc.property(
      fc.array(item, { maxLength: 60 }),
      fc.integer({ min: 1, max: 9 }),
      fc.nat(30),
      (items, most, tokens) => {
        const runs = splitItems(items, { items: most, tokens });
        assert.deepEqual(
          runs.flatMap(([start, end]) => items.slice(start, end)),
          items,
        );
        for (const [start, end] of runs) {
          assert.ok(end > start && end - start <= most);
          const sum = items.slice(start, end).reduce((all, one) => all + itemTokens(one), 0);
          if (tokens > 0 && end - start > 1) assert.ok(sum <= tokens);
        }
      },
    ),
  );
});
