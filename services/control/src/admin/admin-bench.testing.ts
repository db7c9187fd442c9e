import { create } from '@bufbuild/protobuf';
import { type Client, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { createRequestClient, type RedisClient } from '@headgate/core/redis';
import { createLogger } from '@headgate/core/telemetry';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { KeyService, UsageService } from '@headgate/proto/admin';
import { type Budget, BudgetMode, BudgetSchema, BudgetWindow } from '@headgate/proto/api_key';
import { startAdminServer } from './admin-server.ts';
import type { Listener } from './listener.ts';

export const TOKEN = 'admin-token-0123456789';
export const SECRET = 'the secret of this deployment';
export const PREFIX = 't';

export const PROTOCOLS = ['Connect, JSON', 'Connect, binary, HTTP/2', 'gRPC', 'gRPC-Web'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** An admin API on a real Redis, and what its log says. */
export class AdminBench {
  readonly redis: RedisServer;
  readonly client: RedisClient;
  readonly #listener: Listener;
  readonly #lines: string[];

  static async start(): Promise<AdminBench> {
    const redis = await startRedisServer();
    const client = createRequestClient(redis.url, 'admin-test');
    await new Promise<void>((ready) => client.once('ready', () => ready()));
    const lines: string[] = [];
    const listener = await startAdminServer({
      host: '127.0.0.1',
      port: 0,
      token: TOKEN,
      client,
      prefix: PREFIX,
      secret: SECRET,
      log: createLogger({ service: 'test', level: 'debug', destination: { write: (line) => lines.push(line) } }),
      groupBudgets: () => new Map([['shop', groupBudget()]]),
    });
    return new AdminBench(redis, client, listener, lines);
  }

  private constructor(redis: RedisServer, client: RedisClient, listener: Listener, lines: string[]) {
    this.redis = redis;
    this.client = client;
    this.#listener = listener;
    this.#lines = lines;
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** All that was logged, as text. */
  get log(): string {
    return this.#lines.join('');
  }

  keys(protocol: Protocol = 'Connect, JSON', token: string | null = TOKEN): Client<typeof KeyService> {
    return createClient(KeyService, transport(protocol, this.url, token));
  }

  usage(protocol: Protocol = 'Connect, JSON', token: string | null = TOKEN): Client<typeof UsageService> {
    return createClient(UsageService, transport(protocol, this.url, token));
  }

  /** What curl would do. `body` is sent as it is. */
  async post(rpc: string, body: string, headers: Record<string, string> = {}) {
    const response = await fetch(`${this.url}/headgate.v1.${rpc}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}`, ...headers },
      body,
    });
    const text = await response.text();
    const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, text, json };
  }

  async stop(): Promise<void> {
    await this.#listener.close();
    this.client.disconnect();
    await this.redis.stop();
  }
}

function groupBudget(): Budget {
  return create(BudgetSchema, { usd: '50', window: BudgetWindow.DAY, mode: BudgetMode.SOFT });
}

function transport(protocol: Protocol, baseUrl: string, token: string | null): Transport {
  const withToken: Interceptor = (next) => (request) => {
    if (token !== null) request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
  const interceptors = [withToken];
  switch (protocol) {
    case 'Connect, JSON':
      return createConnectTransport({ baseUrl, interceptors, httpVersion: '1.1', useBinaryFormat: false });
    case 'Connect, binary, HTTP/2':
      return createConnectTransport({ baseUrl, interceptors, httpVersion: '2', useBinaryFormat: true });
    case 'gRPC':
      return createGrpcTransport({ baseUrl, interceptors });
    case 'gRPC-Web':
      return createGrpcWebTransport({ baseUrl, interceptors, httpVersion: '1.1' });
    default:
      return protocol satisfies never;
  }
}
