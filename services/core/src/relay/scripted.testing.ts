import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { endpointEntry, modelEntry, providerEntry } from '../catalog/entries.testing.ts';
import type { EndpointPricing, EndpointTimeouts, ModelEntry } from '../catalog/index.ts';
import { readChatRequest } from '../chat/index.ts';
import type { GatewayError } from '../errors/index.ts';
import type { AttemptOutcome, HealthReporter } from '../health/index.ts';
import { HEADROOM } from '../json/index.ts';
import type { Plan, PlannedAttempt } from '../routing/index.ts';
import type { AttemptEnd, AttemptStart, RequestObservation, TokenUsage, UsageSource } from '../telemetry/index.ts';
import { TokenCounter } from '../tokens/index.ts';
import { Authorizers, type UpstreamPools } from '../upstream/index.ts';
import { LateUsage } from './late-usage.ts';
import { Relay } from './relay.ts';
import type { RelayRequest } from './request.ts';
import type { RelayOutcome, RelaySink, Timing } from './sink.ts';

/** What a provider does with one request. */
export type Script = (socket: Socket, request: string) => void | Promise<void>;

/** A provider that speaks HTTP by hand, byte for byte as a test says. The last script serves all further requests. */
export class ScriptedProvider {
  readonly requests: string[] = [];
  readonly sockets = new Set<Socket>();
  /** Emits `request` and `closed` (a connection). */
  readonly events = new EventEmitter();
  readonly #scripts: Script[];
  readonly #server: Server;

  static async start(...scripts: Script[]): Promise<ScriptedProvider> {
    const provider = new ScriptedProvider(scripts);
    await once(provider.#server.listen(0, '127.0.0.1'), 'listening');
    return provider;
  }

  private constructor(scripts: Script[]) {
    this.#scripts = scripts;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  #accept(socket: Socket): void {
    this.sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.events.emit('closed');
    });
    socket.on('data', (chunk) => {
      text += chunk;
      const end = text.indexOf('\r\n\r\n') + 4;
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0);
      if (end < 4 || Buffer.byteLength(text.slice(end)) < length) return;
      const request = text;
      text = '';
      this.requests.push(request);
      const script = this.#scripts.length > 1 ? this.#scripts.shift() : this.#scripts[0];
      void script?.(socket, request);
      this.events.emit('request');
    });
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }
}

const chunked = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

export const STREAM_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
export const STREAM_END = '0\r\n\r\n';
/** One event, as one HTTP chunk. */
export const frame = (data: unknown): string =>
  chunked(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
export const comment = chunked(': ping\n\n');
export const delta = (content: object, finish_reason: string | null = null): string =>
  frame({
    id: 'up',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'up-model',
    choices: [{ index: 0, delta: content, finish_reason }],
  });
export const ROLE = delta({ role: 'assistant', content: '' });
export const text = (content: string): string => delta({ content });
export const FINISH = delta({}, 'stop');
export const USAGE = frame({
  id: 'up',
  model: 'up-model',
  choices: [],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
});
export const DONE = frame('[DONE]');

/** A whole stream that says this. */
export const says =
  (content: string): Script =>
  (socket) =>
    void socket.write(STREAM_HEAD + ROLE + text(content) + FINISH + USAGE + DONE + STREAM_END);

/** An ordinary answer. */
export function answers(status: number, body: unknown, headers = ''): Script {
  const json = typeof body === 'string' ? body : JSON.stringify(body);
  return (socket) =>
    void socket.write(
      `HTTP/1.1 ${status} X\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n${headers}\r\n${json}`,
    );
}
export const fails = (status: number, error: object = {}, headers = ''): Script =>
  answers(status, { error: { message: `said ${status}`, type: null, param: null, code: null, ...error } }, headers);
export const completion = (content: string | null): object => ({
  id: 'up',
  object: 'chat.completion',
  created: 1,
  model: 'up-model',
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
});
export const resets: Script = (socket) => void socket.resetAndDestroy();
export const silent: Script = () => undefined;

/** What the client sees, and whether the rules of `RelaySink` were kept. */
export class RecordingSink implements RelaySink {
  readonly writes: string[] = [];
  /** Null: not opened; the string is the provider named, '' for none. */
  openedBy: string | null = null;
  error: GatewayError | null = null;
  body: string | null = null;
  ended = false;
  answeredBy: string | null = null;
  /** What came with the headers. */
  timing: Timing | null = null;
  /** What `write` says. */
  accepts = true;
  gone = false;
  readonly events = new EventEmitter();

  get sent(): string {
    return this.writes.join('');
  }

  /** The stream's frames, without comments. */
  get frames(): string[] {
    return this.sent
      .split('\n\n')
      .filter((part) => part.startsWith('data: '))
      .map((part) => part.slice(6));
  }

  get content(): string {
    return this.frames
      .filter((data) => data !== '[DONE]')
      .map(
        (data) =>
          (JSON.parse(data) as { choices?: { delta: { content?: string } }[] }).choices?.[0]?.delta.content ?? '',
      )
      .join('');
  }

  get errorFrame(): { message: string; type: string; code: string | null } | null {
    const last = this.frames.at(-1);
    return last?.startsWith('{"error"') ? JSON.parse(last).error : null;
  }

  openStream(provider: string | null, timing: Timing): void {
    assert.equal(this.openedBy, null, 'opened once');
    this.#begin(timing);
    this.openedBy = provider ?? '';
  }

  write(bytes: Buffer): boolean {
    this.#say(bytes);
    this.events.emit('write');
    return this.accepts;
  }

  endStream(last: Buffer): void {
    this.#say(last);
    this.#end();
  }

  answer(body: Buffer, provider: string, timing: Timing): void {
    this.#begin(timing);
    this.body = body.toString();
    this.answeredBy = provider;
    this.#end();
  }

  refuse(error: GatewayError, timing: Timing): void {
    this.#begin(timing);
    this.error = error;
    this.#end();
  }

  #begin(timing: Timing): void {
    this.timing = timing;
    assert.equal(this.openedBy, null, 'nothing was begun');
    assert.ok(!this.ended && !this.gone);
  }

  #say(bytes: Buffer): void {
    assert.notEqual(this.openedBy, null, 'opened before bytes');
    assert.ok(!this.ended && !this.gone, 'nothing behind the end');
    assert.ok(bytes.length > 0);
    this.writes.push(bytes.toString());
  }

  #end(): void {
    this.ended = true;
    this.events.emit('ended');
  }
}

/** Attempts as telemetry was told of them. */
export interface ObservedAttempt {
  readonly start: AttemptStart;
  end: AttemptEnd | null;
  /** What it used, where that was told behind its end. */
  used: { readonly usage: TokenUsage; readonly source: UsageSource } | null;
}

/** What health was told, and whether the rules of `HealthReporter` were kept. */
export class RecordingHealth implements HealthReporter {
  /** `began`, `abandoned`, and what `ended` named as failure, in their order. */
  readonly told: string[] = [];
  readonly outcomes: AttemptOutcome[] = [];
  /** `startedAt` of the trials that showed content. */
  readonly answeringSince: number[] = [];
  readonly #onTrial: readonly string[];
  #inFlight = 0;

  constructor(onTrial: readonly string[]) {
    this.#onTrial = onTrial;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  began(endpointKey: string): boolean {
    this.#inFlight++;
    this.told.push(`${endpointKey} began`);
    return this.#onTrial.includes(endpointKey);
  }

  answering(endpointKey: string, startedAt: number): void {
    this.told.push(`${endpointKey} answering`);
    this.answeringSince.push(startedAt);
  }

  abandoned(endpointKey: string): void {
    this.#end();
    this.told.push(`${endpointKey} abandoned`);
  }

  ended(outcome: AttemptOutcome): void {
    this.#end();
    this.told.push(`${outcome.endpointKey} ${outcome.failure ?? 'answered'}`);
    this.outcomes.push(outcome);
  }

  #end(): void {
    assert.ok(this.#inFlight-- > 0, 'what ends has begun');
  }
}

function observing(
  attempts: ObservedAttempt[],
  trace: { traceparent: string; tracestate: string },
): RequestObservation {
  return {
    traceId: '',
    spanId: '',
    ...trace,
    routed: () => undefined,
    attempt(start) {
      const attempt: ObservedAttempt = { start, end: null, used: null };
      attempts.push(attempt);
      return {
        ...trace,
        ended(end) {
          assert.equal(attempt.end, null, 'an attempt ends once');
          attempt.end = end;
        },
        used(usage, source) {
          assert.equal(attempt.end?.usage ?? attempt.used, null, 'what it used is told once');
          attempt.used = { usage, source };
        },
      };
    },
    answered: () => undefined,
    ended: () => undefined,
  };
}

/** The vocabulary takes its time to load on a busy machine. */
const LATE_USAGE = new LateUsage(new TokenCounter({ timeoutMs: 15_000 }));

const PRICES: EndpointPricing = { input: '0.000001', output: '0.00001', inputCacheRead: null, inputCacheWrite: null };

export function model(
  id: string,
  urls: readonly string[],
  options: { contextWindow?: number; timeouts?: Partial<EndpointTimeouts>; dialect?: string } = {},
): ModelEntry {
  const endpoints = urls.map((baseUrl, i) => {
    const provider = providerEntry(`${id}${i}`, {
      dialect: options.dialect ?? 'openai',
      baseUrl,
      credentials: { apiKey: 'topsecretcredential' },
    });
    const timeouts = { connectMs: 1_000, firstTokenMs: 5_000, streamStallMs: 5_000, ...options.timeouts };
    return endpointEntry(provider, 'up', { timeouts, pricing: PRICES });
  });
  return modelEntry(id, endpoints, { contextWindow: options.contextWindow ?? 8_000, maxOutputTokens: 100 });
}

/** All endpoints of these models in their order, as the planner has them where nothing is known and nothing asked for. */
export function planOf(models: readonly ModelEntry[], changes: Partial<PlannedAttempt> = {}): Plan {
  const attempts = models.flatMap((one) =>
    one.endpoints.map(
      (endpoint): PlannedAttempt => ({
        model: one,
        endpoint,
        credentialType: 'system',
        firstTokenBinds: false,
        reason: 'configured order',
        ...changes,
      }),
    ),
  );
  return {
    attempts,
    keys: attempts.map(({ endpoint }) => endpoint.key),
    removed: [],
    sort: null,
    affinity: null,
    permits: [],
    wanted: [],
    warnings: [],
    reasoning: 'configured order',
  };
}

export interface Running {
  readonly relay: Relay;
  readonly sink: RecordingSink;
  readonly health: RecordingHealth;
  readonly observed: readonly ObservedAttempt[];
  /** The outcomes told so far; more than one is a fault. */
  readonly outcomes: readonly RelayOutcome[];
  readonly settled: Promise<RelayOutcome>;
}

export interface RunOptions {
  readonly stream?: boolean;
  readonly body?: object;
  readonly trace?: { traceparent: string; tracestate: string };
  readonly request?: Partial<RelayRequest>;
  /** Keys of endpoints whose attempts are trials. */
  readonly onTrial?: readonly string[];
}

export function run(pools: UpstreamPools, models: readonly ModelEntry[], options: RunOptions = {}): Running {
  const bytes = Buffer.from(
    JSON.stringify({
      model: models[0]?.id,
      messages: [{ role: 'user', content: 'Hi' }],
      stream: options.stream ?? true,
      ...options.body,
    }),
  );
  const store = Buffer.concat([Buffer.alloc(HEADROOM), bytes, Buffer.alloc(HEADROOM)]);
  const observed: ObservedAttempt[] = [];
  const outcomes: RelayOutcome[] = [];
  const sink = new RecordingSink();
  const health = new RecordingHealth(options.onTrial ?? []);
  let settle: (outcome: RelayOutcome) => void = () => undefined;
  const settled = new Promise<RelayOutcome>((resolve) => {
    settle = resolve;
  });
  const relay = new Relay(
    {
      chat: readChatRequest(store, HEADROOM, HEADROOM + bytes.length),
      plan: planOf(models),
      requestedModel: models[0]?.id ?? '',
      generationId: 'gen_01K8KPJ0FZA7172X6CSGNZGDWY',
      created: 1_700_000_000,
      startedAt: performance.now(),
      timeoutMs: 10_000,
      answerWithinMs: 10_000,
      keepAliveMs: 0,
      resume: 'safe',
      metadataAtTop: false,
      simulated: false,
      pools,
      authorizers: new Authorizers(),
      allowPrivateFileUrls: false,
      health,
      lateUsage: LATE_USAGE,
      drainAborted: { when: 'billed', maxMs: 5_000, maxConcurrent: 8 },
      observation: observing(observed, options.trace ?? { traceparent: '', tracestate: '' }),
      onSettled(outcome) {
        outcomes.push(outcome);
        settle(outcome);
      },
      ...options.request,
    },
    sink,
  );
  relay.start();
  return { relay, sink, health, observed, outcomes, settled };
}
