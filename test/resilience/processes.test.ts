import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { chat, openChat, question, readChat } from './chat-client.ts';
import { configuration, targetOf } from './configuration.ts';
import { ownerOf } from './connection-owner.ts';
import { Load } from './load.ts';
import { eventually, idle, isAlive, metrics, total } from './observe.ts';
import { RawRequest } from './raw-http.ts';

let stack: Stack;

before(async () => {
  stack = await startStack({
    processes: 2,
    env: { HEADGATE_DRAIN_DELAY_SECONDS: '1', HEADGATE_DRAIN_TIMEOUT_SECONDS: '20' },
    config: ([simulator]) => configuration(simulator),
  });
});

after(() => stack.stop());

const quick = { model: 'test/one', messages: question('[[sim tokens=5]] quick') };
const slow = { model: 'test/one', stream: true, messages: question('[[sim tokens=60 tps=20]] slow') };

const bothWorkers = async (but?: number): Promise<readonly number[]> =>
  await eventually(
    'two workers serve',
    () => {
      const pids = stack.workerPids();
      return pids.length === 2 && pids.every((pid) => pid !== but && isAlive(pid)) ? pids : null;
    },
    10_000,
  );

test('kill -9 of a worker under load: nobody else notices, it is replaced, and no counter falls', async (t) => {
  const workers = await bothWorkers();
  const [victim] = workers;
  assert.ok(victim);
  const clients = 6;
  const load = new Load(targetOf(stack), clients, quick);
  t.after(() => load.stop());
  await load.more(30);
  const streams = Array.from({ length: 40 }, () => openChat(targetOf(stack), slow));
  await Promise.all(streams.map((stream) => stream.untilText('"content":"')));
  const owners = streams.map((stream) => ownerOf(stream, workers));
  const others = streams.filter((_, i) => owners[i] !== victim);
  assert.ok(others.length > 0 && others.length < streams.length, 'the kernel spreads connections over both');
  assert.ok(owners.every((owner) => owner !== undefined));
  assert.deepEqual(load.failures, []);
  const counted = total(await metrics(stack), 'gateway_requests_total');
  assert.ok(counted >= 30);

  process.kill(victim, 'SIGKILL');
  const cut = await Promise.all(streams.filter((_, i) => owners[i] === victim).map((stream) => stream.ended));
  assert.ok(cut.every((end) => end === 'cut'));
  assert.ok(total(await metrics(stack), 'gateway_requests_total') >= counted, 'counters do not fall');
  await bothWorkers(victim);
  // One request a client was on the killed process, and one more may have come while the kernel still held its port.
  assert.ok(
    load.failures.length <= 2 * clients,
    `more failed than were on the killed process: ${load.failures.join('\n')}`,
  );
  const failed = load.failures.length;
  await load.more(30);
  assert.equal(load.failures.length, failed, 'nothing fails any more');
  for (const answer of await Promise.all(others.map(readChat))) {
    assert.equal(answer.end, 'complete');
    assert.ok(answer.done);
  }
  await load.stop();
  const samples = await metrics(stack);
  assert.ok(total(samples, 'gateway_requests_total') >= counted + others.length);
  const told = samples.filter(({ name }) => name === 'headgate_build_info').map(({ labels }) => Number(labels.process));
  assert.deepEqual(new Set(told), new Set(stack.workerPids()), 'gauges of the processes that live, and of no other');
  await idle(stack);
});

test('kill -9 of the first process takes the workers along, and frees the port', async () => {
  const workers = await bothWorkers();
  const stream = openChat(targetOf(stack), slow);
  await stream.untilText('"content":"');
  await stack.kill('ingress');
  await stream.ended;
  await eventually('the workers have ended', () => workers.every((pid) => !isAlive(pid)));
  await stack.simulator().received({ aborted: true }, 1);
  await stack.start('ingress');
  assert.equal((await chat(targetOf(stack), quick)).status, 200);
});

test('SIGTERM: not ready at once, open streams run to [DONE], then no new connections, exit 0', async () => {
  const body = { ...slow, messages: question('[[sim tokens=60 tps=25]] drained') };
  const wanted = await chat(targetOf(stack), { ...body, messages: question('[[sim tokens=60]] drained') });
  const streams = Array.from({ length: 20 }, () => openChat(targetOf(stack), body));
  await Promise.all(streams.map((stream) => stream.untilText('"content":"')));
  const workers = await bothWorkers();
  const ingress = stack.service('ingress');
  process.kill(ingress.pid, 'SIGTERM');

  const draining = await eventually('readiness is false', async () => {
    const request = new RawRequest(stack.port, { path: '/health/ready' });
    const { status, headers } = await request.head;
    await request.ended;
    request.leave();
    return status === 503 ? { headers, body: JSON.parse(request.text) as { status: string } } : null;
  });
  assert.equal(draining.body.status, 'draining');
  assert.equal(draining.headers.connection, 'close');
  const late = openChat(targetOf(stack), { ...body, messages: question('[[sim tokens=5 tps=2]] late') });
  assert.equal((await late.head).status, 200, 'accepted until balancers have noticed');
  assert.equal((await late.head).headers.connection, 'close');

  await eventually('no new connections', async () => {
    const request = new RawRequest(stack.port, { path: '/health/live' });
    return (await request.closed) === 'ECONNREFUSED';
  });
  assert.ok(workers.every(isAlive), 'the streams are still open');
  const [last, ...answers] = await Promise.all([late, ...streams].map(readChat));
  for (const answer of answers) {
    assert.equal(answer.end, 'complete', 'with intact framing');
    assert.ok(answer.done);
    assert.deepEqual(answer.errors, []);
    assert.equal(answer.text, wanted.text);
  }
  assert.ok(last?.done);
  await ingress.ended;
  assert.equal(ingress.exit, 'exit code 0');
  assert.ok(workers.every((pid) => !isAlive(pid)));
});
