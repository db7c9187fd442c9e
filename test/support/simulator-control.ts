import assert from 'node:assert/strict';

/** One request as the simulator received it (services/simulator/README.md, control endpoints). */
export interface ReceivedRequest {
  readonly seq: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connection: number;
  readonly startedAt: number;
  readonly model: string;
  readonly body: unknown;
  readonly bodyBytes: number;
  readonly bodySha256: string;
  readonly status?: number;
  readonly stream: boolean;
  readonly tokensSent: number;
  readonly bytesSent: number;
  readonly maxQueuedBytes: number;
  readonly endedAt?: number;
  readonly aborted: boolean;
  readonly outcome: 'open' | 'complete' | 'aborted' | 'broken';
}

export interface ReceivedFilter {
  readonly model?: string;
  readonly path?: string;
  /** Only those with a greater `seq`. */
  readonly since?: number;
  readonly aborted?: boolean;
  readonly ended?: boolean;
}

export interface SimulatorStats {
  readonly openConnections: number;
  readonly openRequests: number;
  readonly openStreams: number;
  readonly totals: Readonly<
    Record<'connections' | 'requests' | 'complete' | 'aborted' | 'broken' | 'tokensSent' | 'bytesSent', number>
  >;
  readonly maxQueuedBytes: number;
}

export interface BilledTokens {
  readonly requests: number;
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  readonly total: number;
}

export interface SimulatorUsage {
  readonly totals: BilledTokens;
  /** By the provider's own model id. */
  readonly byModel: Readonly<Record<string, BilledTokens>>;
  /** Requests under way, not yet billed. */
  readonly open: number;
}

export interface FaultRule {
  readonly match?: { readonly model?: string; readonly path?: string };
  /** Directives by name, such as `{ status: 429, 'retry-after': 2 }`. */
  readonly fault: Readonly<Record<string, unknown>>;
  /** null: for ever. */
  readonly times?: number | null;
}

/** A provider simulator that runs somewhere, steered and asked through its control endpoints. */
export abstract class SimulatorControl {
  /** Where this process reaches it, such as `http://127.0.0.1:<port>`; the same after a restart. */
  abstract readonly url: string;
  /** What a provider's `baseUrl` in headgate.yaml is, for dialect openai. */
  abstract readonly baseUrl: string;

  /** Adds a rule and returns its id. */
  async fault(rule: FaultRule): Promise<number> {
    const { id } = (await this.#call('POST', '/__sim/faults', rule)) as { id: number };
    return id;
  }

  async clearFaults(id?: number): Promise<void> {
    await this.#call('DELETE', `/__sim/faults${id === undefined ? '' : `?id=${id}`}`);
  }

  /** Of the last request so far, for `since`. */
  async lastSeq(): Promise<number> {
    const { lastSeq } = (await this.#call('GET', '/__sim/requests')) as { lastSeq: number };
    return lastSeq;
  }

  async requests(filter: ReceivedFilter = {}): Promise<readonly ReceivedRequest[]> {
    const { requests } = (await this.#call('GET', `/__sim/requests?${query(filter)}`)) as {
      requests: ReceivedRequest[];
    };
    return requests;
  }

  /** Resolves as soon as there are `count` such requests; rejects when there are fewer in time. */
  async received(filter: ReceivedFilter, count = 1, timeoutMs = 5_000): Promise<readonly ReceivedRequest[]> {
    const params = query(filter);
    params.set('count', String(count));
    params.set('timeout', String(timeoutMs));
    const { requests } = (await this.#call('GET', `/__sim/requests/wait?${params}`)) as { requests: ReceivedRequest[] };
    return requests;
  }

  /** What it billed (services/simulator/README.md, "What is billed"). */
  async usage(): Promise<SimulatorUsage> {
    return (await this.#call('GET', '/__sim/usage')) as SimulatorUsage;
  }

  async forgetUsage(): Promise<void> {
    await this.#call('DELETE', '/__sim/usage');
  }

  async forget(): Promise<void> {
    await this.#call('DELETE', '/__sim/requests');
  }

  async stats(): Promise<SimulatorStats> {
    return (await this.#call('GET', '/__sim/stats')) as SimulatorStats;
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, `the simulator answered ${method} ${path} with ${response.status}: ${text}`);
    return JSON.parse(text);
  }
}

function query(filter: ReceivedFilter): URLSearchParams {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    if (value !== undefined) params.set(name, typeof value === 'boolean' ? String(Number(value)) : String(value));
  }
  return params;
}
