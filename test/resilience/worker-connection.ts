import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { Health, Stack } from '../support/stack.ts';

export interface WorkerAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** One kept connection, hence one ingress process: whatever is asked over it, the same process answers. */
export class WorkerConnection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #stack: Stack;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** Of the process that answers here. */
  async pid(): Promise<number> {
    const health = JSON.parse((await this.send('GET', '/health/ready')).text) as Health;
    return health.pid ?? 0;
  }

  send(method: string, path: string, body?: unknown): Promise<WorkerAnswer> {
    const { port, key } = this.#stack;
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const outgoing = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent: this.#agent });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        const pieces: Buffer[] = [];
        response.on('error', reject);
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(pieces).toString('utf8'),
          }),
        );
      });
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A connection to each of so many processes; the kernel spreads new ones over them. */
export async function connectWorkers(stack: Stack, processes: number): Promise<readonly WorkerConnection[]> {
  const byPid = new Map<number, WorkerConnection>();
  for (let tries = 0; byPid.size < processes && tries < 200; tries++) {
    const connection = new WorkerConnection(stack);
    const pid = await connection.pid();
    if (byPid.has(pid)) connection.close();
    else byPid.set(pid, connection);
  }
  if (byPid.size < processes) throw new Error(`reached ${byPid.size} of ${processes} processes`);
  return [...byPid.values()];
}
