import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { README } from './pages.ts';
import { withTable } from './readme-table.ts';

test('the README’s table is what the matrix proves (node -C source test/dialects/write-docs.ts writes it)', () => {
  const readme = readFileSync(README, 'utf8');
  assert.equal(readme, withTable(readme));
});
