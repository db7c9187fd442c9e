import { EventEmitter } from 'node:events';

/** One request as it arrived, and what became of its answer. Times are epoch milliseconds. */
export interface RecordedRequest {
  /** Rises by one with each request; `since` compares with it. */
  readonly seq: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Lower-case names; credentials are reduced to their last four characters. */
  readonly headers: Readonly<Record<string, string>>;
  /** Identifies the TCP connection; equal for requests that shared it. */
  readonly connection: number;
  readonly startedAt: number;
  /** The model without its directives; empty when the body names none. */
  model: string;
  /** Texts and token lists to embed; 0 where nothing is embedded. */
  items: number;
  /** The parsed JSON; undefined when it is not JSON or is larger than a megabyte. */
  body: unknown;
  bodyBytes: number;
  bodySha256: string;
  directives: unknown;
  /** Undefined until a status line was sent. */
  status: number | undefined;
  stream: boolean;
  /** Tokens handed to the socket. */
  tokensSent: number;
  bytesSent: number;
  /** The most bytes that ever waited in the socket's buffer. */
  maxQueuedBytes: number;
  firstTokenAt: number | undefined;
  endedAt: number | undefined;
  /** The client closed the connection before the answer was complete. */
  aborted: boolean;
  /** How it ended: completely, by the client, or by a fault that broke it off. */
  outcome: 'open' | 'complete' | 'aborted' | 'broken';
}

export interface RecordFilter {
  readonly model?: string;
  readonly path?: string;
  /** Only records with a greater `seq`. */
  readonly since?: number;
  readonly aborted?: boolean;
  /** Only requests whose answer has (or has not) ended. */
  readonly ended?: boolean;
}

export interface JournalLimits {
  readonly records: number;
  readonly bytes: number;
}

/** A ring of the latest requests, bounded by number and by the bytes of their bodies. */
export class Journal {
  readonly #limits: JournalLimits;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #records: RecordedRequest[] = [];
  #bytes = 0;
  #seq = 0;

  constructor(limits: JournalLimits) {
    this.#limits = limits;
  }

  get lastSeq(): number {
    return this.#seq;
  }

  nextSeq(): number {
    return ++this.#seq;
  }

  add(record: RecordedRequest): void {
    this.#records.push(record);
    this.#bytes += record.bodyBytes;
    if (this.#records.length > this.#limits.records * 1.25 || this.#bytes > this.#limits.bytes) this.#trim();
    this.#changes.emit('change');
  }

  /** Call after a record changed, so that those who wait look again. */
  changed(): void {
    if (this.#changes.listenerCount('change') > 0) this.#changes.emit('change');
  }

  clear(): number {
    const gone = this.#records.length;
    this.#records = [];
    this.#bytes = 0;
    return gone;
  }

  find(filter: RecordFilter = {}): RecordedRequest[] {
    return this.#records.filter((record) => isWanted(record, filter)).slice(-this.#limits.records);
  }

  /** Resolves with the matching records as soon as there are `count`, or with fewer after `timeoutMs`. */
  async wait(filter: RecordFilter, count: number, timeoutMs: number, signal?: AbortSignal): Promise<RecordedRequest[]> {
    const first = this.find(filter);
    if (first.length >= count) return first;
    return await new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#changes.off('change', look);
        signal?.removeEventListener('abort', finish);
        resolve(this.find(filter));
      };
      const look = () => {
        if (this.find(filter).length >= count) finish();
      };
      const timer = setTimeout(finish, timeoutMs);
      this.#changes.on('change', look);
      signal?.addEventListener('abort', finish, { once: true });
    });
  }

  #trim(): void {
    const kept: RecordedRequest[] = [];
    let bytes = 0;
    for (const record of this.#records.toReversed()) {
      if (kept.length === this.#limits.records || (kept.length > 0 && bytes + record.bodyBytes > this.#limits.bytes))
        break;
      kept.push(record);
      bytes += record.bodyBytes;
    }
    this.#records = kept.toReversed();
    this.#bytes = bytes;
  }
}

function isWanted(record: RecordedRequest, filter: RecordFilter): boolean {
  return (
    (filter.model === undefined || record.model === filter.model) &&
    (filter.path === undefined || record.path === filter.path) &&
    (filter.since === undefined || record.seq > filter.since) &&
    (filter.aborted === undefined || record.aborted === filter.aborted) &&
    (filter.ended === undefined || (record.endedAt !== undefined) === filter.ended)
  );
}
