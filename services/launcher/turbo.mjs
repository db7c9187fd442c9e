/**
 * `npm run build`, `typecheck`, `lint`, `test:unit`, `test:situations:full`, `soak`, `bench`: sets up what is missing, then
 * runs turbo with the pinned node and with the redis-server that tests start.
 *
 *   node turbo.mjs run TASK...
 */
import path from 'node:path';
import { thisCheckout } from './checkout.mjs';
import { withPathFirst } from './command.mjs';
import { runMain, say } from './failure.mjs';
import { runInForeground } from './foreground.mjs';
import { setUp, setUpRedis } from './setup.mjs';
import { testEnvironment } from './test-environment.mjs';

const USING_REDIS = new Set(['test:unit', 'test:situations:full', 'soak', 'bench']);

await runMain(async () => {
  const checkout = thisCheckout();
  const setting = { checkout, env: process.env, say };
  const { node } = await setUp({ ...setting, scope: 'full' });
  const env = { ...withPathFirst(path.dirname(node), process.env), TURBO_TELEMETRY_DISABLED: '1' };
  const args = process.argv.slice(2);
  const usesRedis = args.some((task) => USING_REDIS.has(task));
  return runInForeground(node, [path.join('node_modules', 'turbo', 'bin', 'turbo'), ...args], {
    cwd: checkout.root,
    env: usesRedis ? testEnvironment(env, await setUpRedis(setting)) : env,
  });
});
