import assert from 'node:assert/strict';
import { it } from 'node:test';
import { serverTiming } from './server-timing.ts';

it('says where the time went, with one decimal', () => {
  const timing = { gatewayMs: 1.26, upstreamMs: 345, waitMs: 0, attempts: 2 };
  assert.equal(serverTiming(timing), 'gateway;dur=1.3, upstream;dur=345.0, attempts;desc="2"');
  assert.equal(
    serverTiming({ ...timing, waitMs: 2_000.04 }),
    'gateway;dur=1.3, upstream;dur=345.0, wait;dur=2000.0, attempts;desc="2"',
  );
});
