import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChatBody, Target } from '../resilience/chat-client.ts';

export interface Pace {
  readonly clients: number;
  /** Between an answer and the same client's next request. */
  readonly pauseMs: number;
  /** Clients keep their connections; otherwise each request has a new one. */
  readonly keepAlive: boolean;
}

/** Short requests one after the other from several clients, until `stop`. Nothing is tried twice. */
export class PacedLoad {
  answers = 0;
  readonly failures: string[] = [];
  /** Answers after which the server wanted the connection closed. */
  closes = 0;
  readonly #clients: Promise<void>[];
  #stopping = false;

  constructor(target: Target, pace: Pace, body: ChatBody) {
    this.#clients = Array.from({ length: pace.clients }, () => this.#run(target, pace, JSON.stringify(body)));
  }

  async #run({ port, key }: Target, { pauseMs, keepAlive }: Pace, body: string): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    while (!this.#stopping) {
      try {
        const { status, close } = await ask(agent, port, key, body);
        if (close) this.closes++;
        if (status === 200) this.answers++;
        else this.failures.push(`status ${status}`);
      } catch (error) {
        this.failures.push(error instanceof Error ? error.message : String(error));
      }
      await delay(pauseMs);
    }
    agent.destroy();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
  }
}

function ask(agent: Agent, port: number, key: string, body: string): Promise<{ status: number; close: boolean }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const options = { host: '127.0.0.1', port, path: '/v1/chat/completions', method: 'POST', agent, headers };
    const asked = request({ ...options, timeout: 20_000 }, (response) => {
      response.resume();
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, close: response.headers.connection === 'close' });
      });
      response.once('error', reject);
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer within 20 s')));
    asked.once('error', reject);
    asked.end(body);
  });
}
