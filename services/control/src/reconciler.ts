import type { RedisClient } from '@headgate/core/redis';
import { type Published, SnapshotPublisher } from '@headgate/core/snapshot';
import type { Logger } from '@headgate/core/telemetry';
import type { DesiredState } from './desired-state.ts';

const CHECK_MS = 1000;

/**
 * Brings Redis to the desired state and keeps it there: tries again while Redis is away, and publishes anew when Redis
 * has lost what was published. Does not fight another control process that published something else.
 */
export class Reconciler {
  readonly #publisher: SnapshotPublisher;
  readonly #log: Logger;
  #desired: DesiredState;
  #published: Published | null = null;
  #publishedAtMs: number | null = null;
  /** The desired state that Redis is known to have taken. */
  #settled: DesiredState | null = null;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  constructor(client: RedisClient, prefix: string, desired: DesiredState, log: Logger) {
    this.#publisher = new SnapshotPublisher(client, prefix);
    this.#desired = desired;
    this.#log = log;
    client.on('ready', () => void this.#run());
  }

  start(): void {
    this.#timer = setInterval(() => void this.#run(), CHECK_MS);
    void this.#run();
  }

  /** What was published last; null before the first time. */
  get published(): Published | null {
    return this.#published;
  }

  /** When that was, Unix time; null before the first time. */
  get publishedAtMs(): number | null {
    return this.#publishedAtMs;
  }

  /** Whether Redis has taken the newest desired state. */
  get settled(): boolean {
    return this.#settled === this.#desired;
  }

  change(desired: DesiredState): void {
    this.#desired = desired;
    void this.#run();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
  }

  #run(): Promise<void> {
    this.#running ??= this.#reconcile().finally(() => {
      this.#running = null;
      // A change that came meanwhile waits for nobody.
      if (this.#timer !== null && this.#lastAttempted !== this.#desired) void this.#run();
    });
    return this.#running;
  }

  #lastAttempted: DesiredState | null = null;

  async #reconcile(): Promise<void> {
    const desired = this.#desired;
    this.#lastAttempted = desired;
    try {
      if (this.#settled === desired && (await this.#publisher.isPublished())) return;
      await this.#publish(desired);
    } catch {
      // Redis is away: its connection says so in the log, and the next check tries again.
    }
  }

  async #publish(desired: DesiredState): Promise<void> {
    // Keys first: a snapshot without them would let nobody in.
    const keys = await this.#publisher.syncConfiguredKeys(desired.apiKeys);
    const now = Date.now();
    const published = await this.#publisher.publish(desired.snapshot, now);
    this.#published = published;
    this.#publishedAtMs = now;
    this.#settled = desired;
    this.#log.info(published.changed ? 'snapshot published' : 'snapshot is published already', {
      version: published.version,
      digest: published.digest.slice(0, 12),
      models: desired.snapshot.models.length,
      providers: desired.snapshot.providers.map(({ name }) => name),
      simulated: desired.snapshot.simulated,
      configuredKeys: desired.apiKeys.length,
      keysWritten: keys.written,
      keysRemoved: keys.removed,
    });
  }
}
