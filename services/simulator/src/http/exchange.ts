import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Directives } from '../faults/directives.ts';
import type { Journal, RecordedRequest } from '../recording/journal.ts';
import type { Bill } from '../recording/usageLog.ts';

/** How fast answers are when their directives do not say otherwise. */
export interface Pace {
  /** Milliseconds from the request to the first token. */
  readonly ttftMs: number;
  /** 0: as fast as the socket takes them. */
  readonly tokensPerSecond: number;
}

/** One request and its answer in the making; what every dialect works with. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly record: RecordedRequest;
  readonly body: Buffer;
  /** performance.now() when the request had arrived. */
  readonly arrivedAt = performance.now();
  /** Resolves when the connection or the answer is finished, however that came. */
  readonly whenClosed: Promise<void>;
  directives: Directives = {};
  /** The model without directives. */
  model = '';
  /** Set before a fault breaks the connection off, so that this does not count as the client's doing. */
  brokenOff = false;
  /** Set by a dialect once it has accepted the request: what the answer costs. */
  bill: Bill | undefined;
  /** A stream was sent to its end. */
  played = false;
  readonly #pace: Pace;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(parts: {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly path: string;
    readonly record: RecordedRequest;
    readonly body: Buffer;
    readonly pace: Pace;
    readonly journal: Journal;
  }) {
    this.request = parts.request;
    this.response = parts.response;
    this.path = parts.path;
    this.record = parts.record;
    this.body = parts.body;
    this.#pace = parts.pace;
    this.whenClosed = new Promise((resolve) => {
      const close = () => {
        if (this.#closed) return;
        this.#closed = true;
        this.#finishRecord();
        parts.journal.changed();
        this.#wake?.();
        resolve();
      };
      if (parts.response.destroyed || parts.response.closed) close();
      else parts.response.once('close', close);
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  get pace(): Pace {
    return {
      ttftMs: this.directives.ttft ?? this.#pace.ttftMs,
      tokensPerSecond: this.directives.tps ?? this.#pace.tokensPerSecond,
    };
  }

  /** Waits, but no longer than the connection lives. One sleep at a time. */
  sleep(ms: number): Promise<void> {
    if (this.#closed || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(done, Math.ceil(ms));
      const exchange = this;
      function done() {
        exchange.#wake = undefined;
        clearTimeout(timer);
        resolve();
      }
      this.#wake = done;
    });
  }

  #finishRecord(): void {
    const { record, response } = this;
    record.endedAt = Date.now();
    record.status = response.headersSent ? response.statusCode : undefined;
    if (response.writableFinished && !this.brokenOff) record.outcome = 'complete';
    else record.outcome = this.brokenOff ? 'broken' : 'aborted';
    record.aborted = record.outcome === 'aborted';
  }
}
