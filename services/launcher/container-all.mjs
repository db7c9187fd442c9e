/**
 * The whole gateway in one container: `docker run IMAGE`. Control, an embedder and the ingress as processes of this one,
 * with a Valkey of its own where nothing names a Redis, and the simulator where nothing names a provider.
 *
 * What /data holds outlives the container when a volume is mounted there: the key, the secret, Valkey's data, and the note
 * that the `headgate` command reads. Where it cannot be written, all of that is made anew at each start.
 */
import { accessSync, constants } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { adminEnvironment, noteAdmin } from './admin.mjs';
import { banner } from './banner.mjs';
import { checkoutAt } from './checkout.mjs';
import { run } from './command.mjs';
import { ContainerProcesses } from './container-processes.mjs';
import { startValkey } from './container-valkey.mjs';
import { Failure, runMain } from './failure.mjs';
import { waitUntilReady } from './ready.mjs';
import { checkRedis } from './redis-ping.mjs';
import { provideSecrets } from './secrets.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const DATA = '/data';
/** `docker stop` ends a container by force after 10 s, unless it is told otherwise. */
const DRAIN_SECONDS = 7;
/** First the one that has clients, last the one that all others need. */
const STOP_ORDER = ['ingress', 'embedder', 'control', 'simulator', 'valkey'];

await runMain(async () => {
  const began = Date.now();
  const data = process.env.HEADGATE_STATE_DIR || DATA;
  const state = isWritable(data) ? data : null;
  const { apiKey, secret } = provideSecrets({ state }, process.env);
  const admin = await adminEnvironment(process.env);
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    HEADGATE_DRAIN_TIMEOUT_SECONDS: String(DRAIN_SECONDS),
    ...process.env,
    HEADGATE_API_KEY: apiKey,
    HEADGATE_SECRET: secret,
    HEADGATE_ADMIN_TOKEN: undefined, // control's alone
  };
  const description = await describe(env);
  if (description.redisUrl !== null) await checkRedis(description.redisUrl);

  const processes = new ContainerProcesses(env);
  processes.stopOnSignals();
  const forgetAdmin = state === null ? () => {} : noteAdmin(checkoutAt(ROOT, state), admin);
  try {
    const ready = start(processes, { description, admin, state });
    const ending = await Promise.race([processes.ending, ready.then(() => null)]);
    if (ending === null) {
      process.stdout.write(
        banner({
          ...description,
          apiKey,
          logs: "the container's output",
          keysCommand: state === null ? null : `docker exec ${hostname()} headgate keys create --name my-app`,
          seconds: (Date.now() - began) / 1000,
        }),
      );
      if (state === null) {
        process.stdout.write(`  ${data} cannot be written: key and data are new at the next start\n\n`);
      }
    }
    const { why } = ending ?? (await processes.ending);
    if (why === 'signal') return 0;
    throw new Failure(why);
  } finally {
    forgetAdmin();
    await processes.stop(STOP_ORDER, Number(env.HEADGATE_DRAIN_TIMEOUT_SECONDS) * 1000);
  }
});
// A start that was broken off need not find out by itself.
process.exit();

/**
 * @param {ContainerProcesses} processes
 * @param {{ description: import('./gateway.mjs').Description, admin: NodeJS.ProcessEnv, state: string | null }} setting
 */
async function start(processes, { description, admin, state }) {
  const [redisUrl, simulatorUrl] = await Promise.all([
    description.redisUrl ?? startValkey(processes, state),
    description.simulated ? startSimulator(processes) : undefined,
  ]);
  const env = { REDIS_URL: redisUrl, ...(simulatorUrl && { HEADGATE_SIMULATOR_URL: simulatorUrl }) };
  processes.startNode('control', [mainOf('control')], { ...env, ...admin });
  processes.startNode('embedder', [mainOf('embedder')], env);
  processes.startNode('ingress', [mainOf('ingress')], env);
  await waitUntilReady(description);
}

/**
 * @param {ContainerProcesses} processes
 * @returns {Promise<string>} the base URL of its OpenAI dialect
 */
async function startSimulator(processes) {
  const first = await processes.startNode('simulator', [mainOf('simulator'), '--port', '0'], {}, 'first line')
    .firstLine;
  return `${JSON.parse(first).listening}/v1`;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<import('./gateway.mjs').Description>}
 */
async function describe(env) {
  const outcome = await run(process.execPath, [path.join(ROOT, 'services/control/dist/describe.js')], { env });
  if (outcome.code !== 0) throw new Failure(outcome.output.trim(), outcome.code);
  return JSON.parse(outcome.stdout.trim().split('\n').at(-1) ?? '');
}

/** @param {string} service */
function mainOf(service) {
  return path.join(ROOT, 'services', service, 'dist', 'main.js');
}

/** @param {string} folder */
function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
