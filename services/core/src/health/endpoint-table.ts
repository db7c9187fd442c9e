import type { MeasurementSummary } from '@headgate/proto/health';
import type { BreakerPolicy } from '../catalog/index.ts';
import type { EndpointHealth, HealthView } from '../routing/endpoint-health.ts';
import { looksDifferent, transition, WELL } from './breaker.ts';
import { EndpointRecord } from './endpoint-record.ts';
import { type KeyedEvent, providerKey } from './outcome-events.ts';
import type { RedisClock } from './redis-clock.ts';
import type { SharedState } from './shared-breakers.ts';

/** Epochs only rise: Redis has begun anew, and what it says of the endpoint is less than what is known here. */
const hasLost = ({ sharedEpoch }: EndpointRecord, { state }: SharedState): boolean => state.epoch < sharedEpoch;

/** Every endpoint that this process knows of, and the view of them that plans get. */
export class EndpointTable implements HealthView {
  readonly #clock: RedisClock;
  readonly #onChange: (endpointKey: string) => void;
  readonly #endpoints = new Map<string, EndpointRecord>();
  /** By `providerKey`; of these only the cool-down counts. Empty until a key was refused. */
  readonly #providers = new Map<string, EndpointRecord>();
  version = 0;

  constructor(clock: RedisClock, onChange: (endpointKey: string) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get now(): number {
    return this.#clock.now();
  }

  of(endpointKey: string): EndpointHealth | undefined {
    const record = this.#endpoints.get(endpointKey);
    // An endpoint never heard of may belong to a provider that is to be left alone.
    return record !== undefined || this.#providers.size === 0 ? record : this.record(endpointKey);
  }

  find(endpointKey: string): EndpointRecord | undefined {
    return this.#endpoints.get(endpointKey);
  }

  record(endpointKey: string): EndpointRecord {
    let record = this.#endpoints.get(endpointKey);
    if (record === undefined) {
      record = new EndpointRecord(endpointKey, this.#clock);
      record.refresh(this.#providerCoolUntil(record));
      this.#endpoints.set(endpointKey, record);
    }
    return record;
  }

  all(): IterableIterator<EndpointRecord> {
    return this.#endpoints.values();
  }

  /** Takes states that are newer; `sentAt`: `performance.now()` when they were asked for, null for what was pushed. */
  take(states: readonly SharedState[], sentAt: number | null = null): void {
    for (const shared of states) {
      const record = this.#recordOf(shared.key);
      if (!record.takes(shared.version, sentAt) || hasLost(record, shared)) continue;
      const different = looksDifferent(record.state, shared.state);
      record.set(shared.state, shared.version);
      record.sharedEpoch = shared.state.epoch;
      this.changed(record, different);
    }
  }

  /**
   * These are all there are in Redis. Returns what it must have known and has lost, as when it was started without its data:
   * that goes on here until it is restored.
   */
  takeOver(states: readonly SharedState[], sentAt: number): readonly KeyedEvent[] {
    this.take(states, sentAt);
    const named = new Map(states.map((shared) => [shared.key, shared]));
    const lost: KeyedEvent[] = [];
    for (const record of [...this.#endpoints.values(), ...this.#providers.values()]) {
      const shared = named.get(record.key);
      if (record.state === WELL || (shared !== undefined && !hasLost(record, shared))) continue;
      // It may be that it was pushed since they were asked for; then Redis knows it, and restoring it changes nothing.
      if (record.worthRestoring(this.#clock.now())) {
        lost.push({ key: record.key, event: { kind: 'restore', known: record.state } });
      } else if (record.takes(-1, sentAt)) {
        record.sharedEpoch = 0;
        record.set(shared?.state ?? WELL, shared?.version ?? 0);
        this.changed(record, true);
      }
    }
    return lost;
  }

  /** What Redis would do, done here while it is away; the records that look different. */
  applyLocally(events: readonly KeyedEvent[], policy: BreakerPolicy): readonly EndpointRecord[] {
    const now = Math.floor(this.#clock.now());
    const different: EndpointRecord[] = [];
    for (const { key, event } of events) {
      const record = this.#recordOf(key);
      const state = transition(record.state, event, policy, now);
      if (state === record.state) continue;
      const looks = looksDifferent(record.state, state);
      record.set(state, record.version);
      if (looks) different.push(record);
      this.changed(record, looks);
    }
    return different;
  }

  /** Brings what plans see up to date; `tell`: listeners hear of it even if plans see no difference. */
  changed(record: EndpointRecord, tell: boolean): void {
    if (this.#providers.get(record.key) === record) {
      for (const endpoint of this.#endpoints.values())
        if (endpoint.provider === record.provider) this.changed(endpoint, false);
      // Endpoints that nothing is known of yet cool down with it, too: plans made before are out of date.
      if (tell) this.version++;
      return;
    }
    const seen = record.refresh(this.#providerCoolUntil(record));
    if (seen) this.version++;
    if (seen || tell) this.#onChange(record.key);
  }

  measured(summaries: readonly MeasurementSummary[]): void {
    for (const summary of summaries) this.record(summary.key).measured(summary);
  }

  fade(): void {
    for (const record of this.#endpoints.values()) record.fade();
  }

  /** Forgets all other endpoints but those in use. */
  keepOnly(endpointKeys: Iterable<string>): void {
    const known = new Set(endpointKeys);
    for (const [key, record] of this.#endpoints) {
      if (!known.has(key) && record.inFlight === 0) this.#endpoints.delete(key);
    }
  }

  #recordOf(key: string): EndpointRecord {
    if (!key.endsWith(':*')) return this.record(key);
    let record = this.#providers.get(key);
    if (record === undefined) {
      record = new EndpointRecord(key, this.#clock);
      this.#providers.set(key, record);
    }
    return record;
  }

  #providerCoolUntil({ provider }: EndpointRecord): number {
    return this.#providers.get(providerKey(provider))?.state.coolUntil ?? 0;
  }
}
