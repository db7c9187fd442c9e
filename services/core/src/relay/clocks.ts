/** Everything that time limits depend on. `...At` are `performance.now()` milliseconds, `...Ms` durations; 0 ms is no limit. */
export interface Clocks {
  readonly deadlineAt: number;
  readonly keepAliveMs: number;
  readonly lastWriteAt: number;
  readonly startedAt: number;
  readonly lastDataAt: number;
  readonly firstTokenMs: number;
  readonly stallMs: number;
  readonly streaming: boolean;
  /** The attempt's content is coming. */
  readonly flowing: boolean;
  /** The answer is complete and only the provider's terminal event is missing. */
  readonly complete: boolean;
  /** The client does not take bytes: the provider is not to blame for silence. */
  readonly paused: boolean;
  /** Another endpoint is left to try, or the client itself set `firstTokenMs`. */
  readonly firstTokenBinds: boolean;
}

export interface Due {
  readonly at: number;
  readonly limit: 'deadline' | 'keep_alive' | 'first_token' | 'stall' | 'end_of_stream';
  /** The limit's length. */
  readonly ms: number;
}

/** A complete answer does not wait long for a terminal event that some providers never send. */
const TERMINAL_EVENT_MS = 1_000;

/** The limit that comes first. The operator's `firstTokenMs` binds only while another endpoint is left to try (DESIGN 4). */
export function dueAt(clocks: Clocks): Due {
  let due: Due = { at: clocks.deadlineAt, limit: 'deadline', ms: 0 };
  const consider = (from: number, ms: number, limit: Due['limit']): void => {
    if (ms > 0 && from + ms < due.at) due = { at: from + ms, limit, ms };
  };
  if (clocks.streaming && clocks.complete) {
    const ms = clocks.stallMs > 0 ? Math.min(clocks.stallMs, TERMINAL_EVENT_MS) : TERMINAL_EVENT_MS;
    consider(clocks.lastDataAt, ms, 'end_of_stream');
  } else if (clocks.flowing) {
    if (!clocks.paused) consider(clocks.lastDataAt, clocks.stallMs, 'stall');
  } else if (clocks.streaming && clocks.firstTokenBinds) consider(clocks.startedAt, clocks.firstTokenMs, 'first_token');
  consider(clocks.lastWriteAt, clocks.keepAliveMs, 'keep_alive');
  return due;
}
