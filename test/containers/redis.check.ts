import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chat, question, type Target } from '../resilience/chat-client.ts';
import { configuration } from '../resilience/configuration.ts';
import { eventually } from '../resilience/observe.ts';
import { ContainerStack, HTTP } from './container-stack.ts';
import type { Container } from './docker.ts';
import { LiveStreams } from './live-streams.ts';
import { PacedLoad } from './paced-load.ts';

const STREAMS = 200;
/** So many requests are answered without Redis before it comes back. */
const REQUESTS_WITHOUT = 100;

let stack: ContainerStack;

before(async () => {
  stack = await ContainerStack.start({ ingresses: 2, config: ([simulator]) => configuration(simulator) });
});
after(() => stack?.stop());

const redisIs = (ingress: Container, state: 'up' | 'down'): Promise<true> =>
  eventually(
    `${ingress.name} says that Redis is ${state}`,
    async () => {
      const response = await fetch(`${ingress.origin(HTTP)}/health/ready`, { headers: { connection: 'close' } });
      assert.equal(response.status, 200, 'ready while a snapshot is held');
      return ((await response.json()) as { redis: string }).redis === state;
    },
    20_000,
  );

test('the container of Redis is killed and comes back, empty and perhaps elsewhere: nobody notices', async (t) => {
  const ask = (directives: string) => ({ model: 'test/one', messages: question(`[[sim ${directives}]] of memory`) });
  const targets = stack.ingresses.map((ingress): Target => ({ port: ingress.port(HTTP), key: stack.key }));
  const [target] = targets;
  assert.ok(target);
  const wanted = await chat(target, ask('tokens=20'));
  const streams = targets.map((one) => new LiveStreams(one, ask('tokens=20 tps=2'), wanted.text));
  await Promise.all(streams.map((one) => one.growTo(STREAMS / targets.length)));
  const pace = { clients: 3, pauseMs: 20, keepAlive: true };
  const loads = targets.map((one) => new PacedLoad(one, pace, ask('tokens=5')));
  const answered = () => loads.reduce((sum, { answers }) => sum + answers, 0);

  await stack.redis.signal('SIGKILL');
  assert.equal(await stack.redis.ended(), 137);
  await Promise.all(stack.ingresses.map((ingress) => redisIs(ingress, 'down')));
  const before = answered();
  await eventually('requests go on', () => answered() >= before + REQUESTS_WITHOUT, 20_000);
  const without = answered() - before;
  await stack.redis.start();
  await Promise.all(stack.ingresses.map((ingress) => redisIs(ingress, 'up')));
  // One that knew nothing before gets all of it from Redis: control has published anew.
  const newcomer = await stack.addIngress();
  assert.equal((await chat({ port: newcomer.port(HTTP), key: stack.key }, ask('tokens=5'))).status, 200);
  await Promise.all([...streams.map((one) => one.letEnd()), ...loads.map((load) => load.stop())]);

  const broken = streams.flatMap((one) => one.broken);
  const failures = loads.flatMap((load) => load.failures);
  t.diagnostic(`${streams.reduce((sum, { ended }) => sum + ended, 0)} streams: ${broken.length} broken`);
  t.diagnostic(`${answered()} requests, ${without} of them without Redis: ${failures.length} failed`);
  assert.deepEqual(broken.slice(0, 3), []);
  assert.deepEqual(failures.slice(0, 3), []);
});
