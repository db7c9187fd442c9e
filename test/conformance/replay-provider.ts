import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';

/** What a provider sends, piece by piece. */
export interface RecordedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: readonly Buffer[];
}

/** A provider that answers what it is told to, with the pieces written one at a time, and keeps the bytes it received. */
export class ReplayProvider {
  readonly #host: string;
  readonly #server: Server;
  readonly #received: Buffer[] = [];
  #answer: RecordedAnswer | null = null;

  /** @param host an address of this machine */
  static async start(host = '127.0.0.1'): Promise<ReplayProvider> {
    const provider = new ReplayProvider(host);
    provider.#server.listen(0, host);
    await once(provider.#server, 'listening');
    return provider;
  }

  private constructor(host: string) {
    this.#host = host;
    this.#server = createServer({ noDelay: true }, (request, response) => void this.#serve(request, response));
  }

  get baseUrl(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the provider does not listen');
    return `http://${this.#host}:${address.port}/v1`;
  }

  /** From now on. */
  answerWith(answer: RecordedAnswer): void {
    this.#answer = answer;
  }

  /** The last request's body, byte by byte as it came. */
  get lastBody(): string {
    return this.#received.at(-1)?.toString('utf8') ?? '';
  }

  get count(): number {
    return this.#received.length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk as Buffer);
    this.#received.push(Buffer.concat(body));
    const answer = this.#answer;
    if (answer === null) {
      response.writeHead(500).end();
      return;
    }
    response.writeHead(answer.status, { ...answer.headers });
    for (const piece of answer.pieces) {
      response.write(piece);
      // So that each piece leaves as one write of the socket.
      await turn();
    }
    response.end();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
