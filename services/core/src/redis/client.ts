import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisTarget } from './url.ts';

export type RedisClient = Redis | Cluster;

/** Called once a change of state; where the log line comes from. */
export interface ConnectionHooks {
  /** Connected and ready, for the first time or again. */
  onUp?(): void;
  /** Was up and is lost, or the first attempt failed; `reason` holds no credential. */
  onDown?(reason: string): void;
}

/** Left out: what ioredis types differently for a single server and for a Cluster. */
type Settings = Omit<RedisOptions, 'replyMapping' | 'himportFieldsets'>;

const RECONNECT_MS = { first: 50, cap: 1000 };

const reconnectDelay = (attempt: number) => Math.min(RECONNECT_MS.first * 2 ** Math.min(attempt, 10), RECONNECT_MS.cap);

/**
 * The client for everything a request may wait for: a command on a lost connection fails at once, one that gets no
 * answer fails after a second. Connects by itself and for ever reconnects.
 */
export function createRequestClient(url: string, name: string, hooks: ConnectionHooks = {}): RedisClient {
  return connect(parseRedisUrl(url), hooks, {
    connectionName: name,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    maxRetriesPerRequest: 0,
    commandTimeout: 1000,
    connectTimeout: 2000,
    retryStrategy: reconnectDelay,
    disableClientInfo: true,
  });
}

/** A connection for SUBSCRIBE; subscribes again by itself after a reconnect. */
export function createSubscriber(url: string, name: string, hooks: ConnectionHooks = {}): RedisClient {
  return connect(parseRedisUrl(url), hooks, {
    connectionName: name,
    maxRetriesPerRequest: null,
    connectTimeout: 2000,
    retryStrategy: reconnectDelay,
    autoResubscribe: true,
    disableClientInfo: true,
  });
}

/** The same of a client that is there, to the same server. */
export function duplicateAsSubscriber(client: RedisClient, name: string): RedisClient {
  const patient: Settings = { connectionName: name, enableOfflineQueue: true, maxRetriesPerRequest: null };
  const subscriber = duplicate(client, patient);
  reportState(subscriber, {});
  forgiveOwnCommands(subscriber);
  return subscriber;
}

function duplicate(client: RedisClient, settings: Settings): RedisClient {
  if (!(client instanceof Cluster)) return client.duplicate({ ...settings, commandTimeout: undefined });
  const { commandTimeout: _timeout, replyMapping: _mapping, ...options } = client.options.redisOptions ?? {};
  return client.duplicate([], { enableOfflineQueue: true, redisOptions: { ...options, ...settings } });
}

/**
 * A connection for BullMQ, which makes its further ones (a worker's blocking one) by duplicating it: commands wait for a
 * lost connection to come back, however long that takes. Who made it disconnects it, after the queues and workers on it.
 */
export function createQueueConnection(url: string, name: string, hooks: ConnectionHooks = {}): RedisClient {
  return connect(parseRedisUrl(url), hooks, {
    connectionName: name,
    maxRetriesPerRequest: null,
    connectTimeout: 2000,
    retryStrategy: reconnectDelay,
    disableClientInfo: true,
  });
}

function connect(target: RedisTarget, hooks: ConnectionHooks, common: Settings): RedisClient {
  const client = open(target, common);
  reportState(client, hooks);
  forgiveOwnCommands(client);
  return client;
}

/** What ioredis sends by itself after a reconnect. */
const OWN_COMMANDS: ReadonlySet<string> = new Set(['subscribe', 'psubscribe', 'ssubscribe', 'select']);

/**
 * ioredis does not look at what becomes of these, and does them again with the next connection. When the connection is
 * lost once more, or closed for good, before the answer is there, nobody would handle the rejection, and Node would end
 * the process. A caller of `subscribe` hears of it all the same.
 */
function forgiveOwnCommands(client: RedisClient): void {
  if (client instanceof Cluster) return;
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    if (OWN_COMMANDS.has(command.name)) command.promise.catch(() => {});
    return send(command, stream);
  };
}

function open(target: RedisTarget, common: Settings): RedisClient {
  const credentials: Settings = {
    ...(target.username === null ? {} : { username: target.username }),
    ...(target.password === null ? {} : { password: target.password }),
    ...(target.tls ? { tls: {} } : {}),
  };
  switch (target.kind) {
    case 'single': {
      const [{ host, port }] = target.nodes;
      return new Redis({ ...common, ...credentials, host, port, db: target.db });
    }
    case 'sentinel':
      return new Redis({
        ...common,
        ...credentials,
        sentinels: [...target.nodes],
        name: target.masterName,
        db: target.db,
        sentinelRetryStrategy: reconnectDelay,
        enableTLSForSentinelMode: target.tls,
        ...(target.tls ? { sentinelTLS: {} } : {}),
      });
    case 'cluster':
      return new Cluster([...target.nodes], {
        redisOptions: { ...common, ...credentials },
        clusterRetryStrategy: reconnectDelay,
        enableOfflineQueue: common.enableOfflineQueue ?? true,
        enableAutoPipelining: common.enableAutoPipelining ?? false,
      });
  }
}

function reportState(client: RedisClient, hooks: ConnectionHooks): void {
  let state: 'new' | 'up' | 'down' = 'new';
  let lastError = 'the connection was closed';
  const down = () => {
    if (state === 'down') return;
    state = 'down';
    hooks.onDown?.(lastError);
  };
  client.on('error', (error: Error) => {
    lastError = describeError(error);
  });
  client.on('ready', () => {
    lastError = 'the connection was closed';
    if (state === 'up') return;
    state = 'up';
    hooks.onUp?.();
  });
  client.on('close', down);
}

/** An error of the connection in words that are safe to log. */
function describeError(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined ? (error.message.split('\n', 1)[0] ?? error.name) : `${code}`;
}
