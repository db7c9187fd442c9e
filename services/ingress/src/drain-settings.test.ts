import assert from 'node:assert/strict';
import { it } from 'node:test';
import { drainSettings } from './drain-settings.ts';

it('drainSettings reads seconds, and takes nonsense for nothing', () => {
  const read = (delay?: string, timeout?: string) => {
    const { delayMs, timeoutMs } = drainSettings({
      ...(delay === undefined ? {} : { HEADGATE_DRAIN_DELAY_SECONDS: delay }),
      ...(timeout === undefined ? {} : { HEADGATE_DRAIN_TIMEOUT_SECONDS: timeout }),
    });
    return [delayMs, timeoutMs];
  };
  assert.deepEqual(read(), [0, 600_000]);
  assert.deepEqual(read('5', '0.5'), [5_000, 500]);
  assert.deepEqual(read('0', '0'), [0, 0]);
  for (const odd of ['', 'soon', '-1', 'Infinity', '5m']) assert.deepEqual(read(odd, odd), [0, 600_000], odd);
  const [, most = 0] = read('0', '1e12');
  assert.ok(most < 2 ** 31, 'a timer can wait that long');
});
