import type { Dispatcher } from 'undici';
import type { ChatRequest } from '../chat/index.ts';
import type { ChatAnswer, Dialect, StreamProgress, Transcript } from '../dialects/index.ts';
import { GatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { AttemptObservation } from '../telemetry/index.ts';
import {
  EventStreamParser,
  networkError,
  SseParser,
  type UpstreamCall,
  type UpstreamPools,
} from '../upstream/index.ts';
import type { AttemptOutput } from './attempt-output.ts';
import { brokenOff, unreadable } from './failures.ts';
import { FrameBuffer } from './frame-buffer.ts';
import type { AttemptAdmission } from './request.ts';

const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
const MAX_ERROR_BYTES = 1024 * 1024;
/** A provider that leaves its connection open behind the terminal event is cut off after this. */
const LINGER_MS = 2_000;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What an attempt tells the relay. Each attempt ends with exactly one of `succeeded`, `answered`, `failed`, or by `abort`. */
export interface AttemptOwner {
  /** Frames of one upstream read; the buffer is reused, so it is written or copied at once. */
  frames(attempt: Attempt, frames: FrameBuffer): void;
  /** A stream came to its proved end; `frames` holds what has not been handed over yet. */
  succeeded(attempt: Attempt, frames: FrameBuffer): void;
  /** A whole JSON answer; it may also come where a stream was asked for in its place. */
  answered(attempt: Attempt, answer: ChatAnswer): void;
  failed(attempt: Attempt, error: GatewayError): void;
}

const frames = new FrameBuffer();

/** What an attempt is made of. */
export interface AttemptParts {
  readonly planned: PlannedAttempt;
  readonly dialect: Dialect;
  /** The request as this endpoint gets it. */
  readonly asked: ChatRequest;
  /** Null where a whole answer was asked for. */
  readonly output: AttemptOutput | null;
  /** What the provider has said, as far as it is written down; null with `output`. */
  readonly said: Transcript | null;
  readonly decodeAnswer: (body: Buffer) => ChatAnswer;
}

/** One call to one provider endpoint: an undici dispatch handler that turns bytes into frames or into an answer. */
export class Attempt implements Dispatcher.DispatchHandler {
  readonly planned: PlannedAttempt;
  readonly dialect: Dialect;
  readonly asked: ChatRequest;
  readonly output: AttemptOutput | null;
  readonly said: Transcript | null;
  /** Where what it used is told when that is known only after its end. */
  observed: AttemptObservation | null = null;
  readonly startedAt = performance.now();
  /** What its provider's limits let it in with. */
  admission: AttemptAdmission | null = null;
  /** When its request went out; null before that. */
  sentAt: number | null = null;
  status: number | null = null;
  lastDataAt = this.startedAt;
  firstDataAt: number | null = null;
  /** When its first content came, reasoning included. */
  firstTokenAt: number | null = null;
  /** The client did not keep up: its pace says nothing of the provider's. */
  wasPaused = false;
  #owner: AttemptOwner;
  readonly #decodeAnswer: (body: Buffer) => ChatAnswer;
  #parser: SseParser | EventStreamParser | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #headers: Headers = {};
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #flushing = false;
  /** Nothing that arrives is looked at any more. */
  #over = false;
  #responseEnded = false;

  constructor(owner: AttemptOwner, { planned, dialect, asked, output, said, decodeAnswer }: AttemptParts) {
    this.#owner = owner;
    this.planned = planned;
    this.dialect = dialect;
    this.asked = asked;
    this.output = output;
    this.said = said;
    this.#decodeAnswer = decodeAnswer;
  }

  /** From now on somebody else is told what becomes of it. */
  handOver(owner: AttemptOwner): void {
    this.#owner = owner;
  }

  start(pools: UpstreamPools, call: UpstreamCall): void {
    this.sentAt = performance.now();
    try {
      pools.dispatch(call, this);
    } catch (error) {
      this.#fail(networkError(error, this.#provider));
    }
  }

  /** Ends the call at once; the owner hears nothing more of it. */
  abort(): void {
    this.#over = true;
    this.#queue = [];
    this.#controller?.abort(new Error('attempt aborted'));
  }

  pause(): void {
    this.wasPaused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.lastDataAt = performance.now();
    this.#controller?.resume();
  }

  /** The request has begun to leave, and was not refused: the provider may be at work. */
  get isAccepted(): boolean {
    return this.#controller !== null && (this.status === null || this.status < 300);
  }

  /** Nothing more is heard of it. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Bytes that have come of a whole answer. */
  get answerBytes(): number {
    return this.output === null && this.status === 200 ? this.#queuedBytes : 0;
  }

  get #progress(): StreamProgress | undefined {
    return this.output?.decoder.progress;
  }

  get #provider(): string {
    return this.planned.endpoint.provider.name;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error('attempt aborted'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // Each is a view of what was read with it, which a stream would keep in memory for as long as it lasts.
    controller.rawHeaders = null;
    if (status < 200) return;
    this.status = status;
    this.#headers = headers;
    this.lastDataAt = performance.now();
    if (status >= 300 || this.output === null || this.#header('content-type')?.includes('json')) return;
    const { decoder } = this.output;
    const handler = { onEvent: (data: Buffer, name: string) => decoder.event(data, name, frames) };
    this.#parser = this.dialect.framing === 'sse' ? new SseParser(handler) : new EventStreamParser(handler);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    this.lastDataAt = performance.now();
    this.firstDataAt ??= this.lastDataAt;
    this.#queue.push(chunk);
    if (this.#parser === null || this.output?.whole) this.#limitAnswer(chunk.length);
    if (this.#parser !== null && !this.#flushing) {
      // undici calls once for each HTTP chunk; what one read brought is sent as one write.
      this.#flushing = true;
      queueMicrotask(this.#flush);
    }
  }

  #limitAnswer(bytes: number): void {
    this.#queuedBytes += bytes;
    const limit = this.status === 200 ? MAX_ANSWER_BYTES : MAX_ERROR_BYTES;
    if (this.#queuedBytes <= limit) return;
    const error = unreadable(this.#provider, `it is larger than ${limit} bytes`);
    this.#fail(error);
    this.#controller?.abort(error);
  }

  readonly #flush = (): void => {
    this.#flushing = false;
    const parser = this.#parser;
    if (this.#over || parser === null || this.#queue.length === 0) return;
    const chunks = this.#queue;
    this.#queue = [];
    frames.reset();
    let error: GatewayError | null = null;
    try {
      for (const chunk of chunks) parser.feed(chunk);
    } catch (thrown) {
      error = thrown instanceof GatewayError ? thrown : unreadable(this.#provider, 'an event is malformed');
    }
    const { hasContent, ended, complete } = this.#progress ?? {};
    if (hasContent) this.firstTokenAt ??= this.lastDataAt;
    if (error === null && ended && complete) {
      // The last frames and the end go out together.
      this.#succeed();
      return;
    }
    // What was good before the fault goes out first.
    if (frames.length > 0) this.#owner.frames(this, frames);
    if (this.#over) return;
    if (error !== null) {
      this.#fail(error);
      this.#controller?.abort(error);
    } else if (ended) this.endOfStream();
  };

  onResponseEnd(): void {
    this.#responseEnded = true;
    if (this.#over) return;
    if (this.#parser !== null) {
      this.#flush();
      this.endOfStream();
      return;
    }
    const body = this.#queue.length === 1 && this.#queue[0] ? this.#queue[0] : Buffer.concat(this.#queue);
    this.#queue = [];
    if (this.status === null || this.status >= 300) this.#fail(this.#errorAnswer(body));
    else this.#wholeAnswer(body);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#responseEnded = true;
    if (this.#over) return;
    if (this.#parser === null || this.firstDataAt === null) {
      this.#fail(networkError(error, this.#provider));
      return;
    }
    this.#flush();
    // The answer was complete before the connection broke.
    if (this.#progress?.complete) this.endOfStream();
    else this.#fail(brokenOff(this.#provider, 'the connection broke', error));
  }

  /** The stream is at its end, or is taken to be: a success only when every choice has finished. */
  endOfStream(): void {
    if (this.#over) return;
    if (!this.#progress?.complete) {
      this.#fail(brokenOff(this.#provider, 'it ended without a finish reason'));
      return;
    }
    frames.reset();
    this.#succeed();
  }

  #succeed(): void {
    this.#over = true;
    if (!this.#responseEnded) this.#linger();
    this.#owner.succeeded(this, frames);
  }

  #linger(): void {
    setTimeout(() => {
      if (!this.#responseEnded) this.#controller?.abort(new Error('no end of response after the end of the stream'));
    }, LINGER_MS).unref();
  }

  #wholeAnswer(body: Buffer): void {
    let answer: ChatAnswer;
    try {
      answer = this.#decodeAnswer(body);
    } catch (thrown) {
      this.#fail(thrown instanceof GatewayError ? thrown : unreadable(this.#provider, 'it is malformed'));
      return;
    }
    if (this.output !== null && !this.output.whole) {
      this.#fail(unreadable(this.#provider, 'a stream was asked for, a whole answer came'));
      return;
    }
    this.#over = true;
    this.#owner.answered(this, answer);
  }

  #errorAnswer(body: Buffer): GatewayError {
    return this.dialect.decodeError({
      status: this.status ?? 502,
      header: (name) => this.#header(name),
      body,
      provider: this.#provider,
      now: Date.now(),
    });
  }

  #header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  #fail(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.failed(this, error.cutOut(Object.values(this.planned.endpoint.provider.credentials)));
  }
}
