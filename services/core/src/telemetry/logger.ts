/**
 * JSON lines: `{time, level, service, pid, msg, ...fields}`. Own code rather than pino: the line of a request must be
 * built by hand (pino in place costs 13 us a request, PERFORMANCE 0.11), two writers on one descriptor would tear lines,
 * and pino redacts by path where secrets must go wherever they stand.
 */
import { type LineSink, lineWriter } from './line-writer.ts';
import { isSecretName, loggable, REDACTED, redactText } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Values may be errors and nested objects; secrets are taken out of them. */
export type LogFields = Readonly<Record<string, unknown>>;
/** A file descriptor, or something that takes whole lines. */
export type LogDestination = number | { write(line: string): unknown };

const RANK: Readonly<Record<LogLevel | 'silent', number>> = { debug: 10, info: 20, warn: 30, error: 40, silent: 100 };
const RESERVED = new Set(['time', 'level', 'service', 'pid', 'msg']);

export interface LoggerOptions {
  readonly service: string;
  /** Default: `HEADGATE_LOG_LEVEL`, else info. `silent` writes nothing. */
  readonly level?: LogLevel | 'silent';
  /** Default: standard output. */
  readonly destination?: LogDestination;
}

export interface Logger {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
  /** The same logger with fields on every line; give `trace_id` and `span_id` here. */
  child(fields: LogFields): Logger;
  enabled(level: LogLevel): boolean;
  /** A line built by hand for the hot path: `members` is valid JSON text, `,"a":1,"b":"x"`, and holds no secret. */
  raw(level: LogLevel, msg: string, members: string): void;
  /** Resolves when every line so far is written. */
  flush(): Promise<void>;
}

export function createLogger(options: LoggerOptions): Logger {
  const asked = options.level ?? process.env.HEADGATE_LOG_LEVEL ?? 'info';
  const known = Object.hasOwn(RANK, asked);
  const head = `,"service":${JSON.stringify(options.service)},"pid":${process.pid}`;
  const logger = new JsonLogger(
    openSink(options.destination ?? 1),
    known ? RANK[asked as LogLevel | 'silent'] : RANK.info,
    head,
    {},
  );
  if (!known)
    logger.warn('HEADGATE_LOG_LEVEL must be debug, info, warn, error or silent; using info', { found: asked });
  return logger;
}

function openSink(destination: LogDestination): LineSink {
  if (typeof destination === 'number') return lineWriter(destination);
  return {
    append: (line) => {
      destination.write(line);
    },
    flush: () => Promise.resolve(),
  };
}

class JsonLogger implements Logger {
  readonly #sink: LineSink;
  readonly #rank: number;
  readonly #head: string;
  readonly #fields: LogFields;
  readonly #fieldsText: string;

  constructor(sink: LineSink, rank: number, head: string, fields: LogFields) {
    this.#sink = sink;
    this.#rank = rank;
    this.#head = head;
    this.#fields = fields;
    this.#fieldsText = membersOf(fields);
  }

  debug(msg: string, fields?: LogFields): void {
    this.#log('debug', msg, fields);
  }

  info(msg: string, fields?: LogFields): void {
    this.#log('info', msg, fields);
  }

  warn(msg: string, fields?: LogFields): void {
    this.#log('warn', msg, fields);
  }

  error(msg: string, fields?: LogFields): void {
    this.#log('error', msg, fields);
    // Whoever logs an error may be about to die.
    if (this.#rank <= RANK.error) void this.#sink.flush();
  }

  child(fields: LogFields): Logger {
    return new JsonLogger(this.#sink, this.#rank, this.#head, { ...this.#fields, ...fields });
  }

  enabled(level: LogLevel): boolean {
    return RANK[level] >= this.#rank;
  }

  raw(level: LogLevel, msg: string, members: string): void {
    if (RANK[level] < this.#rank) return;
    this.#sink.append(
      `{"time":"${timeText()}","level":"${level}"${this.#head},"msg":"${msg}"${this.#fieldsText}${members}}\n`,
    );
  }

  flush(): Promise<void> {
    return this.#sink.flush();
  }

  #log(level: LogLevel, msg: string, fields: LogFields | undefined): void {
    if (RANK[level] < this.#rank) return;
    const text = fields === undefined ? this.#fieldsText : this.#members(fields);
    this.#sink.append(
      `{"time":"${timeText()}","level":"${level}"${this.#head},"msg":${JSON.stringify(redactText(msg))}${text}}\n`,
    );
  }

  #members(fields: LogFields): string {
    for (const key in fields) {
      if (Object.hasOwn(this.#fields, key)) return membersOf({ ...this.#fields, ...fields });
    }
    return this.#fieldsText + membersOf(fields);
  }
}

function membersOf(fields: LogFields): string {
  let text = '';
  for (const [key, value] of Object.entries(fields)) {
    const kept = isSecretName(key) && value !== null && value !== undefined ? REDACTED : safeLoggable(value);
    if (kept === undefined) continue;
    text += `,${JSON.stringify(RESERVED.has(key) ? `${key}_` : key)}:${JSON.stringify(kept)}`;
  }
  return text;
}

/** A getter or proxy that throws must not turn a log line into a failure. */
function safeLoggable(value: unknown): unknown {
  try {
    return loggable(value);
  } catch {
    return '[unreadable]';
  }
}

let secondOfText = -1;
let secondText = '';

/** ISO 8601 in UTC with milliseconds; the part down to the second is formatted once a second. */
function timeText(): string {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  if (second !== secondOfText) {
    secondOfText = second;
    secondText = new Date(second * 1000).toISOString().slice(0, 20);
  }
  const ms = now - second * 1000;
  return `${secondText}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
}
