import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { checkoutAt } from './checkout.mjs';
import { provideSecrets } from './secrets.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'headgate secrets '));
after(() => rmSync(folder, { recursive: true }));

test('made once, kept, and readable by their owner alone', () => {
  const checkout = checkoutAt(path.join(folder, 'a'));
  const first = provideSecrets(checkout, {});
  assert.match(first.apiKey, /^hg_[A-Za-z0-9_-]{43}$/);
  assert.match(first.secret, /^[0-9a-f]{64}$/);
  assert.deepEqual(provideSecrets(checkout, {}), first);
  assert.deepEqual(readdirSync(checkout.state).sort(), ['api-key', 'secret']);
  for (const name of readdirSync(checkout.state)) {
    assert.equal(statSync(path.join(checkout.state, name)).mode & 0o777, 0o600);
  }
  assert.notEqual(provideSecrets(checkoutAt(path.join(folder, 'b')), {}).apiKey, first.apiKey);
});

test('the environment decides where it says something, and then nothing is written', () => {
  const checkout = checkoutAt(path.join(folder, 'c'));
  const env = { HEADGATE_API_KEY: 'mine', HEADGATE_SECRET: 'ab'.repeat(32) };
  assert.deepEqual(provideSecrets(checkout, env), { apiKey: 'mine', secret: env.HEADGATE_SECRET });
  assert.deepEqual(readdirSync(folder).includes('c'), false);
});
