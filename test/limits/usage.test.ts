import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { BilledTokens, SimulatorProcess } from '../support/simulator-process.ts';
import { type Stack, startStack } from '../support/stack.ts';

/** The gateway's account of what was used, against the invoice that the simulator would write. */

/** Long, for the simulator does not bill its directives. */
const QUESTION = 'Tell me how the mill grinds its corn, and what the miller does all day. '.repeat(20);
const PRICES = { input: '0.000001', output: '0.00001' };
const GOOGLE = { dialect: 'vertex', project: 'p', location: 'us-east5', accessToken: 'ya29.simulated' };
const AWS = {
  dialect: 'bedrock',
  region: 'us-east-1',
  accessKeyId: 'AKIDSIMULATOR',
  secretAccessKey: 'simulator-secret',
};

/** One model for each: those that stop when nobody reads their stream, and those that go on, and bill. */
const STOPPING = ['openai', 'azure', 'anthropic'] as const;
const GOING_ON = ['groq', 'gemini', 'vertex', 'vertexclaude', 'bedrock'] as const;
const ALL = [...STOPPING, ...GOING_ON];
const UPSTREAM: Readonly<Record<string, string>> = {
  openai: 'gpt-4.1',
  azure: 'gpt-4.1-deployment',
  anthropic: 'claude-sonnet-4-5',
  groq: 'llama-3.3-70b',
  gemini: 'gemini-2.5-pro',
  vertex: 'gemini-2.5-flash',
  vertexclaude: 'claude-sonnet-4-5@20250929',
  bedrock: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
};

function config(simulator: SimulatorProcess | undefined, when: string) {
  const root = simulator?.url;
  const v1 = simulator?.baseUrl;
  return {
    server: { drainAborted: { when } },
    auth: {
      keys: [...ALL, 'sum'].map((name) => ({ name, key: `key-${name}` })),
    },
    providers: {
      openai: { dialect: 'openai', baseUrl: v1, apiKey: 'sk-test' },
      spare: { dialect: 'openai', baseUrl: v1, apiKey: 'sk-test' },
      azure: { dialect: 'azure', baseUrl: root, apiKey: 'azure-simulated', apiVersion: '2024-10-21' },
      anthropic: { dialect: 'anthropic', baseUrl: root, apiKey: 'sk-ant-simulated' },
      groq: { dialect: 'openai', baseUrl: v1, apiKey: 'sk-test' },
      gemini: { dialect: 'gemini', baseUrl: root, apiKey: 'AIza-simulated' },
      vertex: { ...GOOGLE, baseUrl: root },
      vertexclaude: { ...GOOGLE, baseUrl: root },
      bedrock: { ...AWS, baseUrl: root },
    },
    models: [
      ...ALL.map((name) => ({
        id: `test/${name}`,
        endpoints: [{ provider: name, model: UPSTREAM[name], pricing: PRICES }],
      })),
      {
        id: 'test/pair',
        endpoints: ['openai', 'spare'].map((provider) => ({ provider, model: `pair-${provider}`, pricing: PRICES })),
      },
    ],
  };
}

let stack: Stack;
let simulator: SimulatorProcess;
before(async () => {
  stack = await startStack({ processes: 2, config: ([first]) => config(first, 'billed') });
  simulator = stack.simulator();
});
after(() => stack?.stop());
beforeEach(() => simulator.forgetUsage());

interface Ask {
  readonly key: string;
  readonly model: string;
  readonly stream?: boolean;
  readonly sim: string;
  /** Leaves when so many bytes have come; 0: so many milliseconds after asking. */
  readonly leaveAt?: number;
  readonly leaveAfterMs?: number;
}

interface Told {
  readonly id: string;
  readonly prompt_tokens?: number;
  readonly completion_tokens?: number;
}

/** Returns what a client that stays is told of its answer, and of its usage if that is said. */
async function ask({ key, model, stream = false, sim, leaveAt, leaveAfterMs }: Ask): Promise<Told | null> {
  const leaving = new AbortController();
  const timer = leaveAfterMs === undefined ? null : setTimeout(() => leaving.abort(), leaveAfterMs);
  try {
    const response = await fetch(`${stack.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({
        model,
        stream,
        max_tokens: 400,
        ...(stream ? { stream_options: { include_usage: true } } : {}),
        messages: [{ role: 'user', content: `${QUESTION}[[sim ${sim}]]` }],
      }),
      signal: leaving.signal,
    });
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (leaveAt !== undefined && text.length >= leaveAt) return null;
    }
    assert.equal(response.status, 200, text);
    const answers = stream
      ? text
          .split('\n\n')
          .filter((frame) => frame.startsWith('data: {'))
          .map((frame) => JSON.parse(frame.slice(6)))
      : [JSON.parse(text)];
    const last = answers.at(-1);
    return { id: last.id, ...last.usage };
  } catch (error) {
    if (leaving.signal.aborted) return null;
    throw error;
  } finally {
    if (timer) clearTimeout(timer);
  }
}

interface Row {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly request_count: number;
  readonly total_cost: number;
}

/** What the ledger says of a key, all in all. */
async function ledger(key: string): Promise<Row> {
  const today = new Date().toISOString().slice(0, 10);
  const path = `/report?start_date=${today}&end_date=${today}&group_by=day`;
  const response = await fetch(`${stack.baseUrl}${path}`, { headers: { authorization: `Bearer ${key}` } });
  const { results } = (await response.json()) as { results: readonly Row[] };
  return results[0] ?? { input_tokens: 0, output_tokens: 0, request_count: 0, total_cost: 0 };
}

/** Since `from`, once so many requests are in it. */
async function accounted(key: string, from: Row, requests: number): Promise<{ prompt: number; completion: number }> {
  for (let tries = 0; tries < 150; tries++) {
    const now = await ledger(key);
    if (now.request_count - from.request_count >= requests) {
      return { prompt: now.input_tokens - from.input_tokens, completion: now.output_tokens - from.output_tokens };
    }
    await delay(100);
  }
  throw new Error(`the ledger of ${key} never had ${requests} requests more`);
}

async function billed(name: string): Promise<BilledTokens> {
  for (let tries = 0; (await simulator.usage()).open > 0 && tries < 100; tries++) await delay(50);
  const { byModel } = await simulator.usage();
  return byModel[UPSTREAM[name] ?? name] ?? { requests: 0, prompt: 0, cached: 0, completion: 0, total: 0 };
}

const near = (actual: number, expected: number, share: number): boolean =>
  Math.abs(actual - expected) <= Math.max(6, expected * share);

describe('the account agrees with the invoice', () => {
  for (const name of ALL) {
    const key = `key-${name}`;
    const model = `test/${name}`;

    test(`${name}: of answers that were taken to their end`, async () => {
      const from = await ledger(key);
      const told = [
        await ask({ key, model, sim: 'tokens=21' }),
        await ask({ key, model, sim: 'tokens=34', stream: true }),
      ];
      const sums = await accounted(key, from, 2);
      const invoice = await billed(name);
      assert.deepEqual(sums, { prompt: invoice.prompt, completion: invoice.completion });
      const sum = (of: 'prompt_tokens' | 'completion_tokens') => told.reduce((all, one) => all + (one?.[of] ?? 0), 0);
      assert.deepEqual(sums, { prompt: sum('prompt_tokens'), completion: sum('completion_tokens') });
    });

    test(`${name}: of whole answers whose clients left`, async () => {
      const from = await ledger(key);
      await ask({ key, model, sim: 'tokens=25 ttft=250', leaveAfterMs: 100 });
      const sums = await accounted(key, from, 1);
      const { prompt, completion } = await billed(name);
      assert.deepEqual(sums, { prompt, completion });
      assert.equal(completion, 25);
    });
  }

  for (const name of GOING_ON) {
    test(`${name}: of streams whose clients left, for it bills them to their end`, async () => {
      const key = `key-${name}`;
      const from = await ledger(key);
      const options = { key, model: `test/${name}`, stream: true };
      await ask({ ...options, sim: 'tokens=40 tps=100', leaveAt: 1_500 });
      await ask({ ...options, sim: 'tokens=30 ttft=300 tps=300', leaveAfterMs: 100 });
      const sums = await accounted(key, from, 2);
      const { prompt, completion } = await billed(name);
      assert.deepEqual(sums, { prompt, completion });
      assert.equal(completion, 70);
    });
  }

  for (const name of STOPPING) {
    test(`${name}: about, of streams whose clients left, for it stops`, async () => {
      const key = `key-${name}`;
      const from = await ledger(key);
      await ask({ key, model: `test/${name}`, stream: true, sim: 'tokens=300 tps=200', leaveAt: 12_000 });
      const sums = await accounted(key, from, 1);
      const { prompt, completion } = await billed(name);
      assert.ok(completion > 10 && completion < 300, `${completion} billed`);
      assert.ok(near(sums.prompt, prompt, 0.3), `prompt ${sums.prompt}, billed ${prompt}`);
      assert.ok(near(sums.completion, completion, 0.35), `completion ${sums.completion}, billed ${completion}`);
    });
  }

  test('of a stream that broke and was taken up: both attempts, while its client pays for its answer', async () => {
    const from = await ledger('key-sum');
    const told = await ask({
      key: 'key-sum',
      model: 'test/pair',
      stream: true,
      sim: 'tokens=60]] [[sim cut=40 for=pair-openai',
    });
    const sums = await accounted('key-sum', from, 1);
    const broken = await billed('pair-openai');
    const whole = await billed('pair-spare');
    assert.deepEqual([broken.completion, whole.completion], [40, 60]);
    assert.equal(told?.completion_tokens, 60);
    assert.ok(near(sums.prompt, broken.prompt + whole.prompt, 0.2), `${sums.prompt}`);
    assert.ok(near(sums.completion, 100, 0.2), `${sums.completion}`);
    assert.ok(sums.completion > 60);
    const { total_cost } = await ledger('key-sum');
    const cost = (sums.prompt * 1 + sums.completion * 10) / 1e6;
    assert.ok(Math.abs(total_cost - from.total_cost - cost) < 1e-12);
  });

  test('of a provider that does not say: an estimate, and marked as one', async () => {
    const from = await ledger('key-sum');
    const told = await ask({ key: 'key-sum', model: 'test/openai', stream: true, sim: 'tokens=50 nousage' });
    assert.deepEqual([typeof told?.id, told?.prompt_tokens], ['string', undefined], 'its client is told nothing');
    const sums = await accounted('key-sum', from, 1);
    const { prompt, completion } = await billed('openai');
    assert.ok(near(sums.prompt, prompt, 0.3) && near(sums.completion, completion, 0.3));
    const response = await fetch(`${stack.baseUrl}/generation?id=${told?.id}`, {
      headers: { authorization: 'Bearer key-sum' },
    });
    const { data } = (await response.json()) as { data: { usage_source: string } };
    assert.equal(data.usage_source, 'estimated');
  });
});

test('with drainAborted: always it agrees to the token, whoever leaves when', async () => {
  await stack.reconfigure(config(simulator, 'always'));
  const from = await ledger('key-sum');
  // The same numbers in every run.
  let state = 7;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const asks = Array.from({ length: 120 }, (): Ask => {
    const common = {
      key: 'key-sum',
      model: `test/${ALL[random(ALL.length)]}`,
      stream: random(3) > 0,
      sim: `tokens=${1 + random(60)} ttft=${random(60)} tps=${300 + random(700)} salt=${random(1_000_000)}`,
    };
    const how = random(3);
    if (how === 0) return common;
    return how === 1 ? { ...common, leaveAfterMs: random(120) } : { ...common, leaveAt: random(6_000) };
  });
  const clients = Array.from({ length: 12 }, async () => {
    for (let next = asks.pop(); next !== undefined; next = asks.pop()) await ask(next);
  });
  await Promise.all(clients);
  for (let tries = 0; (await simulator.usage()).open > 0 && tries < 200; tries++) await delay(50);
  const { totals } = await simulator.usage();
  assert.ok(totals.requests > 90, `${totals.requests} requests`);
  // Who left before the simulator had the request may be in the ledger, with nothing: the last may still be on its way.
  let sums = await accounted('key-sum', from, totals.requests);
  for (let tries = 0; sums.prompt < totals.prompt && tries < 100; tries++) {
    await delay(50);
    sums = await accounted('key-sum', from, totals.requests);
  }
  assert.deepEqual(sums, { prompt: totals.prompt, completion: totals.completion });
});

test('a process that is told to stop accounts for what is under way', async () => {
  const from = await ledger('key-sum');
  const left = ask({ key: 'key-sum', model: 'test/bedrock', sim: 'tokens=20 ttft=1500', leaveAfterMs: 200 });
  await left;
  await stack.kill('ingress', 'SIGTERM');
  await stack.start('ingress');
  const sums = await accounted('key-sum', from, 1);
  const { prompt, completion } = await billed('bedrock');
  assert.deepEqual(sums, { prompt, completion });
});
