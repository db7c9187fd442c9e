import cluster from 'node:cluster';
import { ConfigError, loadBootstrap } from '@headgate/core/config';
import { requireSecret } from '@headgate/core/snapshot';
import { createLogger, outliveRejections } from '@headgate/core/telemetry';
import { Primary } from './primary.ts';
import { loadUws } from './uws.ts';
import { Worker } from './worker.ts';

/** Exit code for a configuration that cannot work (sysexits.h, EX_CONFIG): starting again will not help. */
const EX_CONFIG = 78;

const log = createLogger({ service: 'ingress' });
outliveRejections(log);

async function main(): Promise<void> {
  const bootstrap = loadBootstrap(process.env, process.cwd());
  if (cluster.isPrimary) {
    // What every worker would stumble over is told once, by the primary.
    requireSecret(process.env);
    loadUws();
    await new Primary(bootstrap, log).start();
  } else await Worker.start(bootstrap);
}

try {
  await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  log.error('ingress cannot start', { reason: message });
  await log.flush();
  if (cluster.isPrimary) process.stderr.write(`${message}\n`);
  process.exit(error instanceof ConfigError ? EX_CONFIG : 1);
}
