import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Stack, startStack } from '../support/stack.ts';

/** Large embeddings requests of a whole gateway with two embedders (DESIGN 8). */

const OPENAI = 'openai/text-embedding-3-small';
/** Takes 100 texts a call, so that a request has many chunks. */
const GEMINI = 'google/gemini-embedding-001';
/** The same, and each call takes its time. */
const SLOW = 'google/slow-embedding';
const DIMENSIONS = 64;
/** Chunks that one embedder runs at one time. */
const HELD = 16;

let stack: Stack;
let redis: Redis;

before(async () => {
  stack = await startStack({
    embedders: 2,
    simulators: 2,
    redis: { persist: true },
    config: ([simulator]) => ({
      providers: {
        openai: { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: 'key-of-openai' },
        gemini: { dialect: 'gemini', baseUrl: simulator?.url, apiKey: 'key-of-gemini' },
        slow: { dialect: 'gemini', baseUrl: simulator?.url, apiKey: 'key-of-slow' },
      },
      models: [
        { id: OPENAI, type: 'embedding', endpoints: [{ provider: 'openai', model: 'text-embedding-3-small' }] },
        { id: GEMINI, type: 'embedding', endpoints: [{ provider: 'gemini', model: 'gemini-embedding-001' }] },
        {
          id: SLOW,
          type: 'embedding',
          endpoints: [{ provider: 'slow', model: 'gemini-embedding-001+ttft=700' }],
        },
      ],
    }),
  });
  redis = new Redis(stack.redis.url);
  redis.on('error', () => undefined);
  await embeddersAre(2);
});
after(async () => {
  redis?.disconnect();
  await stack?.stop();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly vectors: readonly string[];
  readonly body: {
    readonly data?: readonly { readonly index: number; readonly embedding: string }[];
    readonly usage?: { readonly prompt_tokens: number };
    readonly error?: unknown;
  };
}

async function embed(model: string, input: readonly string[], signal?: AbortSignal): Promise<Answer> {
  return ask(`${stack.baseUrl}/embeddings`, stack.key, model, input, signal);
}

async function ask(
  url: string,
  key: string,
  model: string,
  input: readonly string[],
  signal?: AbortSignal,
): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, input, dimensions: DIMENSIONS, encoding_format: 'base64' }),
    ...(signal && { signal }),
  });
  const body = (await response.json()) as Answer['body'];
  const data = body.data ?? [];
  assert.deepEqual(
    data.map(({ index }) => index),
    data.map((_, at) => at),
  );
  return { status: response.status, headers: response.headers, vectors: data.map(({ embedding }) => embedding), body };
}

const texts = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name} ${i} äöü`);

/** One call each, which no queue sees. */
async function inline(model: string, input: readonly string[], size: number): Promise<string[]> {
  const vectors: string[] = [];
  for (let at = 0; at < input.length; at += size) {
    vectors.push(...(await embed(model, input.slice(at, at + size))).vectors);
  }
  return vectors;
}

async function until(so: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  for (const deadline = performance.now() + ms; !(await so()); await delay(20)) {
    assert.ok(performance.now() < deadline, `not so after ${ms} ms: ${so}`);
  }
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${stack.origin}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const embeddersAre = (count: number) => until(async () => (await metric('headgate_embedders_live')) === count);

/** Nothing is queued, nothing runs, no result is left behind. */
async function assertNothingLeft(): Promise<void> {
  await until(async () => {
    const keys = await redis.keys('hg:*');
    const jobs = keys.filter((key) => /:embed-[a-z]+:(wait|active|delayed|prioritized|failed|completed)$/.test(key));
    return jobs.length === 0 && !keys.some((key) => key.startsWith('hg:{embed:'));
  });
}

/** Texts that providers were asked for since, each as often as it was. */
async function itemsAsked(since: number, complete = false): Promise<number> {
  const requests = await stack.simulator().requests({ since });
  const counted = requests as unknown as readonly { readonly items?: number; readonly status?: number }[];
  return counted.reduce((sum, { items = 0, status }) => sum + (complete && status !== 200 ? 0 : items), 0);
}

describe('large embeddings requests', { timeout: 120_000 }, () => {
  test('10,000 texts in one request: each vector bit by bit, in order', async () => {
    const input = texts('many', 10_000);
    const since = await stack.simulator().lastSeq();
    const answer = await embed(OPENAI, input);
    assert.equal(answer.status, 200, JSON.stringify(answer.body.error));
    const direct: string[] = [];
    for (let at = 0; at < input.length; at += 2_000) {
      const some = input.slice(at, at + 2_000);
      const url = `${stack.simulator(1).baseUrl}/embeddings`;
      direct.push(...(await ask(url, 'any', 'text-embedding-3-small', some)).vectors);
    }
    assert.equal(answer.vectors.length, 10_000);
    assert.deepEqual(answer.vectors, direct);
    assert.equal(await itemsAsked(since), 10_000);
    await assertNothingLeft();
  });

  test('the chunks are run by the embedders, and results never stand in jobs', async () => {
    const watcher = redis.duplicate();
    const monitor = await watcher.monitor();
    const scripts: string[] = [];
    monitor.on('monitor', (_time: string, args: string[]) => {
      if (/^(evalsha|hset|xadd)$/i.test(args[0] ?? '')) scripts.push(args.join(' '));
    });
    const input = texts('watched', 500);
    const answer = await embed(GEMINI, input);
    monitor.disconnect();
    watcher.disconnect();
    const vector = answer.vectors[0] ?? '';
    assert.ok(vector.length > 100);
    const carried = scripts.filter((line) => line.includes(vector));
    assert.ok(carried.length > 0, 'a result crosses Redis');
    assert.deepEqual(
      carried.filter((line) => !line.includes('hg:{embed:')),
      [],
    );
  });

  test('a 429 pauses the queue of that provider for all, and the request succeeds', async () => {
    const input = texts('limited', 2_000);
    const expected = await inline(GEMINI, input, 100);
    const since = await stack.simulator().lastSeq();
    await stack.simulator().fault({
      match: { model: 'gemini-embedding-001' },
      fault: { status: 429, 'retry-after': 2 },
      times: 1,
    });
    const from = performance.now();
    const answer = await embed(GEMINI, input);
    assert.equal(answer.status, 200, JSON.stringify(answer.body.error));
    assert.deepEqual(answer.vectors, expected);
    assert.ok(performance.now() - from >= 1_900);
    assert.equal(await itemsAsked(since, true), 2_000);
  });

  test('when the client goes, what is queued is removed', async () => {
    const since = await stack.simulator().lastSeq();
    const controller = new AbortController();
    const answer = embed(SLOW, texts('left', 10_000), controller.signal);
    await stack.simulator().received({ since }, 20);
    controller.abort();
    await assert.rejects(answer);
    await assertNothingLeft();
    assert.ok((await itemsAsked(since)) < 6_000);
    await until(async () => (await metric('headgate_queue_waits')) === 0);
  });

  test('a killed embedder: the answer is complete, and only what it had begun is asked for again', async () => {
    const input = texts('killed', 6_000);
    const since = await stack.simulator().lastSeq();
    const answer = embed(SLOW, input);
    await stack.simulator().received({ since }, 10);
    await stack.kill('embedder');
    const { status, vectors, body } = await answer;
    assert.equal(status, 200, JSON.stringify(body.error));
    const asked = await itemsAsked(since);
    assert.ok(asked >= 6_000 && asked <= 6_000 + HELD * 100, `${asked} texts were asked for`);
    assert.deepEqual(vectors, await inline(GEMINI, input, 100));
    assert.equal(await metric('headgate_queue_taken_over_total'), 0);
    await assertNothingLeft();
    await stack.start('embedder');
    await embeddersAre(2);
  });

  test('a lost notification is repaired', async () => {
    const input = texts('lost', 1_000);
    const answer = embed(SLOW, input);
    let waits = true;
    const killer = (async () => {
      while (waits) {
        await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await delay(2);
      }
    })();
    const { status, vectors } = await answer;
    waits = false;
    await killer;
    assert.equal(status, 200);
    assert.equal(vectors.length, 1_000);
    assert.ok((await metric('headgate_queue_notifications_repaired_total')) > 0);
  });

  test('Redis goes and comes back in the middle: an answer, and no hang', async () => {
    const input = texts('restarted', 4_000);
    const since = await stack.simulator().lastSeq();
    const answer = embed(SLOW, input);
    await stack.simulator().received({ since }, 10);
    await stack.redis.restart();
    const { status, vectors, body } = await answer;
    assert.equal(status, 200, JSON.stringify(body.error));
    assert.deepEqual(vectors, await inline(GEMINI, input, 100));
    await embeddersAre(2);
  });

  test('the last embedder dies: what waits is done in the ingress; without any, all is', async () => {
    const input = texts('deserted', 4_000);
    const expected = await inline(GEMINI, input, 100);
    const since = await stack.simulator().lastSeq();
    const answer = embed(SLOW, input);
    await stack.simulator().received({ since }, 10);
    await Promise.all([stack.kill('embedder 0'), stack.kill('embedder 1')]);
    const { status, vectors, body } = await answer;
    assert.equal(status, 200, JSON.stringify(body.error));
    assert.deepEqual(vectors, expected);
    assert.ok((await metric('headgate_queue_taken_over_total')) > 0);
    await embeddersAre(0);
    const alone = await embed(GEMINI, input);
    assert.deepEqual(alone.vectors, expected);
  });
});
