import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Simulator, startSimulator } from '../server.ts';
import { openRaw } from '../testing/rawRequest.ts';

describe('control endpoints', () => {
  let simulator: Simulator;
  before(async () => {
    simulator = await startSimulator();
  });
  after(() => simulator.close());
  beforeEach(() => {
    simulator.faults.clear();
    simulator.journal.clear();
  });

  const call = async (method: string, path: string, body?: unknown) => {
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const response = await fetch(`${simulator.url}/__sim/${path}`, { method, ...sent });
    return { status: response.status, value: JSON.parse(await response.text()) };
  };
  const ask = (model: string, stream = false) =>
    fetch(`${simulator.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-secret-of-mine-9876', 'x-mark': 'yes' },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello!' }], stream }),
    });

  it('adds faults that apply so many times to what they match, and removes them', async () => {
    const rule = { match: { model: 'gpt-*' }, fault: { status: 503, 'retry-after': 1 }, times: 2 };
    const added = await call('POST', 'faults', rule);
    assert.equal(added.status, 201);
    const statuses: number[] = [];
    for (const model of ['gpt-4o', 'claude', 'gpt-5', 'gpt-4o']) statuses.push((await ask(model)).status);
    assert.deepEqual(statuses, [503, 200, 503, 200]);
    const [listed] = (await call('GET', 'faults')).value.faults;
    assert.deepEqual([listed.hits, listed.remaining], [2, 0]);
    await call('POST', 'faults', { match: { path: '/v1/chat/*' }, fault: { error: 'overloaded' }, times: null });
    assert.equal((await ask('claude')).status, 529);
    assert.deepEqual((await call('DELETE', 'faults')).value, { deleted: 2 });
    assert.equal((await ask('claude')).status, 200);
  });

  it('refuses rules that make no sense', async () => {
    for (const rule of ['{', {}, { fault: { nope: 1 } }, { fault: { status: 500 }, times: -1 }, { fault: 3 }])
      assert.equal((await call('POST', 'faults', rule)).status, 400, JSON.stringify(rule));
    assert.equal((await call('GET', 'nothing')).status, 404);
    assert.equal((await call('GET', 'requests?since=x')).status, 400);
  });

  it('shows what was received, the key only by its last four characters', async () => {
    await (await ask('gpt-4o+tokens=5', true)).text();
    const { requests, lastSeq } = (await call('GET', 'requests?model=gpt-4o')).value;
    assert.equal(requests.length, 1);
    const [record] = requests;
    assert.equal(record.seq, lastSeq);
    assert.equal(record.headers['x-mark'], 'yes');
    assert.equal(record.headers.authorization, 'Bearer …9876');
    assert.equal(record.body.model, 'gpt-4o+tokens=5');
    assert.deepEqual(record.directives, { tokens: 5 });
    assert.equal(record.bodyBytes, JSON.stringify(record.body).length);
    assert.match(record.bodySha256, /^[0-9a-f]{64}$/);
    assert.deepEqual([record.status, record.stream, record.tokensSent, record.outcome], [200, true, 5, 'complete']);
    assert.ok(record.startedAt <= record.firstTokenAt && record.firstTokenAt <= record.endedAt);
    assert.deepEqual((await call('GET', `requests?since=${lastSeq}`)).value.requests, []);
    assert.equal((await call('DELETE', 'requests')).value.deleted, 1);
  });

  it('waits for an abort and says after how many tokens it came', async () => {
    const body = { model: 'm+tokens=9+stall=3', messages: [{ role: 'user', content: 'Hello!' }], stream: true };
    const connection = openRaw(simulator.port, { body });
    const waiting = call('GET', 'requests/wait?aborted=1&model=m&timeout=5000');
    await connection.until('data:');
    assert.equal(simulator.stats().openStreams, 1);
    connection.socket.destroy();
    const { status, value } = await waiting;
    assert.equal(status, 200);
    assert.deepEqual([value.requests[0].aborted, value.requests[0].tokensSent], [true, 3]);
    assert.equal((await call('GET', 'requests/wait?aborted=1&count=2&timeout=20')).status, 408);
  });

  it('counts connections, requests and what was sent', async () => {
    const before = (await call('GET', 'stats')).value;
    await (await ask('m+tokens=7')).text();
    await (await ask('m+tokens=7', true)).text();
    const { totals, openRequests, openConnections } = (await call('GET', 'stats')).value;
    assert.equal(totals.requests - before.totals.requests, 2);
    assert.equal(totals.complete - before.totals.complete, 2);
    assert.equal(totals.tokensSent - before.totals.tokensSent, 14);
    assert.equal(openRequests, 0);
    assert.ok(openConnections >= 1);
  });

  it('keeps only the latest requests', async () => {
    const small = await startSimulator({ recordedRequests: 3 });
    for (let index = 0; index < 8; index++)
      await (await fetch(`${small.url}/v1/models/m${index}`, { headers: { authorization: 'Bearer k' } })).text();
    assert.deepEqual(
      small.requests.map(({ path }) => path),
      ['/v1/models/m5', '/v1/models/m6', '/v1/models/m7'],
    );
    await small.close();
  });

  it('counts the requests at once, model by model, and refuses those beyond `concurrency`', async () => {
    await call('DELETE', 'stats');
    await call('POST', 'faults', { match: { model: 'busy' }, fault: { concurrency: 2, ttft: 60, 'retry-after': 3 } });
    const answers = await Promise.all([1, 2, 3].map(() => ask('busy')));
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 200, 429]);
    assert.equal(answers.find(({ status }) => status === 429)?.headers.get('retry-after'), '3');
    await Promise.all(answers.map((answer) => answer.text()));
    assert.equal((await call('GET', 'requests/wait?model=busy&ended=1&count=3')).status, 200);
    assert.deepEqual((await call('GET', 'stats')).value.byModel.busy, { open: 0, peak: 3 });
    const alone = await ask('busy');
    assert.equal(alone.status, 200);
    await alone.text();
    await call('GET', 'requests/wait?model=busy&ended=1&count=4');
    await call('DELETE', 'stats');
    assert.equal((await call('GET', 'stats')).value.byModel.busy, undefined);
  });
});
