import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ControlEndpoints } from './control/control.ts';
import { anthropicDialect } from './dialects/anthropic/index.ts';
import { azureDialect } from './dialects/azure/index.ts';
import { bedrockDialect } from './dialects/bedrock/index.ts';
import { cohereDialect } from './dialects/cohere/index.ts';
import type { Dialect } from './dialects/dialect.ts';
import { geminiDialect } from './dialects/gemini/index.ts';
import { openaiDialect } from './dialects/openai/index.ts';
import { vertexDialect } from './dialects/vertex/index.ts';
import { voyageDialect } from './dialects/voyage/index.ts';
import { DirectiveError } from './faults/directives.ts';
import { FaultRules } from './faults/rules.ts';
import { Steerer } from './faults/steering.ts';
import { readBody } from './http/body.ts';
import { Exchange, type Pace } from './http/exchange.ts';
import { Concurrency } from './recording/concurrency.ts';
import { recordableHeaders, recordableQuery } from './recording/headers.ts';
import { Journal, type RecordedRequest } from './recording/journal.ts';
import type { SimulatorStats } from './recording/stats.ts';
import { UsageLog } from './recording/usageLog.ts';

export type { FaultMatch, FaultRule, NewFaultRule } from './faults/rules.ts';
export type { RecordedRequest, RecordFilter } from './recording/journal.ts';
export type { SimulatorStats } from './recording/stats.ts';
export type { BilledRequest, UsageReport, UsageSum } from './recording/usageLog.ts';

export interface SimulatorOptions extends Partial<Pace> {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** How many requests are kept for assertions. Default 1000. */
  readonly recordedRequests?: number;
  /** Receives what is worth a line in a log. */
  readonly log?: (entry: Readonly<Record<string, unknown>>) => void;
}

export interface Simulator {
  /** `http://127.0.0.1:PORT`; OpenAI's base URL is this with `/v1`. */
  readonly url: string;
  readonly port: number;
  /** Faults from outside the requests, as `/__sim/faults`. */
  readonly faults: FaultRules;
  /** What was received, as `/__sim/requests`. */
  readonly journal: Journal;
  /** What was billed, as `/__sim/usage`. */
  readonly usage: UsageLog;
  /** How many requests were open at once, as in `stats()`; `forgetPeaks()` as `DELETE /__sim/stats`. */
  readonly concurrency: Concurrency;
  /** The recorded requests, oldest first. */
  readonly requests: readonly RecordedRequest[];
  stats(): SimulatorStats;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

const maxBodyBytes = 256 * 1024 * 1024;
const maxRecordedBody = 1024 * 1024;
const maxRecordedBytes = 64 * 1024 * 1024;

/** Starts a simulator; rejects when the port cannot be had. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port = 0, host = '127.0.0.1', ttftMs = 0, tokensPerSecond = 0, log = () => {} } = options;
  const service = new SimulatorService({ ttftMs, tokensPerSecond }, options.recordedRequests ?? 1000, log);
  await new Promise<void>((resolve, reject) => {
    service.server.once('error', reject);
    service.server.listen({ port, host, backlog: 4096 }, resolve);
  });
  const address = service.server.address();
  if (address === null || typeof address === 'string') throw new Error('The simulator listens on no TCP port.');
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    faults: service.rules,
    journal: service.journal,
    usage: service.usage,
    concurrency: service.concurrency,
    get requests() {
      return service.journal.find();
    },
    stats: () => service.stats(),
    close: () => service.close(),
  };
}

class SimulatorService {
  readonly rules = new FaultRules();
  readonly journal: Journal;
  readonly usage: UsageLog;
  readonly concurrency = new Concurrency();
  readonly server = createServer(
    { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0, noDelay: true },
    (req, res) => {
      this.#serve(req, res).catch((error: unknown) => this.#failed(res, error));
    },
  );
  readonly #pace: Pace;
  readonly #log: (entry: Readonly<Record<string, unknown>>) => void;
  readonly #steerer = new Steerer(this.rules);
  readonly #dialects: readonly Dialect[] = [
    anthropicDialect(),
    geminiDialect(),
    vertexDialect(),
    bedrockDialect(),
    azureDialect(),
    cohereDialect(),
    voyageDialect(),
    // Last: it serves all the rest of /v1/.
    openaiDialect(),
  ];
  readonly #control: ControlEndpoints;
  readonly #connections = new Map<Socket, number>();
  readonly #open = new Set<RecordedRequest>();
  #accepted = 0;
  #totals = { requests: 0, complete: 0, aborted: 0, broken: 0, tokensSent: 0, bytesSent: 0 };
  #maxQueuedBytes = 0;

  constructor(pace: Pace, recordedRequests: number, log: (entry: Readonly<Record<string, unknown>>) => void) {
    this.#pace = pace;
    this.#log = log;
    this.journal = new Journal({ records: recordedRequests, bytes: maxRecordedBytes });
    this.usage = new UsageLog(recordedRequests);
    this.#control = new ControlEndpoints({
      rules: this.rules,
      journal: this.journal,
      usage: this.usage,
      stats: () => this.stats(),
      concurrency: this.concurrency,
    });
    this.server.on('connection', (socket) => {
      this.#connections.set(socket, ++this.#accepted);
      socket.once('close', () => this.#connections.delete(socket));
    });
  }

  stats(): SimulatorStats {
    const open = [...this.#open];
    return {
      openConnections: this.#connections.size,
      openRequests: open.length,
      openStreams: open.filter(({ stream }) => stream).length,
      byModel: this.concurrency.report(),
      totals: { connections: this.#accepted, ...this.#totals },
      maxQueuedBytes: Math.max(this.#maxQueuedBytes, ...open.map(({ maxQueuedBytes }) => maxQueuedBytes)),
    };
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://simulator');
    if (this.#control.serves(url.pathname)) return await this.#control.answer(request, response, url);
    const body = await readBody(request, maxBodyBytes);
    if (body === undefined) {
      response.destroy();
      return;
    }
    const json = parseJson(body);
    const record = this.#record(request, url, body, json);
    const exchange = new Exchange({
      request,
      response,
      path: url.pathname,
      record,
      body,
      pace: this.#pace,
      journal: this.journal,
    });
    exchange.whenClosed.then(() => this.#count(exchange));
    const dialect = this.#dialects.find((candidate) => candidate.serves(url.pathname, json));
    if (dialect === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: `The simulator speaks no dialect at ${url.pathname}.` } }));
      return;
    }
    await this.#answer(exchange, dialect, json);
  }

  async #answer(exchange: Exchange, dialect: Dialect, json: unknown): Promise<void> {
    try {
      const steered = dialect.steered(exchange.path, json);
      exchange.record.items = steered.items ?? 0;
      const steering = this.#steerer.steer(exchange.path, steered);
      exchange.model = steering.model;
      exchange.directives = steering.directives;
    } catch (error) {
      if (!(error instanceof DirectiveError)) throw error;
      return await dialect.reject(exchange, error.message);
    } finally {
      exchange.record.model = exchange.model;
      exchange.record.directives = exchange.directives;
      this.journal.add(exchange.record);
    }
    const open = this.concurrency.enter(exchange.model);
    exchange.whenClosed.then(() => this.concurrency.leave(exchange.model));
    const { hang, reset, concurrency } = exchange.directives;
    if (concurrency !== undefined && open > concurrency)
      exchange.directives = { error: 'rate_limit', ...exchange.directives };
    if (hang) return await exchange.whenClosed;
    if (reset === 'before') {
      exchange.brokenOff = true;
      exchange.request.socket.resetAndDestroy();
      return;
    }
    await dialect.answer(exchange, json);
  }

  #record(request: IncomingMessage, url: URL, body: Buffer, json: unknown): RecordedRequest {
    const record: RecordedRequest = {
      seq: this.journal.nextSeq(),
      method: request.method ?? '',
      path: url.pathname,
      query: recordableQuery(url),
      headers: recordableHeaders(request.headers),
      connection: this.#connections.get(request.socket) ?? 0,
      startedAt: Date.now(),
      model: '',
      items: 0,
      body: body.length > maxRecordedBody ? undefined : json,
      bodyBytes: body.length,
      bodySha256: createHash('sha256').update(body).digest('hex'),
      directives: {},
      status: undefined,
      stream: false,
      tokensSent: 0,
      bytesSent: 0,
      maxQueuedBytes: 0,
      firstTokenAt: undefined,
      endedAt: undefined,
      aborted: false,
      outcome: 'open',
    };
    this.#open.add(record);
    this.#totals.requests++;
    return record;
  }

  #count({ record, bill, played }: Exchange): void {
    if (bill !== undefined) this.usage.add(record, bill, played);
    this.#open.delete(record);
    if (record.outcome !== 'open') this.#totals[record.outcome]++;
    this.#totals.tokensSent += record.tokensSent;
    this.#totals.bytesSent += record.bytesSent;
    this.#maxQueuedBytes = Math.max(this.#maxQueuedBytes, record.maxQueuedBytes);
  }

  /** A fault of the simulator itself must not look like one that a test asked for. */
  #failed(response: ServerResponse, error: unknown): void {
    this.#log({
      level: 'error',
      msg: 'the simulator failed',
      error: error instanceof Error ? error.stack : String(error),
    });
    if (response.headersSent) response.destroy();
    else {
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ error: { message: 'The simulator itself failed; see its log.', type: 'simulator_bug' } }),
      );
    }
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
