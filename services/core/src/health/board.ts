import type { HealthView } from '../routing/endpoint-health.ts';
import type {
  EndpointDescription,
  EndpointStatistics,
  HealthBoardOptions,
  OpenEndpoint,
  ProbeOutcome,
  ProbePermit,
  Uptime,
} from './board-contract.ts';
import type { AttemptOutcome, HealthReporter } from './contract.ts';

/** What a process knows of the health of endpoints. Signatures stand; behaviour follows. */
export class HealthBoard implements HealthReporter {
  readonly #options: HealthBoardOptions;

  constructor(options: HealthBoardOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  view(): HealthView {
    return { version: 0, now: Date.now(), of: () => undefined };
  }

  began(_endpointKey: string): void {}
  abandoned(_endpointKey: string): void {}
  ended(_outcome: AttemptOutcome): void {}
  /** A request has come to its end: it got an answer (`ok`), or a failure that is not its own fault. */
  finished(_modelId: string, _ok: boolean): void {}

  /** `Plan.permits`: the request goes there; nobody else plans the endpoint as if it were well. */
  takePermit(_endpointKey: string): void {}
  /** `Plan.wanted`: fetches the permit in the background. */
  wanted(_endpointKey: string): void {}

  /** For active probes; null when it is not due, somebody else has it, or Redis is away. */
  async acquireProbe(_endpointKey: string): Promise<ProbePermit | null> {
    return null;
  }
  async reportProbe(_permit: ProbePermit, _outcome: ProbeOutcome): Promise<void> {}

  /** Called with the endpoint's key after each change of a breaker or cool-down. Returns how to stop. */
  onChange(_listener: (endpointKey: string) => void): () => void {
    return () => {};
  }
  /** Endpoints whose breaker is open (or half-open), whoever opened it. */
  open(): readonly OpenEndpoint[] {
    return [];
  }
  describe(): readonly EndpointDescription[] {
    return [];
  }

  /** One entry a key. Not for the request path. */
  async statistics(_endpointKeys: readonly string[]): Promise<ReadonlyMap<string, EndpointStatistics>> {
    return new Map();
  }
  /** Uptime per final outcome of requests, by model id. */
  async modelUptime(_modelIds: readonly string[]): Promise<ReadonlyMap<string, Uptime>> {
    return new Map();
  }

  /** Whether health is shared now; else it is kept locally. */
  redisUp(): boolean {
    return this.#options.prefix === '';
  }
}
