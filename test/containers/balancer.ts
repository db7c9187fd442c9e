import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { isReady } from './readiness.ts';

/** How often each backend is asked whether it is ready; a kubelet asks every few seconds. */
const CHECK_MS = 200;

interface Backend {
  readonly port: number;
  ready: boolean;
  readonly open: Set<Socket>;
}

/**
 * A balancer of TCP connections, as a Service of Kubernetes: new ones go to backends whose `/health/ready` says 200, by turns;
 * open ones stay where they are; nothing is tried twice, so that a refused connection is a failure that a client sees.
 */
export class Balancer {
  readonly #server: Server;
  readonly #backends: Backend[] = [];
  readonly #checking: NodeJS.Timeout;
  #next = 0;
  /** Connections that found no backend, or one that refused them. */
  failures = 0;

  static async start(): Promise<Balancer> {
    const balancer = new Balancer();
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  private constructor() {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#serve(client));
    this.#checking = setInterval(() => {
      for (const backend of this.#backends) check(backend);
    }, CHECK_MS);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A backend on a port of 127.0.0.1. */
  add(port: number): void {
    const backend = { port, ready: false, open: new Set<Socket>() };
    this.#backends.push(backend);
    check(backend);
  }

  isReady(port: number): boolean {
    return this.#backends.some((backend) => backend.port === port && backend.ready);
  }

  /** How many connections are open to it. */
  openTo(port: number): number {
    return this.#backends.find((backend) => backend.port === port)?.open.size ?? 0;
  }

  #serve(client: Socket): void {
    const ready = this.#backends.filter((backend) => backend.ready);
    const backend = ready[this.#next++ % Math.max(ready.length, 1)];
    if (backend === undefined) {
      this.failures++;
      client.destroy();
      return;
    }
    const upstream = connect({ port: backend.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    backend.open.add(upstream);
    upstream.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.failures++;
      client.resetAndDestroy();
    });
    upstream.once('close', () => {
      backend.open.delete(upstream);
      client.destroy();
    });
    client.once('error', () => upstream.destroy());
    client.once('close', () => upstream.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  }

  async stop(): Promise<void> {
    clearInterval(this.#checking);
    this.#server.close();
    for (const { open } of this.#backends) for (const socket of open) socket.destroy();
    await once(this.#server, 'close');
  }
}

function check(backend: Backend): void {
  void isReady(backend.port).then((ready) => {
    backend.ready = ready;
  });
}
