import type { BreakerPolicy } from '../catalog/index.ts';
import { createRequestClient, createSubscriber, type HealthKeys, type RedisClient } from '../redis/index.ts';
import type { HealthLog } from './board-contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';
import type { EndpointTable } from './endpoint-table.ts';
import { EventQueue } from './event-queue.ts';
import type { MeasurementLog } from './measurement-log.ts';
import type { KeyedEvent } from './outcome-events.ts';
import type { RedisClock } from './redis-clock.ts';
import { parseChange, SharedBreakers, type SharedState } from './shared-breakers.ts';
import { SharedMeasurements } from './shared-measurements.ts';

export interface HealthLinkOptions {
  readonly redisUrl: string;
  readonly keys: HealthKeys;
  readonly log: HealthLog;
  readonly name: string;
  readonly policy: () => BreakerPolicy;
  readonly pollMs: number;
  readonly flushMs: number;
}

/** Medians move slowly: they are asked for with every so-manieth poll. */
const POLLS_A_SUMMARY = 5;
const ALL = -1;

/**
 * Between this process and Redis: events go there, states come back by push and by poll. While Redis is away the same
 * state machine goes on here; when it is back, what it has is taken over, and what it has lost is told again.
 */
export class HealthLink {
  readonly #options: HealthLinkOptions;
  readonly #clock: RedisClock;
  readonly #table: EndpointTable;
  readonly #measured: MeasurementLog;
  readonly #client: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #breakers: SharedBreakers;
  readonly measurements: SharedMeasurements;
  readonly #queue = new EventQueue((events) => this.#write(events));
  #timers: NodeJS.Timeout[] = [];
  #up = false;
  #toldAway = false;
  #stopped = false;
  /** Newest version whose changes were all heard. */
  #heard = ALL;
  #polls = 0;
  #polling: Promise<void> | null = null;
  #pollAgain = false;
  #measuring: Promise<void> | null = null;

  constructor(options: HealthLinkOptions, clock: RedisClock, table: EndpointTable, measured: MeasurementLog) {
    const { redisUrl, name, keys } = options;
    this.#options = options;
    this.#clock = clock;
    this.#table = table;
    this.#measured = measured;
    this.#client = createRequestClient(redisUrl, name, { onDown: (reason) => this.#away(reason) });
    this.#subscriber = createSubscriber(redisUrl, `${name}-notifications`);
    this.#breakers = new SharedBreakers(this.#client, keys, clock);
    this.measurements = new SharedMeasurements(this.#client, keys, clock);
  }

  get up(): boolean {
    return this.#up;
  }

  /** Resolves once the state was loaded or the first attempt has failed. Does not throw. */
  async start(): Promise<void> {
    this.#subscriber.on('message', (_channel: string, text: string) => this.#hear(text));
    this.#subscriber.subscribe(this.#options.keys.changes).then(
      // What was published before the subscription stood went unheard.
      () => this.#poll(),
      () => {
        // stop() came first; the subscription of a lost connection is renewed by the client itself.
      },
    );
    await firstOutcome(this.#client);
    if (this.#stopped) return;
    // From now on every (re)connection loads at once: what was published in between went unheard.
    this.#client.on('ready', () => void this.#poll());
    this.#subscriber.on('ready', () => void this.#poll());
    this.#timers = [
      setInterval(() => void this.#poll(), this.#options.pollMs),
      setInterval(() => void this.#flush(), this.#options.flushMs),
    ];
    await this.#poll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#flush();
    this.#queue.drain();
    this.#client.disconnect();
    this.#subscriber.disconnect();
    await this.#polling;
  }

  /** Sends events on their way; `urgent` ones at once. */
  report(events: readonly KeyedEvent[], urgent: boolean): void {
    if (!this.#up) this.#applyLocally(events);
    else for (const event of events) this.#queue.push(event, urgent);
  }

  /** Applies one event without waiting for others; the new permit that it gave, 0: none. */
  async submit(event: KeyedEvent): Promise<number> {
    if (this.#up) {
      try {
        return await this.#applyShared([event]);
      } catch (error) {
        this.#away(reasonOf(error));
      }
    }
    const before = this.#table.find(event.key)?.state.permit ?? 0;
    this.#applyLocally([event]);
    const permit = this.#table.find(event.key)?.state.permit ?? 0;
    return permit === before ? 0 : permit;
  }

  async #write(events: readonly KeyedEvent[]): Promise<void> {
    if (events.length === 0) return;
    if (this.#up) {
      try {
        await this.#applyShared(events);
        return;
      } catch (error) {
        this.#away(reasonOf(error));
      }
    }
    this.#applyLocally(events);
  }

  async #applyShared(events: readonly KeyedEvent[]): Promise<number> {
    const { change, now, permit } = await this.#breakers.apply(events, this.#options.policy());
    if (change !== null) {
      this.#table.take(change.states);
      for (const shared of change.states) this.#tellTurn(shared, now);
    }
    return permit;
  }

  #applyLocally(events: readonly KeyedEvent[]): void {
    if (this.#stopped) return;
    const now = Math.floor(this.#clock.now());
    for (const record of this.#table.applyLocally(events, this.#options.policy())) this.#tellTurn(record, now);
  }

  /** One line where a breaker was turned: by the process that turned it. An epoch as new as that has just begun. */
  #tellTurn({ key, state }: SharedState | EndpointRecord, now: number): void {
    if (state.epoch < now) return;
    const shared = this.#up;
    if (!state.open) this.#options.log.info('circuit breaker closed', { endpoint: key, shared });
    else {
      const { cooldownMs, consecutiveFailures } = state;
      // It was open already, and a probe has failed: an outage is told once.
      if (cooldownMs > this.#options.policy().cooldownMs) return;
      const forMs = state.openUntil - now;
      this.#options.log.warn('circuit breaker open', { endpoint: key, forMs, cooldownMs, consecutiveFailures, shared });
    }
  }

  #hear(text: string): void {
    if (this.#stopped) return;
    try {
      const change = parseChange(text);
      this.#table.take(change.states);
      const missed = change.previousVersion !== this.#heard;
      if (!missed) this.#heard = change.version;
      // A poll that is under way may have been answered before: it tells.
      else if (change.version > this.#heard) void this.#poll();
    } catch (error) {
      this.#options.log.error('a message about health cannot be read', { error });
    }
  }

  /** Calls that come while one runs are answered by a single further run. */
  #poll(): Promise<void> {
    if (this.#polling !== null) {
      this.#pollAgain = true;
      return this.#polling;
    }
    this.#polling = this.#pollUntilCurrent().finally(() => {
      this.#polling = null;
    });
    return this.#polling;
  }

  async #pollUntilCurrent(): Promise<void> {
    do {
      this.#pollAgain = false;
      try {
        await this.#pollOnce();
      } catch (error) {
        this.#away(reasonOf(error));
      }
    } while (this.#pollAgain && this.#up && !this.#stopped);
  }

  async #pollOnce(): Promise<void> {
    if (this.#stopped) return;
    const sentAt = performance.now();
    const known = this.#up ? this.#heard : ALL;
    const { version, breakers, summaries } = await this.#breakers.poll(known, this.#polls++ % POLLS_A_SUMMARY === 0);
    if (breakers !== null) {
      const lost = this.#table.takeOver(breakers, sentAt);
      this.#heard = version;
      // All replicas may say so at once: what one has restored is no change when another says it, and not published again.
      if (lost.length > 0) await this.#applyShared(lost);
    }
    this.#table.measured(summaries);
    this.#table.fade();
    this.#back();
  }

  async #flush(): Promise<void> {
    if (!this.#up) {
      // Nobody will want to know of it by the time Redis is back.
      this.#measured.take();
      return;
    }
    this.#measuring ??= this.#writeMeasurements().finally(() => {
      this.#measuring = null;
    });
    await Promise.all([this.#queue.flush(), this.#measuring]);
  }

  async #writeMeasurements(): Promise<void> {
    const increments = this.#measured.take();
    if (increments === null) return;
    try {
      this.#table.measured(await this.measurements.add(increments));
    } catch (error) {
      this.#away(reasonOf(error));
    }
  }

  #away(reason: string): void {
    this.#up = false;
    if (this.#stopped) return;
    if (!this.#toldAway) this.#options.log.warn('Redis is away: health is kept locally', { reason });
    this.#toldAway = true;
    const waiting = this.#queue.drain();
    if (waiting.length > 0) this.#applyLocally(waiting);
  }

  #back(): void {
    this.#up = true;
    if (this.#toldAway) this.#options.log.info('Redis is back: health is shared again');
    this.#toldAway = false;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Resolves when the first attempt to connect is over, either way. */
function firstOutcome(client: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    client.once('ready', () => resolve());
    client.once('close', () => resolve());
  });
}
