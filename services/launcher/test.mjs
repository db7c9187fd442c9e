/**
 * `npm test`: sets up what is missing, then runs every test of the repository.
 *
 *   npm test [-- FILE|FOLDER|PATTERN... --OPTION-OF-NODE-TEST=VALUE...]
 */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { thisCheckout } from './checkout.mjs';
import { withPathFirst } from './command.mjs';
import { runMain, say } from './failure.mjs';
import { runInForeground } from './foreground.mjs';
import { setUp, setUpRedis } from './setup.mjs';
import { testArguments } from './test-arguments.mjs';
import { testEnvironment } from './test-environment.mjs';

await runMain(async () => {
  const checkout = thisCheckout();
  const { root } = checkout;
  const setting = { checkout, env: process.env, say };
  const { node, npm } = await setUp({ ...setting, scope: 'full' });
  const redis = await setUpRedis(setting);

  // The whole-system tests may need things of their own, such as other packages' releases.
  const preparation = path.join(root, 'test', 'setup.mjs');
  if (existsSync(preparation)) {
    const { default: prepare } = await import(pathToFileURL(preparation).href);
    await prepare({ root, node, npm });
  }
  const env = {
    ...testEnvironment(withPathFirst(path.dirname(node), process.env), redis),
    // Hundreds of processes read the same sources.
    NODE_COMPILE_CACHE: path.join(checkout.tools, 'compile-cache'),
  };
  const args = testArguments(process.argv.slice(2), { root, cores: os.cpus().length });
  return runInForeground(node, args, { cwd: root, env });
});
