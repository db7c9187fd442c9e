import type { EndpointRecord } from './endpoint-record.ts';
import type { EndpointTable } from './endpoint-table.ts';
import type { HealthLink } from './health-link.ts';
import type { RedisClock } from './redis-clock.ts';

/** How long a process may keep a permit until a request comes that uses it. */
const RESERVED_MS = 10_000;
/** One that nobody used goes to others for so long. */
const UNUSED_MS = 10_000;
/** A refusal that cannot be foreseen, as when clocks differ by a little. */
const REFUSED_MS = 100;
/** How long an attempt may take to tell; a longer one that succeeds still closes the breaker. */
export const LEASE_MS = 20_000;

/** The permits of this process: the right to send one request to an endpoint whose breaker is open. */
export class PermitDesk {
  readonly #link: HealthLink;
  readonly #table: EndpointTable;
  readonly #clock: RedisClock;
  #stopped = false;

  constructor(link: HealthLink, table: EndpointTable, clock: RedisClock) {
    this.#link = link;
    this.#table = table;
    this.#clock = clock;
  }

  /** Asks for the permit in the background if it can be had; at most one request a time. */
  fetch(record: EndpointRecord): void {
    if (!record.probeDue || record.asking || this.#clock.now() < record.askAgainAt) return;
    record.asking = true;
    void this.#ask(record);
  }

  async #ask(record: EndpointRecord): Promise<void> {
    const event = { kind: 'acquire', permit: 0, leaseMs: RESERVED_MS } as const;
    const id = await this.#link.submit({ key: record.key, event });
    record.asking = false;
    if (this.#stopped) return;
    const now = this.#clock.now();
    if (id === 0) {
      record.askAgainAt = now + REFUSED_MS;
      return;
    }
    record.permit = { id, since: performance.now(), until: now + RESERVED_MS, taken: false };
    this.#table.changed(record, false);
    this.#endAt(record, id);
  }

  /** A request goes with it; from now on nobody else plans the endpoint as if it were well. */
  take(record: EndpointRecord): void {
    const { permit } = record;
    if (permit === null || permit.taken) return;
    permit.taken = true;
    permit.until = this.#clock.now() + LEASE_MS;
    this.#table.changed(record, false);
    void this.#link.submit({ key: record.key, event: { kind: 'acquire', permit: permit.id, leaseMs: LEASE_MS } });
  }

  /** The permit under which an attempt that began then was made, 0: none. It is used up by that. */
  use(record: EndpointRecord, startedAt: number): number {
    const { permit } = record;
    if (permit === null || startedAt < permit.since) return 0;
    record.permit = null;
    return permit.id;
  }

  /** Nothing could be told: somebody else may try. */
  giveBack(record: EndpointRecord): void {
    const { permit } = record;
    if (permit === null || !permit.taken || record.inFlight > 0) return;
    record.permit = null;
    this.#table.changed(record, false);
    this.#link.report([{ key: record.key, event: { kind: 'release', permit: permit.id } }], true);
  }

  stop(): void {
    this.#stopped = true;
  }

  #endAt(record: EndpointRecord, id: number): void {
    const { permit } = record;
    if (permit === null || permit.id !== id) return;
    const left = permit.until - this.#clock.now();
    if (left > 0) {
      setTimeout(() => this.#endAt(record, id), Math.ceil(left)).unref();
      return;
    }
    record.permit = null;
    if (!permit.taken) record.askAgainAt = this.#clock.now() + UNUSED_MS;
    this.#table.changed(record, false);
  }
}
