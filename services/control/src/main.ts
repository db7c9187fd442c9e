import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import { ConfigError, configPath, issueLine } from '@headgate/core/config';
import { createRequestClient } from '@headgate/core/redis';
import { requireSecret } from '@headgate/core/snapshot';
import {
  createLogger,
  type Logger,
  type Metrics,
  outliveRejections,
  packageVersion,
  startTelemetry,
} from '@headgate/core/telemetry';
import type { Budget } from '@headgate/proto/api_key';
import { AdminSettingsError, startAdminApi } from './admin/admin-api.ts';
import type { Listener } from './admin/listener.ts';
import { ControlMetrics } from './control-metrics.ts';
import { type DesiredState, readDesiredState } from './desired-state.ts';
import { startHealthServer } from './health-server.ts';
import { Backlog } from './ledger/backlog.ts';
import { RollUpLoop } from './ledger/roll-up-loop.ts';
import { ActiveProbes } from './probes/active-probes.ts';
import { Reconciler } from './reconciler.ts';
import { FileWatcher } from './watch-file.ts';

/** EX_CONFIG of sysexits.h: starting again without a change will not help. */
const EXIT_CONFIG = 78;

async function main(): Promise<void> {
  const { env } = process;
  const cwd = process.cwd();
  const { secret, desired } = readOrExit(cwd);
  const log = createLogger({ service: 'headgate-control' });
  outliveRejections(log);
  const telemetry = await startTelemetry({ service: 'control', version: packageVersion(import.meta.url), logger: log });
  warnOf(desired, log);

  const { redis } = desired.loaded.config;
  const client = createRequestClient(redis.url, 'headgate-control', {
    onUp: () => log.info('connected to Redis'),
    onDown: (reason) => log.warn('Redis is away', { reason }),
  });
  const reconciler = new Reconciler(client, redis.prefix, desired, log);
  const backlog = new Backlog(client, redis.prefix);
  const redisUp = () => client.status === 'ready';
  const metrics = new ControlMetrics(telemetry.metrics, { reconciler, backlog, redisUp });
  const healthServer = await openHealthServer(reconciler, telemetry.metrics, log);
  reconciler.start();
  const onProbed = metrics.probed.bind(metrics);
  const probes = new ActiveProbes(
    { redisUrl: redis.url, prefix: redis.prefix, secret, log, onProbed },
    desired.snapshot,
  );
  void probes.start();
  const { ledger } = desired.loaded.config;
  const rollUp = new RollUpLoop(client, redis.prefix, ledger, log, (records) => metrics.rolledUp(records));
  rollUp.start();
  backlog.start();

  let current = desired;
  const adminApi = await openAdminApi({
    client,
    prefix: redis.prefix,
    secret,
    log,
    groupBudgets: () => groupBudgets(current),
  });
  const watched = configPath({ env, cwd }).path;
  const watcher = new FileWatcher(watched, () => {
    const next = reread(current, secret, cwd, watched, log);
    metrics.configurationChanged(next !== null);
    if (next === null) return;
    warnOfRestart(current, next, log);
    warnOf(next, log);
    current = next;
    reconciler.change(next);
    probes.change(next.snapshot);
    rollUp.change(next.loaded.config.ledger);
  });
  watcher.start();
  log.info('control started', { configFile: desired.loaded.file });

  const reason = await askedToStop();
  log.info('control stops', { reason });
  watcher.stop();
  backlog.stop();
  healthServer?.close();
  healthServer?.closeAllConnections();
  await Promise.all([reconciler.stop(), probes.stop(), rollUp.stop(), adminApi?.close()]);
  client.disconnect();
  await telemetry.shutdown();
  process.exit(0);
}

function readOrExit(cwd: string): { secret: string; desired: DesiredState } {
  try {
    const secret = requireSecret(process.env);
    return { secret, desired: readDesiredState(process.env, cwd, secret) };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(EXIT_CONFIG);
  }
}

/** The new state, or null when it cannot be used and the one that serves stays. */
function reread(current: DesiredState, secret: string, cwd: string, watched: string, log: Logger): DesiredState | null {
  try {
    if (current.loaded.file !== null && !existsSync(watched)) throw new Error(`${watched}: the file is gone`);
    return readDesiredState(process.env, cwd, secret);
  } catch (error) {
    const reasons =
      error instanceof ConfigError
        ? error.issues.map((issue) => issueLine(error.file, issue))
        : [error instanceof Error ? error.message : String(error)];
    log.error('configuration refused, the last good one keeps serving', { reasons });
    return null;
  }
}

function warnOf({ snapshot, loaded }: DesiredState, log: Logger): void {
  const { keys, oidc } = loaded.config.auth;
  if (keys.length === 0 && oidc.length === 0) {
    log.warn('no API key is configured: every request will be refused; set HEADGATE_API_KEY or auth.keys');
  }
  if (snapshot.simulated) log.warn('no provider is configured: the simulator answers for every model');
}

function warnOfRestart(before: DesiredState, after: DesiredState, log: Logger): void {
  const fixed = ({ loaded: { config } }: DesiredState) => ({
    'server.host': config.server.host,
    'server.port': config.server.port,
    'server.processes': config.server.processes,
    'redis.url': config.redis.url,
    'redis.prefix': config.redis.prefix,
  });
  const old = fixed(before);
  const changed = Object.entries(fixed(after)).filter(([name, value]) => old[name as keyof typeof old] !== value);
  if (changed.length === 0) return;
  log.warn('these settings take effect at the next start', { settings: changed.map(([name]) => name) });
}

async function openHealthServer(reconciler: Reconciler, metrics: Metrics, log: Logger): Promise<Server | null> {
  const text = process.env.HEADGATE_CONTROL_PORT ?? '';
  if (text === '') return null;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  try {
    const server = await startHealthServer(process.env.HEADGATE_HOST ?? '0.0.0.0', port, { reconciler, metrics });
    const address = server.address();
    log.info('health server listens', { port: typeof address === 'object' ? address?.port : port });
    return server;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error('the health server cannot listen; check HEADGATE_CONTROL_PORT', { found: text, reason });
    await log.flush();
    process.exit(EXIT_CONFIG);
  }
}

async function openAdminApi(options: Parameters<typeof startAdminApi>[1]): Promise<Listener | null> {
  try {
    return await startAdminApi(process.env, options);
  } catch (error) {
    if (!(error instanceof AdminSettingsError)) throw error;
    options.log.error(error.message);
    await options.log.flush();
    process.exit(EXIT_CONFIG);
  }
}

function groupBudgets({ snapshot }: DesiredState): ReadonlyMap<string, Budget> {
  return new Map(
    Object.entries(snapshot.limits?.groups ?? {}).flatMap(([name, { budget }]) =>
      budget === undefined ? [] : [[name, budget] as const],
    ),
  );
}

/** A signal, or the end of the process that started us. */
async function askedToStop(): Promise<string> {
  const reasons = ['SIGTERM', 'SIGINT'].map(async (signal) => {
    await once(process, signal);
    return signal;
  });
  if (process.connected) reasons.push(once(process, 'disconnect').then(() => 'the launcher is gone'));
  return Promise.race(reasons);
}

await main();
