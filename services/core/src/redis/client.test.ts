import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { createQueueConnection, createRequestClient, createSubscriber, type RedisClient } from './index.ts';
import { type RedisServer, startRedisServer } from './redis-server.testing.ts';

let server: RedisServer;
before(async () => {
  server = await startRedisServer();
});
after(() => server.stop());

/** Unlike events.once it does not mind the `error` events of a client that reconnects. */
function once(client: RedisClient, event: string): Promise<unknown[]> {
  return new Promise((resolve) => client.once(event, (...args: unknown[]) => resolve(args)));
}

async function ready(client: RedisClient): Promise<RedisClient> {
  if (client.status !== 'ready') await once(client, 'ready');
  return client;
}

describe('the request client', () => {
  test('says once that Redis went and once that it came back, and fails at once in between', async () => {
    const told: string[] = [];
    const client = createRequestClient(server.url, 'test', {
      onUp: () => told.push('up'),
      onDown: (reason) => told.push(`down: ${reason}`),
    });
    try {
      await ready(client);
      await client.set('a', '1');
      const lost = once(client, 'close');
      await server.halt();
      await lost;
      // Several attempts to reconnect fail before the server is back.
      await once(client, 'close');
      await once(client, 'close');
      const asked = performance.now();
      await assert.rejects(async () => client.get('a'));
      assert.ok(performance.now() - asked < 500);
      const back = once(client, 'ready');
      await server.startAgain();
      await back;
      assert.equal(await client.get('a'), null);
      assert.deepEqual(told, ['up', 'down: the connection was closed', 'up']);
    } finally {
      client.disconnect();
    }
  });

  test('gives up a command that a frozen Redis does not answer', async () => {
    const client = await ready(createRequestClient(server.url, 'test'));
    try {
      server.pause();
      await assert.rejects(async () => client.get('a'), /timed out/);
    } finally {
      server.resume();
      client.disconnect();
    }
  });

  test('sends the commands of one turn as one pipeline', async () => {
    const client = await ready(createRequestClient(server.url, 'test'));
    try {
      const replies = await Promise.all([client.set('x', '1'), client.incr('x'), client.get('x')]);
      assert.deepEqual(replies, ['OK', 2, '2']);
    } finally {
      client.disconnect();
    }
  });

  test('an address where nothing listens is told once, in words', async () => {
    const told: string[] = [];
    const client = createRequestClient('redis://127.0.0.1:1', 'test', { onDown: (reason) => told.push(reason) });
    try {
      await once(client, 'close');
      await once(client, 'close');
      assert.deepEqual(told, ['ECONNREFUSED']);
    } finally {
      client.disconnect();
    }
  });
});

test('a subscriber hears again after a restart', async () => {
  const subscriber = createSubscriber(server.url, 'test');
  try {
    await subscriber.subscribe('news');
    const back = once(subscriber, 'ready');
    await server.restart();
    await back;
    const client = await ready(createRequestClient(server.url, 'test'));
    const heard = once(subscriber, 'message');
    while ((await client.publish('news', 'hello')) === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await heard, ['news', 'hello']);
    client.disconnect();
  } finally {
    subscriber.disconnect();
  }
});

test('a connection that is closed while it subscribes again ends in silence', async () => {
  let subscriptions = 0;
  let cut = (): void => undefined;
  const between = createServer((socket) => {
    const upstream = connect(Number(new URL(server.url).port), '127.0.0.1');
    for (const one of [socket, upstream]) one.on('error', () => {});
    upstream.pipe(socket);
    socket.on('data', (data) => {
      if (data.includes('subscribe') && ++subscriptions === 2) {
        subscriber.disconnect();
        socket.destroy();
      } else upstream.write(data);
    });
    socket.on('close', () => upstream.destroy());
    cut = () => socket.destroy();
  });
  await new Promise<void>((done) => between.listen(0, '127.0.0.1', done));
  const address = between.address();
  assert.ok(address !== null && typeof address === 'object');
  const subscriber = createSubscriber(`redis://127.0.0.1:${address.port}`, 'test');
  const ended = once(subscriber, 'end');
  const unhandled: unknown[] = [];
  const hear = (reason: unknown): number => unhandled.push(reason);
  process.on('unhandledRejection', hear);
  try {
    await subscriber.subscribe('news');
    cut();
    await ended;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(subscriptions, 2);
    assert.deepEqual(unhandled, []);
  } finally {
    process.off('unhandledRejection', hear);
    subscriber.disconnect();
    between.close();
  }
});

test('a command of the queue connection, and of its duplicate, waits for a Redis that is away', async () => {
  const connection = await ready(createQueueConnection(server.url, 'test'));
  const lost = once(connection, 'close');
  await server.halt();
  await lost;
  assert.ok(connection instanceof Redis);
  const duplicate = connection.duplicate();
  // A client without this listener prints each failed attempt.
  duplicate.on('error', () => {});
  try {
    const replies = Promise.all([connection.set('q', '1'), duplicate.ping()]);
    // Attempts to reconnect do not give up what waits.
    for (let attempt = 0; attempt < 3; attempt += 1) await once(duplicate, 'close');
    await server.startAgain();
    assert.deepEqual(await replies, ['OK', 'PONG']);
  } finally {
    connection.disconnect();
    duplicate.disconnect();
  }
});
