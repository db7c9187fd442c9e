import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { ServiceProcess } from '../support/service-process.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { chat, question } from './chat-client.ts';
import { configuration, targetOf } from './configuration.ts';
import { Load } from './load.ts';
import { isAlive } from './observe.ts';

const INGRESS = join(resolve(import.meta.dirname, '../..'), 'services/ingress/src/main.ts');
const UP_TIMEOUT_MS = 20_000;

let stack: Stack;

before(async () => {
  stack = await startStack({ config: ([simulator]) => configuration(simulator) });
});

after(() => stack.stop());

/** Another gateway by mistake: the same Redis, the same port. */
function secondGateway(port: number, host = '127.0.0.1'): ServiceProcess {
  const { PATH = '', LD_LIBRARY_PATH } = process.env;
  return new ServiceProcess({
    name: 'second ingress',
    main: INGRESS,
    cwd: tmpdir(),
    env: {
      PATH,
      ...(LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH }),
      REDIS_URL: stack.redis.url,
      HEADGATE_SECRET: '0'.repeat(64),
      HEADGATE_HOST: host,
      HEADGATE_PORT: String(port),
      HEADGATE_PROCESSES: '1',
    },
  });
}

/** It says on its last line which port is taken and what to do, and ends with 1. */
async function assertRefuses(gateway: ServiceProcess, port: number): Promise<void> {
  await gateway.ended;
  assert.equal(gateway.exit, 'exit code 1', gateway.tail());
  const said = gateway.lines.join('\n');
  assert.match(said, new RegExp(`Port ${port} is taken: .* HEADGATE_PORT or server\\.port`));
  assert.doesNotMatch(said, /^\s+at /m, 'no stack trace for a mistake that people make');
}

async function listen(options: ListenOptions): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.end());
  server.listen(options);
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { server, port: address.port };
}

for (const host of ['127.0.0.1', '0.0.0.0']) {
  test(`a second gateway on the port of the first, at ${host}, refuses, and the first does not notice`, async () => {
    const load = new Load(targetOf(stack), 2, { model: 'test/one', messages: question('[[sim tokens=5]] go on') });
    await load.more(5);
    const workers = stack.workerPids();
    const second = secondGateway(stack.port, host);
    second.start();
    await assertRefuses(second, stack.port);
    await load.more(20);
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert.ok(workers.every(isAlive));
  });
}

test('another program on the port, also one that would share it: refused', async () => {
  for (const options of [{}, { reusePort: true }]) {
    const { server, port } = await listen({ host: '127.0.0.1', port: 0, ...options });
    const gateway = secondGateway(port);
    gateway.start();
    await assertRefuses(gateway, port);
    assert.ok(server.listening);
    server.close();
  }
});

test('two gateways that start at the same moment on one port: exactly one lives', async () => {
  const { server, port } = await listen({ host: '127.0.0.1', port: 0 });
  server.close();
  await once(server, 'close');
  const gateways = [secondGateway(port), secondGateway(port)];
  for (const gateway of gateways) gateway.start();
  const [loser] = await Promise.race(
    gateways.map(async (gateway) => {
      await gateway.ended;
      return [gateway];
    }),
  );
  assert.ok(loser);
  await assertRefuses(loser, port);
  const winner = gateways.find((gateway) => gateway !== loser);
  assert.ok(winner);
  try {
    await winner.until((lines) => lines.find((line) => line.includes('worker listens')), UP_TIMEOUT_MS, 'a worker');
    assert.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200);
  } finally {
    await winner.stop(3_000);
  }
  assert.equal(winner.exit, 'exit code 0');
});

test('a host that is not of this machine is told so', async () => {
  const gateway = secondGateway(stack.port + 1, '192.0.2.1');
  gateway.start();
  await gateway.ended;
  assert.equal(gateway.exit, 'exit code 1');
  assert.match(gateway.lines.join('\n'), /The host 192\.0\.2\.1 is no address of this machine/);
  assert.equal((await chat(targetOf(stack), { model: 'test/one' })).status, 200);
});
