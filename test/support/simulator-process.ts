import { parseLine, type ServiceOptions, ServiceProcess } from './service-process.ts';
import { SimulatorControl } from './simulator-control.ts';

export type { BilledTokens, ReceivedRequest } from './simulator-control.ts';

const START_TIMEOUT_MS = 15_000;

/** A provider simulator as a child process. */
export class SimulatorProcess extends SimulatorControl {
  readonly process: ServiceProcess;
  #origin = '';

  constructor(options: ServiceOptions) {
    super();
    this.process = new ServiceProcess(options);
  }

  get url(): string {
    return this.#origin;
  }

  get baseUrl(): string {
    return `${this.#origin}/v1`;
  }

  async start(): Promise<void> {
    const printed = this.process.lines.length;
    const args = ['--port', this.#origin === '' ? '0' : new URL(this.#origin).port];
    this.process.start({}, args);
    this.#origin = await this.process.until(
      (lines) =>
        lines
          .slice(printed)
          .map(listeningOrigin)
          .find((origin) => origin !== null),
      START_TIMEOUT_MS,
      'word of where it listens',
    );
  }

  async restart(): Promise<void> {
    await this.process.kill();
    await this.start();
  }
}

function listeningOrigin(line: string): string | null {
  const origin = parseLine(line)?.listening;
  return typeof origin === 'string' ? origin : null;
}
