import { parseArgs } from 'node:util';
import { startSimulator } from './server.ts';

const usage = 'Usage: main.ts [--port N] [--host ADDRESS] [--tokens-per-second N] [--ttft-ms N]';

function log(entry: Readonly<Record<string, unknown>>): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), service: 'simulator', ...entry })}\n`);
}

function fail(message: string): never {
  log({ level: 'fatal', msg: message });
  process.exit(1);
}

function amount(name: string, value: string | undefined): number {
  const number = Number(value ?? 0);
  if (!Number.isFinite(number) || number < 0) fail(`${name} must be a number of at least 0, got '${value}'. ${usage}`);
  return number;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        'tokens-per-second': { type: 'string' },
        'ttft-ms': { type: 'string' },
      },
    });
    return {
      port: amount('--port', values.port ?? process.env.HEADGATE_SIMULATOR_PORT),
      host: values.host ?? '127.0.0.1',
      tokensPerSecond: amount('--tokens-per-second', values['tokens-per-second']),
      ttftMs: amount('--ttft-ms', values['ttft-ms']),
    };
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)} ${usage}`);
  }
}

const options = readOptions();
const simulator = await startSimulator({ ...options, log }).catch((error: NodeJS.ErrnoException) =>
  fail(
    error.code === 'EADDRINUSE'
      ? `Port ${options.port} is taken. Choose another with --port or HEADGATE_SIMULATOR_PORT, or 0 for any free one.`
      : `The simulator could not start: ${error.message}`,
  ),
);

async function stop(): Promise<void> {
  await simulator.close();
  process.exit(0);
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
process.once('disconnect', stop);
process.stdout.write(`${JSON.stringify({ listening: simulator.url })}\n`);
