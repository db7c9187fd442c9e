import { redisKeys } from '../redis/index.ts';
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
import type { BreakerEvent } from './breaker.ts';
import type { AttemptOutcome, HealthReporter } from './contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';
import { EndpointTable } from './endpoint-table.ts';
import { HealthLink } from './health-link.ts';
import { MeasurementLog } from './measurement-log.ts';
import { eventsOf, type KeyedEvent, wentWell } from './outcome-events.ts';
import { LEASE_MS, PermitDesk } from './permit-desk.ts';
import { RedisClock } from './redis-clock.ts';
import { UNKNOWN_STATISTICS, UNKNOWN_UPTIME } from './shared-measurements.ts';

/**
 * What a process knows of the health of endpoints: told by its relay, shared with all replicas through Redis, read by
 * its planner. Nothing on the request path waits for Redis, and nothing throws because Redis is away.
 */
export class HealthBoard implements HealthReporter {
  readonly #options: HealthBoardOptions;
  readonly #clock = new RedisClock();
  readonly #table = new EndpointTable(this.#clock, (endpointKey) => this.#tell(endpointKey));
  readonly #measured = new MeasurementLog();
  readonly #listeners = new Set<(endpointKey: string) => void>();
  #running: { readonly link: HealthLink; readonly permits: PermitDesk; readonly tidying: NodeJS.Timeout } | null = null;

  constructor(options: HealthBoardOptions) {
    this.#options = options;
  }

  /** Connects; resolves once the shared state was loaded, or Redis was found away. Does not throw when it is. */
  async start(): Promise<void> {
    if (this.#running !== null) throw new Error('this HealthBoard was started before');
    const { redisUrl, prefix, log, name = 'headgate-health', policy, pollMs = 1000, flushMs = 1000 } = this.#options;
    const keys = redisKeys(prefix).health;
    const options = { redisUrl, keys, log, name, policy, pollMs, flushMs };
    const link = new HealthLink(options, this.#clock, this.#table, this.#measured);
    const permits = new PermitDesk(link, this.#table, this.#clock);
    this.#running = { link, permits, tidying: setInterval(() => this.#tidy(), TIDY_MS) };
    await link.start();
  }

  /** Writes what is pending, and disconnects. */
  async stop(): Promise<void> {
    this.#listeners.clear();
    if (this.#running === null) return;
    const { link, permits, tidying } = this.#running;
    clearInterval(tidying);
    permits.stop();
    await link.stop();
  }

  /** Live: read it within one turn of the event loop. */
  view(): HealthView {
    return this.#table;
  }

  began(endpointKey: string): boolean {
    const record = this.#table.record(endpointKey);
    record.inFlight++;
    if (record.permit === null) return false;
    this.#running?.permits.take(record);
    return true;
  }

  answering(endpointKey: string, startedAt: number): void {
    const record = this.#table.find(endpointKey);
    if (record === undefined || this.#running === null || startedAt < record.epochSince) return;
    const { link, permits } = this.#running;
    if (permits.use(record, startedAt) === 0) return;
    this.#table.changed(record, false);
    const event = { kind: 'success', count: 1, epoch: record.state.epoch } as const;
    record.trial = { startedAt, closed: link.submit({ key: record.key, event }) };
  }

  abandoned(endpointKey: string): void {
    const record = this.#table.record(endpointKey);
    leave(record);
    if (record.permit !== null) this.#running?.permits.giveBack(record);
  }

  ended(outcome: AttemptOutcome): void {
    const record = this.#table.record(outcome.endpointKey);
    leave(record);
    this.#measured.attempt(record.key, wentWell(outcome), outcome.ttftMs, outcome.tokensPerSecond);
    if (this.#running === null) return;
    const { trial } = record;
    if (trial !== null && trial.startedAt === outcome.startedAt) {
      record.trial = null;
      // Its answer has been counted; what broke it befell the endpoint that it had brought back.
      void trial.closed.then(() => {
        const events = eventsOf(outcome, { epoch: record.state.epoch, permit: 0 });
        this.#report(
          record,
          events.filter(({ event }) => event.kind !== 'success'),
        );
      });
      return;
    }
    const late = outcome.startedAt < record.epochSince;
    const permit = this.#running.permits.use(record, outcome.startedAt);
    this.#report(record, eventsOf(outcome, { epoch: late ? null : record.state.epoch, permit }));
    if (permit !== 0) this.#table.changed(record, false);
  }

  #report(record: EndpointRecord, events: readonly KeyedEvent[]): void {
    const telling = events.filter(({ key, event }) => key !== record.key || this.#tells(record, event));
    // Counted successes can wait; what opens or closes a breaker, or ends a probe, cannot.
    const urgent = record.state.open || telling.some(({ event }) => event.kind !== 'success');
    if (telling.length > 0) this.#running?.link.report(telling, urgent);
  }

  /** Whether the event can change anything: under an outage thousands cannot, and need not be sent. */
  #tells({ state }: EndpointRecord, event: BreakerEvent): boolean {
    const now = this.#clock.now();
    if (event.kind === 'failure') {
      return !state.open || event.permit !== 0 || now + event.retryAfterMs > state.coolUntil + SLACK_MS;
    }
    if (event.kind !== 'rate_limited' || event.permit !== 0) return true;
    return now + event.retryAfterMs > state.coolUntil + (event.retryAfterMs > 0 ? SLACK_MS : 0);
  }

  /** A request has come to its end: it got an answer (`ok`), or a failure that was not its own fault. */
  finished(modelId: string, ok: boolean): void {
    this.#measured.request(modelId, ok);
  }

  /** For `Plan.permits`: the request goes there, and nobody else plans the endpoint as if it were well. */
  takePermit(endpointKey: string): void {
    const record = this.#table.find(endpointKey);
    if (record?.permit != null) this.#running?.permits.take(record);
  }

  /** For `Plan.wanted`: fetches the permit in the background. */
  wanted(endpointKey: string): void {
    const record = this.#table.find(endpointKey);
    if (record !== undefined && record.breaker === 'open') this.#running?.permits.fetch(record);
  }

  /**
   * The right to probe an endpoint, for so long; null when it is not due, somebody else has it, or Redis is away. The
   * lease should outlast the probe: the failure of one that has run out does not count.
   */
  async acquireProbe(endpointKey: string, leaseMs: number = LEASE_MS): Promise<ProbePermit | null> {
    const link = this.#running?.link;
    const record = this.#table.find(endpointKey);
    if (link === undefined || record === undefined || !link.up || !record.probeDue) return null;
    const id = await link.submit({ key: endpointKey, event: { kind: 'acquire', permit: 0, leaseMs } });
    if (id === 0 || !link.up) return null;
    return { endpointKey, id, epoch: record.state.epoch, until: this.#clock.now() + leaseMs };
  }

  /** How it went; null: it could not be tried, somebody else may. Not counted as an attempt in the statistics. */
  async reportProbe(permit: ProbePermit, outcome: ProbeOutcome | null): Promise<void> {
    const { endpointKey: key, id, epoch } = permit;
    const link = this.#running?.link;
    if (link === undefined) return;
    if (outcome === null) {
      await link.submit({ key, event: { kind: 'release', permit: id } });
      return;
    }
    const { provider } = this.#table.record(key);
    const events = eventsOf({ ...outcome, endpointKey: key, provider }, { epoch, permit: id });
    for (const event of events) await link.submit(event);
  }

  /** Called with the endpoint's key when its breaker, cool-down or permit changes. Returns how to stop. */
  onChange(listener: (endpointKey: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(endpointKey: string): void {
    for (const listener of this.#listeners) {
      try {
        listener(endpointKey);
      } catch (error) {
        this.#options.log.error('a listener of health failed', { error });
      }
    }
  }

  /** Endpoints whose breaker is open, half-open ones among them, whoever opened it. */
  open(): readonly OpenEndpoint[] {
    const now = this.#clock.now();
    return [...this.#table.all()]
      .filter(({ state }) => state.open)
      .map(({ key, state: { openedAt, openUntil, permitUntil } }) => ({
        endpointKey: key,
        openedAt,
        openUntil,
        probing: permitUntil > now,
      }));
  }

  describe(): readonly EndpointDescription[] {
    const now = this.#clock.now();
    return [...this.#table.all()].map((record) => ({
      endpointKey: record.key,
      provider: record.provider,
      breaker: !record.state.open ? 'closed' : record.state.permitUntil > now ? 'half_open' : 'open',
      coolUntil: record.coolUntil > now ? record.coolUntil : 0,
      ttftMs: record.ttftMs,
      tokensPerSecond: record.tokensPerSecond,
      successRate: record.successRate,
      inFlight: record.inFlight,
    }));
  }

  /** One entry a key; all unknown while Redis is away. One command for up to 200 keys; not for the request path. */
  async statistics(endpointKeys: readonly string[]): Promise<ReadonlyMap<string, EndpointStatistics>> {
    const found = await this.#running?.link.measurements.endpoints(endpointKeys).catch(() => undefined);
    return found ?? new Map(endpointKeys.map((key) => [key, UNKNOWN_STATISTICS]));
  }

  /** Uptime by final outcome (`finished`), one entry a model id; all unknown while Redis is away. */
  async modelUptime(modelIds: readonly string[]): Promise<ReadonlyMap<string, Uptime>> {
    const found = await this.#running?.link.measurements.models(modelIds).catch(() => undefined);
    return found ?? new Map(modelIds.map((id) => [id, UNKNOWN_UPTIME]));
  }

  /** Whether health is shared now; else it is kept locally. */
  redisUp(): boolean {
    return this.#running?.link.up ?? false;
  }

  #tidy(): void {
    const known = this.#options.known?.();
    if (known !== undefined) this.#table.keepOnly(known);
  }
}

const TIDY_MS = 60_000;
/** A deadline that moves by less is not worth a message. */
const SLACK_MS = 100;

function leave(record: EndpointRecord): void {
  if (record.inFlight > 0) record.inFlight--;
}
