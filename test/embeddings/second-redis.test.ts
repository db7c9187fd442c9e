import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRedisServer } from '@headgate/core/testing/redis';
import { Redis } from 'ioredis';
import OpenAI from 'openai';
import { eventually, metrics, total } from '../resilience/observe.ts';
import { type Stack, startStack } from '../support/stack.ts';

type RedisServer = Awaited<ReturnType<typeof startRedisServer>>;

/** `redis.queueUrl`: queues, chunks and their results have a Redis of their own. */

/** Gemini takes 100 texts a call. */
const [TEXTS, CHUNKS] = [450, 5];

let queues: RedisServer;
let stack: Stack;
let openai: OpenAI;

before(async () => {
  queues = await startRedisServer();
  stack = await startStack({
    embedders: 1,
    env: { HEADGATE_QUEUE_REDIS_URL: queues.url },
    config: ([simulator]) => ({
      providers: { gemini: { dialect: 'gemini', baseUrl: simulator?.url, apiKey: 'key-of-gemini' } },
      models: [
        { id: 'test/embed', type: 'embedding', endpoints: [{ provider: 'gemini', model: 'gemini-embedding-001' }] },
      ],
    }),
  });
  await eventually('an embedder is known', async () => total(await metrics(stack), 'headgate_embedders_live') === 1);
  openai = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.key, maxRetries: 0 });
});
after(async () => {
  await stack?.stop();
  await queues?.stop();
});

test('a large request goes through it, and leaves nothing of the queues in the other one', async () => {
  const input = Array.from({ length: TEXTS }, (_, at) => `text ${at}`);
  const { data } = await openai.embeddings.create({ model: 'test/embed', input, dimensions: 64 });
  assert.deepEqual(
    data.map(({ index }) => index),
    input.map((_, at) => at),
  );
  assert.ok((await published(queues.url)) >= CHUNKS, 'each chunk is reported there');
  const left = (await keysOf(stack.redis.url)).filter((key) => /\{bull\}:(embed|batch)|\{embeds/.test(key));
  assert.deepEqual(left, []);
});

test('a batch runs by it, and its files stay where files are', async () => {
  const line = { custom_id: 'a', method: 'POST', url: '/v1/embeddings', body: { model: 'test/embed', input: 'text' } };
  const file = await openai.files.create({
    file: await OpenAI.toFile(Buffer.from(`${JSON.stringify(line)}\n`), 'lines.jsonl'),
    purpose: 'batch',
  });
  let batch = await openai.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/embeddings',
    completion_window: '24h',
  });
  while (['validating', 'in_progress', 'finalizing'].includes(batch.status)) {
    await new Promise((done) => setTimeout(done, 50));
    batch = await openai.batches.retrieve(batch.id);
  }
  assert.deepEqual([batch.status, batch.request_counts?.completed], ['completed', 1]);
});

const keysOf = (url: string): Promise<readonly string[]> => ask(url, (redis) => redis.keys('*'));

const published = (url: string): Promise<number> =>
  ask(url, async (redis) => Number(/cmdstat_publish:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0));

async function ask<T>(url: string, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}
