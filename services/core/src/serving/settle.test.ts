import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Principal } from '../identity/index.ts';
import { requestEnd, type Served } from './settle.ts';

const NO_LIMITS = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  requestsPerDay: null,
  tokensPerDay: null,
  concurrency: null,
};

const served: Served = {
  error: null,
  clientAborted: false,
  last: null,
  attempts: 1,
  accounted: null,
  endedAt: 5,
  provider: 'openai',
  model: 'openai/gpt-4o',
  firstContentAt: 2,
};

const payerOf = (id: string, group: string): string | undefined => {
  const facts = { id, name: 'ada@example.com', group, limits: NO_LIMITS, budget: null, queue: null, models: [] };
  return requestEnd(served, new Principal(facts), 200).payer;
};

test('metrics name keys; those whom a token names only by their group', () => {
  assert.equal(payerOf('key_1', 'shop'), 'ada@example.com', 'the name that the operator gave the key');
  assert.equal(payerOf('oidc:0a1b2c3d:ada', 'shop'), 'oidc shop');
  assert.equal(payerOf('oidc:0a1b2c3d:ada', ''), 'oidc');
});
