import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** What one request of a client came to. Times are epoch milliseconds. */
export interface Call {
  readonly key: string;
  readonly sentAt: number;
  readonly endedAt: number;
  /** 0: the connection broke. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of refusals only. */
  readonly body: string;
}

export interface Crowd {
  readonly key: string;
  readonly body: object;
  readonly clients: number;
  /** Between an answer and the next request. */
  readonly pauseMs: number;
  /** The same after a refusal: longer, or a few clients would do nothing but be refused. */
  readonly pauseRefusedMs: number;
}

const LONGEST_MS = 15_000;

/** Clients that ask again and again, each on a kept connection of its own, until `stop`. */
export class Clients {
  readonly calls: Call[] = [];
  readonly #port: number;
  readonly #running: Promise<void>[] = [];
  readonly #stopping = new AbortController();

  constructor(port: number) {
    this.#port = port;
  }

  start({ key, body, clients, pauseMs, pauseRefusedMs }: Crowd): void {
    const payload = JSON.stringify(body);
    for (let i = 0; i < clients; i++) {
      // Not all in one beat.
      const own = 1 + (i / clients - 0.5) / 2;
      this.#running.push(this.#run(key, payload, pauseMs * own, pauseRefusedMs * own));
    }
  }

  of(key: string): readonly Call[] {
    return this.calls.filter((call) => call.key === key);
  }

  /** Resolves when so many requests have ended. */
  async until(count: number): Promise<void> {
    while (this.calls.length < count) await delay(20);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  async #run(key: string, payload: string, pauseMs: number, pauseRefusedMs: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (const { signal } = this.#stopping; !signal.aborted; ) {
        const call = await send(agent, this.#port, key, payload);
        this.calls.push(call);
        await delay(call.status === 200 ? pauseMs : pauseRefusedMs, null, { signal }).catch(() => null);
      }
    } finally {
      agent.destroy();
    }
  }
}

/** Never rejects. */
export function send(agent: Agent, port: number, key: string, payload: string): Promise<Call> {
  const sentAt = Date.now();
  return new Promise((resolve) => {
    const end = (status: number, headers: IncomingHttpHeaders, body: string): void =>
      resolve({ key, sentAt, endedAt: Date.now(), status, headers, body });
    const outgoing = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/v1/chat/completions',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'content-length': payload.length,
        },
        timeout: LONGEST_MS,
      },
      (answer) => {
        const { statusCode = 0, headers } = answer;
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (text: string) => {
          if (statusCode !== 200) body += text;
        });
        answer.once('end', () => end(statusCode, headers, body));
        answer.once('error', (error) => end(0, headers, error.message));
      },
    );
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.once('error', (error) => end(0, {}, error.message));
    outgoing.end(payload);
  });
}
