import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type BilledRequest, type Simulator, startSimulator, type UsageReport } from '../server.ts';
import { openRaw } from '../testing/rawRequest.ts';

interface OpenAiUsage {
  prompt_tokens: number;
  completion_tokens: number;
}

describe('the usage log', () => {
  let simulator: Simulator;
  before(async () => {
    simulator = await startSimulator();
  });
  after(() => simulator.close());
  beforeEach(() => {
    simulator.usage.clear();
    simulator.journal.clear();
  });

  const report = async (): Promise<UsageReport & { open: number }> => {
    const response = await fetch(`${simulator.url}/__sim/usage`);
    return (await response.json()) as UsageReport & { open: number };
  };
  const only = async (): Promise<BilledRequest> => {
    await simulator.journal.wait({ ended: true }, 1, 5_000);
    const { requests } = await report();
    const [request] = requests;
    assert.ok(request && requests.length === 1, `${requests.length} requests`);
    return request;
  };
  const bodyOf = (directives: string, extra: object = {}) => ({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: `Tell me of the mill. [[sim ${directives}]]` }],
    ...extra,
  });
  const ask = (directives: string, extra: object = {}) =>
    fetch(`${simulator.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-any' },
      body: JSON.stringify(bodyOf(directives, extra)),
    });
  /** Hangs up as soon as what has come contains this text. */
  const leave = async (path: string, headers: Record<string, string>, body: object, text: string): Promise<void> => {
    const connection = openRaw(simulator.port, { path, headers, body });
    await connection.until(text);
    connection.socket.destroy();
    await simulator.journal.wait({ ended: true, aborted: true }, 1, 5_000);
  };
  const bearer = { authorization: 'Bearer sk-any' };

  it('says what the answers said, whole and streamed, and adds it up', async () => {
    const { usage } = (await (await ask('tokens=12 reasoning-tokens=5')).json()) as { usage: OpenAiUsage };
    const streamed = { stream: true, model: 'gpt-5-mini' };
    await (await ask('tokens=12 reasoning-tokens=5', streamed)).text();
    await simulator.journal.wait({ ended: true }, 2, 5_000);
    const { totals, byModel, byPath, byOutcome, requests, open } = await report();
    const one = { prompt: usage.prompt_tokens, cached: 0, completion: 17, total: usage.prompt_tokens + 17 };
    assert.equal(usage.completion_tokens, 17);
    const two = { requests: 2, prompt: 2 * one.prompt, cached: 0, completion: 34, total: 2 * one.total };
    assert.deepEqual(totals, two);
    assert.deepEqual(byModel, { 'gpt-4o': { requests: 1, ...one }, 'gpt-5-mini': { requests: 1, ...one } });
    assert.deepEqual(byPath, { '/v1/chat/completions': two });
    assert.deepEqual(byOutcome, { complete: two });
    assert.deepEqual(
      requests.map(({ stream, total }) => ({ stream, total })),
      [
        { stream: false, total: one.total },
        { stream: true, total: one.total },
      ],
    );
    assert.equal(open, 0);
  });

  it('bills a stream whose client left for its prompt, what was sent, and the hidden reasoning before that', async () => {
    await leave(
      '/v1/chat/completions',
      bearer,
      bodyOf('tokens=50 stall=7 reasoning-tokens=5', { stream: true }),
      'data:',
    );
    const [record] = simulator.journal.find();
    const { outcome, completion, prompt, total } = await only();
    assert.equal(outcome, 'aborted');
    assert.ok(prompt > 5);
    const sent = record?.tokensSent ?? -1;
    assert.equal(completion, sent === 0 ? 0 : sent + 5);
    assert.equal(total, prompt + completion);
  });

  it('bills a stream that was left before its first token for its prompt', async () => {
    await leave('/v1/chat/completions', bearer, bodyOf('silent', { stream: true }), '200 OK');
    const { completion, prompt } = await only();
    assert.equal(completion, 0);
    assert.ok(prompt > 5);
  });

  it('bills a stream that a fault broke for what was sent until then', async () => {
    for (const [fault, completion] of [
      ['cut=4', 4],
      ['tear=4', 4],
      ['reset=4', 4],
      ['stream-error=4', 4],
      ['cut=30', 20],
      ['nousage', 20],
    ] as const) {
      simulator.usage.clear();
      simulator.journal.clear();
      await (await ask(`tokens=20 ${fault}`, { stream: true })).text().catch(() => '');
      assert.equal((await only()).completion, completion, fault);
    }
  });

  it('bills a whole answer in full once it is begun, and nothing that is refused or never answered', async () => {
    await assert.rejects(async () => (await ask('tokens=20 reset=after')).text());
    assert.equal((await only()).completion, 20);
    const connection = openRaw(simulator.port, { headers: bearer, body: bodyOf('tokens=30 ttft=60000') });
    await simulator.journal.wait({ ended: false }, 1, 5_000);
    connection.socket.destroy();
    await simulator.journal.wait({ aborted: true }, 1, 5_000);
    assert.deepEqual(
      (await report()).requests.map(({ completion }) => completion),
      [20, 30],
    );
    await ask('status=500');
    await ask('error=context_length');
    await assert.rejects(ask('reset=before'));
    await simulator.journal.wait({ ended: true }, 5, 5_000);
    assert.equal((await report()).totals.requests, 2);
  });

  it("bills streams of Google and AWS to their end, whoever hangs up, and Anthropic's not", async () => {
    const text = 'Tell me of the mill. [[sim tokens=40 stall=3]]';
    const contents = [{ role: 'user', parts: [{ text }] }];
    const messages = [{ role: 'user', content: text }];
    const claude = { messages, max_tokens: 100, stream: true };
    const aws = { messages: [{ role: 'user', content: [{ text }] }] };
    const version = { 'anthropic-version': '2023-06-01' };
    const vertex = '/v1/projects/p/locations/l/publishers';
    for (const [path, headers, body, toTheEnd] of [
      ['/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse', { 'x-goog-api-key': 'k' }, { contents }, true],
      [`${vertex}/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse`, bearer, { contents }, true],
      [
        `${vertex}/anthropic/models/claude-x:streamRawPredict`,
        bearer,
        { ...claude, anthropic_version: 'vertex-2023-10-16' },
        true,
      ],
      ['/model/claude-x/converse-stream', bearer, aws, true],
      ['/v1/messages', { 'x-api-key': 'k', ...version }, { ...claude, model: 'claude-x' }, false],
    ] as const) {
      simulator.usage.clear();
      simulator.journal.clear();
      await leave(path, headers, body, '200 OK');
      const { completion, prompt } = await only();
      const sent = simulator.journal.find()[0]?.tokensSent ?? -1;
      assert.equal(completion, toTheEnd ? 40 : sent, path);
      assert.ok(sent <= 3);
      assert.ok(prompt > 5);
    }
  });

  it('counts embeddings, tells cached tokens, and forgets when it is told to', async () => {
    const response = await fetch(`${simulator.url}/v1/embeddings`, {
      method: 'POST',
      headers: bearer,
      body: JSON.stringify({ model: 'text-embedding-3-small', input: ['one two', 'three'] }),
    });
    const { usage } = (await response.json()) as { usage: OpenAiUsage };
    await (await ask('cached=4')).json();
    await simulator.journal.wait({ ended: true }, 2, 5_000);
    const { byModel } = await report();
    assert.deepEqual(byModel['text-embedding-3-small'], {
      requests: 1,
      prompt: usage.prompt_tokens,
      cached: 0,
      completion: 0,
      total: usage.prompt_tokens,
    });
    assert.equal(byModel['gpt-4o']?.cached, 4);
    await fetch(`${simulator.url}/__sim/usage`, { method: 'DELETE' });
    assert.deepEqual((await report()).totals, { requests: 0, prompt: 0, cached: 0, completion: 0, total: 0 });
  });
});
