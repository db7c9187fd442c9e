import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chat, question, type Target } from '../resilience/chat-client.ts';
import { configuration } from '../resilience/configuration.ts';
import { eventually } from '../resilience/observe.ts';
import { Balancer } from './balancer.ts';
import { ContainerStack, HTTP } from './container-stack.ts';
import type { Container } from './docker.ts';
import { LiveStreams } from './live-streams.ts';
import { PacedLoad } from './paced-load.ts';

/** DESIGN 10: a rolling restart of three replicas under a thousand live streams breaks none. */

const STREAMS = 1_000;
/** Longer than it takes to open them all and to tell each container to end: all are live at each of these moments. */
const STREAM_SECONDS = 50;
/** Besides, streams that come and go. */
const SHORT_STREAMS = 60;
const REPLICAS = 3;
const DELAY_SECONDS = 2;
const DRAIN_SECONDS = 90;

let stack: ContainerStack;
let balancer: Balancer;

before(async () => {
  balancer = await Balancer.start();
  stack = await ContainerStack.start({
    ingresses: REPLICAS,
    env: {
      HEADGATE_DRAIN_DELAY_SECONDS: String(DELAY_SECONDS),
      HEADGATE_DRAIN_TIMEOUT_SECONDS: String(DRAIN_SECONDS),
    },
    config: ([simulator]) => configuration(simulator),
  });
  for (const ingress of stack.ingresses) await serves(ingress);
});

after(async () => {
  await balancer?.stop();
  await stack?.stop();
});

async function serves(ingress: Container): Promise<void> {
  const port = ingress.port(HTTP);
  balancer.add(port);
  await eventually(`the balancer sends to ${ingress.name}`, () => balancer.isReady(port));
}

interface Retired {
  readonly name: string;
  /** Its connections when it was told to end. */
  readonly connections: number;
  readonly ended: Promise<{ readonly code: number; readonly seconds: number }>;
}

async function retire(ingress: Container): Promise<Retired> {
  const began = performance.now();
  const connections = balancer.openTo(ingress.port(HTTP));
  await ingress.signal('SIGTERM');
  const ended = ingress.ended().then((code) => ({ code, seconds: (performance.now() - began) / 1000 }));
  return { name: ingress.name, connections, ended };
}

test(`a rolling restart of ${REPLICAS} under ${STREAMS} live streams breaks none, and fails no request`, async (t) => {
  const target: Target = { port: balancer.port, key: stack.key };
  const ask = (directives: string) => ({
    model: 'test/one',
    messages: question(`[[sim ${directives}]] of rolling on`),
  });
  const said = async (directives: string): Promise<string> => {
    const { status, text, raw } = await chat(target, ask(directives));
    assert.equal(status, 200, raw);
    return text;
  };
  const tokens = `tokens=${STREAM_SECONDS}`;
  const streams = new LiveStreams(target, ask(`${tokens} tps=1`), await said(tokens));
  const others = new LiveStreams(target, ask('tokens=10 tps=2'), await said('tokens=10'));
  await streams.growTo(STREAMS);
  const allEnded = streams.letEnd();
  await others.growTo(SHORT_STREAMS);
  const pace = { clients: 4, pauseMs: 50 };
  const fresh = new PacedLoad(target, { ...pace, keepAlive: false }, ask('tokens=5'));
  const kept = new PacedLoad(target, { ...pace, keepAlive: true }, ask('tokens=5'));

  const began = performance.now();
  const retired: Retired[] = [];
  const live: number[] = [];
  for (const old of [...stack.ingresses]) {
    await serves(await stack.addIngress());
    live.push(streams.live);
    retired.push(await retire(old));
  }
  const rolled = (performance.now() - began) / 1000;
  const ends = await Promise.all(retired.map(({ ended }) => ended));
  await Promise.all([allEnded, others.letEnd(), fresh.stop(), kept.stop()]);

  const requests = fresh.answers + kept.answers;
  const failures = [...fresh.failures, ...kept.failures];
  const broken = [...streams.broken, ...others.broken];
  const say = (line: string): void => t.diagnostic(line);
  say(`${REPLICAS} ingress containers replaced in ${rolled.toFixed(1)} s`);
  say(`${streams.ended} streams of ${STREAM_SECONDS} s: ${streams.broken.length} broken`);
  say(`${others.ended} streams of 5 s meanwhile: ${others.broken.length} broken`);
  say(`${requests + failures.length} requests: ${failures.length} failed; connections refused: ${balancer.failures}`);
  for (const [i, { name, connections }] of retired.entries()) {
    const { code = -1, seconds = 0 } = ends[i] ?? {};
    say(`${name} at SIGTERM: ${live[i]} long streams live, ${connections} connections its own`);
    say(`${name} ended with exit code ${code} after ${seconds.toFixed(1)} s`);
  }
  assert.deepEqual(broken.slice(0, 3), []);
  assert.deepEqual(failures.slice(0, 3), []);
  assert.equal(balancer.failures, 0);
  assert.deepEqual(
    ends.map(({ code }) => code),
    [0, 0, 0],
  );
  // The measurement is one of what it says: all of them live each time, and each container with its share.
  assert.equal(streams.whole, STREAMS);
  assert.deepEqual(live, [STREAMS, STREAMS, STREAMS]);
  assert.ok(retired.every(({ connections }) => connections >= STREAMS / REPLICAS / 2));
  assert.ok(others.whole >= SHORT_STREAMS && requests >= 100);
  assert.ok(kept.closes > 0, 'a draining container wants its connections closed');
});
