import { type RoutingTable, toRoutingTable } from '@headgate/core/catalog';
import { HealthBoard, type OpenEndpoint } from '@headgate/core/health';
import { CredentialSeal } from '@headgate/core/snapshot';
import type { Logger } from '@headgate/core/telemetry';
import type { RoutingSnapshot } from '@headgate/proto/snapshot';
import { type ProbePlan, ProbeQueue } from './probe-queue.ts';
import { Prober, type ProbeTarget } from './prober.ts';

/** How often the schedule is compared with what it should be, also when nothing is known to have changed. */
const CHECK_MS = 5_000;

export interface ActiveProbesOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  /** HEADGATE_SECRET. */
  readonly secret: string;
  readonly log: Logger;
  /** Hears of each probe: `success`, or the class of the failure. */
  readonly onProbed?: (provider: string, outcome: string) => void;
  /** Default 5000. */
  readonly checkMs?: number;
}

/**
 * Probes endpoints whose breaker is open, so that they come back without a request having to try them first. What should
 * be probed is compared with what is scheduled whenever a breaker or the configuration changes, and from time to time.
 */
export class ActiveProbes {
  readonly #options: ActiveProbesOptions;
  readonly #seal: CredentialSeal;
  readonly #board: HealthBoard;
  readonly #prober: Prober;
  readonly #queue: ProbeQueue;
  #table: RoutingTable;
  #targets: ReadonlyMap<string, ProbeTarget>;
  #timer: NodeJS.Timeout | null = null;
  /** What the schedule was last brought to; null: unknown. */
  #scheduled: string | null = null;
  #scheduling: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  constructor(options: ActiveProbesOptions, snapshot: RoutingSnapshot) {
    const { redisUrl, prefix, log } = options;
    this.#options = options;
    this.#seal = new CredentialSeal(options.secret);
    this.#table = this.#tableOf(snapshot);
    this.#targets = targetsOf(this.#table);
    this.#board = new HealthBoard({
      redisUrl,
      prefix,
      log,
      name: 'headgate-control-health',
      policy: () => this.#table.health.breaker,
      known: () => endpointKeys(this.#table),
    });
    this.#prober = new Prober({
      board: this.#board,
      log,
      target: (endpointKey) => this.#targets.get(endpointKey),
      policy: () => this.#table.health.probes,
      onProbed: options.onProbed ?? (() => {}),
    });
    this.#queue = new ProbeQueue({
      redisUrl,
      prefix,
      log,
      run: (endpointKey) => this.#prober.run(endpointKey),
      onUp: () => this.#recheck(),
    });
  }

  /** Resolves at once when Redis is away; the rest happens when it is there. */
  async start(): Promise<void> {
    this.#board.onChange(() => this.#check());
    await this.#board.start();
    if (this.#stopped) return;
    this.#queue.start();
    this.#timer = setInterval(() => this.#recheck(), this.#options.checkMs ?? CHECK_MS);
    this.#check();
  }

  /** The configuration is another one now. */
  change(snapshot: RoutingSnapshot): void {
    this.#table = this.#tableOf(snapshot);
    this.#targets = targetsOf(this.#table);
    this.#prober.retain([...this.#table.providers.values()].map(({ baseUrl }) => baseUrl));
    this.#check();
  }

  /** Ends what is under way; the schedule stays for other replicas. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#prober.abort();
    await this.#queue.stop();
    await Promise.all([this.#board.stop(), this.#prober.close()]);
  }

  #tableOf(snapshot: RoutingSnapshot): RoutingTable {
    return toRoutingTable(snapshot, 0, '', (provider, sealed) => this.#seal.open(provider, sealed));
  }

  /** Also when this process has changed nothing: Redis may have lost the schedule, or somebody else changed it. */
  #recheck(): void {
    this.#scheduled = null;
    this.#check();
  }

  #check(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#scheduling ??= this.#scheduleUntilCurrent().finally(() => {
      this.#scheduling = null;
    });
  }

  async #scheduleUntilCurrent(): Promise<void> {
    // Listeners of the board are called in the middle of its work.
    await Promise.resolve();
    while (this.#again && !this.#stopped) {
      this.#again = false;
      await this.#schedule();
    }
  }

  async #schedule(): Promise<void> {
    // What is open is known only of a board that has heard of it: an empty one must not end what others began.
    if (!this.#queue.up || !this.#board.redisUp()) return;
    const open = this.#board.open();
    const openKeys = new Set(open.map(({ endpointKey }) => endpointKey));
    this.#prober.forget((endpointKey) => openKeys.has(endpointKey));
    const wanted = this.#wanted(open);
    const summary = JSON.stringify([...wanted].map(([key, { everyMs }]) => [key, everyMs]).sort());
    if (summary === this.#scheduled) return;
    try {
      await this.#queue.schedule(wanted);
      this.#scheduled = summary;
    } catch (error) {
      if (!this.#stopped) this.#options.log.warn('probes could not be scheduled, trying again soon', { error });
    }
  }

  #wanted(open: readonly OpenEndpoint[]): Map<string, ProbePlan> {
    const { enabled, intervalMs } = this.#table.health.probes;
    const wanted = new Map<string, ProbePlan>();
    if (!enabled) return wanted;
    const { now } = this.#board.view();
    for (const { endpointKey, openUntil } of open) {
      if (this.#targets.has(endpointKey)) wanted.set(endpointKey, { everyMs: intervalMs, firstInMs: openUntil - now });
    }
    return wanted;
  }
}

/** By key; any of the models does that have the endpoint. */
function targetsOf({ models }: RoutingTable): ReadonlyMap<string, ProbeTarget> {
  return new Map(
    [...models.values()].flatMap((model) => model.endpoints.map((endpoint) => [endpoint.key, { model, endpoint }])),
  );
}

function endpointKeys({ models }: RoutingTable): ReadonlySet<string> {
  return new Set([...models.values()].flatMap(({ endpoints }) => endpoints.map(({ key }) => key)));
}
