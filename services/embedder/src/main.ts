import { once } from 'node:events';
import { ConfigError, loadBootstrap } from '@headgate/core/config';
import { requireSecret } from '@headgate/core/snapshot';
import { outliveRejections, packageVersion, startTelemetry } from '@headgate/core/telemetry';
import { Embedder, graceMs } from './embedder.ts';

/** EX_CONFIG of sysexits.h: starting again without a change will not help. */
const EXIT_CONFIG = 78;

async function main(): Promise<void> {
  const telemetry = await startTelemetry({ service: 'embedder', version: packageVersion(import.meta.url) });
  const log = telemetry.logger;
  outliveRejections(log);
  try {
    const embedder = new Embedder(loadBootstrap(process.env, process.cwd()), requireSecret(process.env), telemetry);
    const stopped = askedToStop();
    await embedder.start();
    log.info('embedder started');
    log.info('embedder stops', { reason: await stopped });
    await embedder.stop(graceMs(process.env));
    process.exit(0);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log.error('embedder cannot run', { reason: message });
    await telemetry.shutdown();
    process.stderr.write(`${message}\n`);
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : 1);
  }
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
