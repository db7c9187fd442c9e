import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Dispatcher } from 'undici';
import { DEAD_PORT } from '../redis/free-port.testing.ts';
import { networkError } from './network-error.ts';
import { UpstreamPools } from './pools.ts';

/** Collects one answer; `done` settles with it. */
class Collector implements Dispatcher.DispatchHandler {
  readonly done: Promise<{ status: number; body: string }>;
  readonly started: Promise<Dispatcher.DispatchController>;
  #body = '';
  #status = 0;
  #start: (controller: Dispatcher.DispatchController) => void = () => undefined;
  #resolve: (answer: { status: number; body: string }) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor() {
    this.started = new Promise((resolve) => {
      this.#start = resolve;
    });
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done.catch(() => undefined);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#start(controller);
  }
  onResponseStart(_: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }
  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body += chunk;
  }
  onResponseEnd(): void {
    this.#resolve({ status: this.#status, body: this.#body });
  }
  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}

const BODY = '{"a":1}';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** The client is free again a turn after its answer. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('UpstreamPools', () => {
  let server: Server;
  let pools: UpstreamPools;
  let sockets: Socket[];
  let requests: string[];
  /** What the server says to a whole request. */
  let answer: (socket: Socket) => void;

  beforeEach(async () => {
    sockets = [];
    requests = [];
    answer = (socket) => socket.write(OK);
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
        if (!text.endsWith(BODY)) return;
        requests.push(text);
        text = '';
        server.emit('asked');
        answer(socket);
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    pools = new UpstreamPools();
  });
  afterEach(async () => {
    await pools.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  function send(path = '/v1/chat/completions?a=b', url = `${origin()}${path}`, connectMs = 500): Collector {
    const collector = new Collector();
    pools.dispatch({ url, headers: ['x-one', '1'], body: Buffer.from(BODY), connectMs }, collector);
    return collector;
  }

  it('sends the body with its length, and the path with its query', async () => {
    assert.deepEqual(await send().done, { status: 200, body: 'ok' });
    assert.match(requests.join(''), /^POST \/v1\/chat\/completions\?a=b HTTP\/1\.1\r\n/);
    assert.match(requests.join(''), /x-one: 1\r\n(.*\r\n)*content-length: 7\r\n\r\n\{"a":1\}$/);
  });

  it('keeps a connection, and opens another rather than wait for one', async () => {
    await send().done;
    await settled();
    await send('/other').done;
    assert.equal(sockets.length, 1);
    await settled();
    const held: Socket[] = [];
    answer = (socket) => {
      held.push(socket);
      if (held.length === 2) for (const one of held) one.write(OK);
    };
    const both = [send(), send()];
    await Promise.all(both.map(({ done }) => done));
    assert.equal(sockets.length, 2);
    assert.notEqual(held[0], held[1]);
  });

  it('gives errors to the handler: refused, reset, no HTTP, no name', async () => {
    const failure = async (collector: Collector): Promise<string> => {
      const error = await collector.done.then(
        () => assert.fail('an error was expected'),
        (thrown: unknown) => networkError(thrown, 'acme'),
      );
      return error.message;
    };
    answer = (socket) => socket.resetAndDestroy();
    assert.match(await failure(send()), /connection (reset|closed)/);
    answer = (socket) => socket.end('SSH-2.0-OpenSSH\r\n');
    assert.match(await failure(send()), /malformed HTTP response/);
    assert.match(await failure(send('', `http://127.0.0.1:${DEAD_PORT}/`)), /connection refused/);
    assert.match(await failure(send('', 'http://no-such-host.invalid/')), /host name/);
  });

  it("closes an aborted request's connection", async () => {
    answer = () => undefined;
    const collector = send();
    await once(server, 'asked');
    const controller = await collector.started;
    const closed = once(sockets[0] ?? server, 'close');
    controller.abort(new Error('enough'));
    await closed;
    await assert.rejects(collector.done, /enough/);
  });

  it('keeps the pools of origins in use, and lets running requests of the others end', async () => {
    let release: (() => void) | undefined;
    answer = (socket) => {
      release = () => void socket.write(OK);
    };
    const running = send();
    await once(server, 'asked');
    pools.retain(['http://127.0.0.1:1/v1']);
    release?.();
    assert.equal((await running.done).body, 'ok');
    answer = (socket) => socket.write(OK);
    await send().done;
    await settled();
    assert.equal(sockets.length, 2, 'a new pool');
    pools.retain([`${origin()}/v1`]);
    await send().done;
    assert.equal(sockets.length, 2, 'the same pool');
  });

  describe('with more pools than are kept', () => {
    /** One origin that no provider names; with another time to connect it is another pool. */
    const visit = (i: number): Collector => send('', origin().replace('127.0.0.1', 'localhost'), 10_000 + i);
    const visitAll = async (from: number, to: number): Promise<void> => {
      for (let i = from; i <= to; i++) await visit(i).done;
      await settled();
    };

    it('closes the idle one used longest ago, never one of a configured provider', async () => {
      pools.retain([origin()]);
      await send().done;
      await visitAll(1, 64);
      assert.deepEqual([pools.size, sockets.length], [65, 65]);
      await visitAll(1, 1);
      const second = sockets[2];
      assert.ok(second);
      const closed = once(second, 'close');
      await visitAll(65, 65);
      await closed;
      await visitAll(66, 100);
      assert.deepEqual([pools.size, sockets.length], [65, 101]);
      await send().done;
      await visitAll(1, 1);
      assert.deepEqual([pools.size, sockets.length], [65, 101], 'both were still connected');
      await visitAll(2, 2);
      assert.deepEqual([pools.size, sockets.length], [65, 102]);
    });

    it('closes none that has a request, not even one that still connects', async () => {
      const held: Socket[] = [];
      answer = (socket) => {
        held.push(socket);
        if (held.length === 81) for (const one of held) one.write(OK);
      };
      const running = Array.from({ length: 80 }, (_, i) => visit(i));
      assert.equal(pools.size, 80);
      while (held.length < 80) await once(server, 'asked');
      running.push(visit(80));
      assert.equal(pools.size, 81);
      for (const { done } of running) assert.equal((await done).body, 'ok');
      await settled();
      answer = (socket) => socket.write(OK);
      await visit(81).done;
      assert.equal(pools.size, 64, 'idle now');
    });
  });
});
