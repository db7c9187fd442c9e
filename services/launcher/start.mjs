/**
 * `npm start`: sets up what is missing, runs the services, and prints how to use them.
 *
 *   npm start [-- --verbose]     --verbose, or HEADGATE_LOG=console: all logs on the console as well
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { adminEnvironment, noteAdmin } from './admin.mjs';
import { banner } from './banner.mjs';
import { thisCheckout } from './checkout.mjs';
import { lastLines, withPathFirst } from './command.mjs';
import { Failure, runMain, say } from './failure.mjs';
import { Gateway } from './gateway.mjs';
import { tryLock } from './lock.mjs';
import { requireFreePort } from './port.mjs';
import { checkRedis } from './redis-ping.mjs';
import { provideSecrets } from './secrets.mjs';
import { setUp, setUpRedis } from './setup.mjs';

/** One Ctrl-C may arrive twice: from the terminal, and passed on by npm. */
const ONE_SIGNAL_MS = 1000;

await runMain(async () => {
  const began = Date.now();
  const checkout = thisCheckout();
  const setting = { checkout, env: process.env, say };
  const { node } = await setUp({ ...setting, scope: 'production' });
  const { apiKey, secret } = provideSecrets(checkout, process.env);
  const admin = await adminEnvironment(process.env);
  const gateway = new Gateway({
    checkout,
    node,
    verbose: process.argv.includes('--verbose') || process.env.HEADGATE_LOG === 'console',
    env: {
      // Node keeps what it compiled, which makes the next start quicker.
      NODE_COMPILE_CACHE: path.join(checkout.tools, 'compile-cache'),
      ...withPathFirst(path.dirname(node), process.env),
      ...configPath(checkout.root, process.env),
      HEADGATE_API_KEY: apiKey,
      HEADGATE_SECRET: secret,
      HEADGATE_ADMIN_TOKEN: undefined, // control's alone
    },
    controlEnv: admin,
  });

  const description = await gateway.describe();
  if (description.redisUrl !== null) await checkRedis(description.redisUrl);
  await requireFreePort(description);
  const running = tryLock(path.join(checkout.state, 'running.lock'));
  if ('holder' in running) {
    throw new Failure(
      `Headgate runs from this checkout already (process ${running.holder.pid}). Stop it first; or, for a second one ` +
        'beside it, give that its own data: HEADGATE_STATE_DIR=/some/folder HEADGATE_PORT=8081 npm start',
    );
  }
  const forgetAdmin = noteAdmin(checkout, admin);
  try {
    stopOnSignals(gateway);
    const fromRoot = path.relative(checkout.root, checkout.logs);
    const logs = fromRoot.startsWith('..') ? checkout.logs : fromRoot;
    const up = gateway.start(description, () => setUpRedis(setting));
    up.then(
      () => process.stdout.write(banner({ ...description, apiKey, logs, seconds: (Date.now() - began) / 1000 })),
      () => {},
    );
    const ending = await Promise.race([gateway.ending, up.then(() => gateway.ending)]);
    if (ending.why === 'signal') return 0;
    const { name, exitText, logFile, lastLines: lines } = ending.service;
    throw new Failure(`${name} ${exitText}. The end of ${logFile}:\n${lastLines(lines.join('\n'), 15)}`);
  } finally {
    forgetAdmin();
    await gateway.stop();
    running.release();
  }
});

/** @param {Gateway} gateway */
function stopOnSignals(gateway) {
  let first = 0;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      if (first === 0) {
        first = Date.now();
        say('stopping; open streams may end (Ctrl-C again to cut them)');
        gateway.end({ why: 'signal' });
      } else if (Date.now() - first > ONE_SIGNAL_MS) {
        gateway.kill();
      }
    });
  }
}

/**
 * A relative HEADGATE_CONFIG is meant from where npm was called, which need not be where npm runs us.
 *
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ HEADGATE_CONFIG?: string }}
 */
function configPath(root, env) {
  if (!env.HEADGATE_CONFIG) return {};
  const fromCaller = path.resolve(env.INIT_CWD ?? process.cwd(), env.HEADGATE_CONFIG);
  return { HEADGATE_CONFIG: existsSync(fromCaller) ? fromCaller : path.resolve(root, env.HEADGATE_CONFIG) };
}
