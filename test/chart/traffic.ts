/** A whole Headgate in which everything has happened that metrics tell of, so that each of them has a series. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '@headgate/core/testing/port';
import { Redis } from 'ioredis';
import OpenAI, { toFile } from 'openai';
import { type Stack, startStack } from '../support/stack.ts';

export interface Scraped {
  readonly ingress: string;
  readonly embedder: string;
  readonly control: string;
  /** Keys of BullMQ in Redis. */
  readonly queueKeys: readonly string[];
}

const GEMINI = 'test/large-embedding';

/** What Prometheus would get of each service after all that. */
export async function scrapeAfterTraffic(): Promise<Scraped> {
  const embedderPort = await freePort();
  const controlPort = await freePort();
  const stack = await startStack({
    embedders: 1,
    env: { HEADGATE_EMBEDDER_HEALTH_PORT: String(embedderPort), HEADGATE_CONTROL_PORT: String(controlPort) },
    config: ([simulator]) => {
      const provider = { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: 'sk-test' };
      const model = (id: string, ...endpoints: readonly [string, string][]) => ({
        id: `test/${id}`,
        endpoints: endpoints.map(([name, providerModel]) => ({ provider: name, model: providerModel })),
      });
      return {
        auth: { keys: [{ name: 'once', key: 'key-once', limits: { requestsPerMinute: 1 } }] },
        health: { probes: { intervalMs: 100 } },
        providers: {
          good: provider,
          bad: provider,
          busy: provider,
          flaky: provider,
          refusing: { ...provider, apiKey: 'sk-invalid' },
          google: { dialect: 'gemini', baseUrl: simulator?.url, apiKey: 'key' },
        },
        models: [
          model('chat', ['good', 'gpt-4o']),
          model('fallback', ['bad', 'gpt-4o+status=503'], ['good', 'gpt-4o']),
          model('broken', ['bad', 'gpt-4o+status=503']),
          model('busy', ['busy', 'gpt-4o+status=429+retry-after=120']),
          model('refused', ['refusing', 'gpt-4o']),
          model('flaky', ['flaky', 'gpt-4o+cut=4'], ['good', 'gpt-4o']),
          { ...model('embedding', ['good', 'text-embedding-3-small']), type: 'embedding' },
          { id: GEMINI, type: 'embedding', endpoints: [{ provider: 'google', model: 'gemini-embedding-001' }] },
          {
            id: 'test/stumbling-embedding',
            type: 'embedding',
            endpoints: [{ provider: 'google', model: 'gemini-embedding-001+status=429+retry-after=1+times=1' }],
          },
        ],
      };
    },
  });
  try {
    await embedderLives(stack, embedderPort);
    await traffic(stack);
    return {
      ingress: await text(`${stack.origin}/metrics`),
      embedder: await text(`http://127.0.0.1:${embedderPort}/metrics`),
      control: await afterAProbe(controlPort),
      queueKeys: await keysOf(stack.redis.url, '*{bull}*'),
    };
  } finally {
    await stack.stop();
  }
}

async function traffic(stack: Stack): Promise<void> {
  const client = new OpenAI({ apiKey: stack.key, baseURL: stack.baseUrl, maxRetries: 0 });
  const body = (model: string, content = 'Say something.') => ({
    model: `test/${model}`,
    messages: [{ role: 'user' as const, content }],
  });
  const stream = async (model: string, content?: string) => {
    for await (const _ of await client.chat.completions.create({ ...body(model, content), stream: true }));
  };
  const refused = (work: Promise<unknown>, status: number) =>
    assert.rejects(work, (error: { status?: number }) => error.status === status);

  await client.chat.completions.create(body('chat', '[[sim cached=4 reasoning-tokens=3]] Think.'));
  await stream('chat');
  await stream('chat', '[[sim tokens=80 tps=200]] Count.');
  for (let i = 0; i < 6; i += 1) await client.chat.completions.create(body('fallback'));
  await stream('flaky');
  await assert.rejects(client.chat.completions.create(body('broken')));
  await refused(client.chat.completions.create(body('busy')), 429);
  await assert.rejects(client.chat.completions.create(body('refused')));
  await refused(client.chat.completions.create(body('nothing')), 404);
  await refused(new OpenAI({ apiKey: 'wrong', baseURL: stack.baseUrl }).models.list(), 401);
  const once = new OpenAI({ apiKey: 'key-once', baseURL: stack.baseUrl, maxRetries: 0 });
  await once.chat.completions.create(body('chat'));
  await refused(once.chat.completions.create(body('chat')), 429);

  const left = await client.chat.completions.create({ ...body('chat', '[[sim tokens=500 tps=50]]'), stream: true });
  for await (const _ of left) break;

  await client.embeddings.create({ model: 'test/embedding', input: 'one' });
  const many = Array.from({ length: 450 }, (_, i) => `text ${i}`);
  await client.embeddings.create({ model: GEMINI, input: many });
  await client.embeddings.create({ model: 'test/stumbling-embedding', input: many });
  await batch(client);
}

async function batch(client: OpenAI): Promise<void> {
  const line = {
    custom_id: 'a',
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'test/chat', messages: [] },
  };
  const request = { ...line, body: { ...line.body, messages: [{ role: 'user', content: 'Hello.' }] } };
  const file = await client.files.create({
    file: await toFile(Buffer.from(JSON.stringify(request)), 'in.jsonl'),
    purpose: 'batch',
  });
  const params = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' } as const;
  let current = await client.batches.create(params);
  for (const end = Date.now() + 20_000; current.status !== 'completed'; await delay(50)) {
    assert.ok(Date.now() < end, `the batch is ${current.status}`);
    current = await client.batches.retrieve(current.id);
  }
}

/** Ingresses count on it only once they have heard of it. */
async function embedderLives(stack: Stack, port: number): Promise<void> {
  for (const end = Date.now() + 15_000; ; await delay(50)) {
    const known = /^headgate_embedders_live 1$/m;
    const [embedder, ingress] = await Promise.all([
      text(`http://127.0.0.1:${port}/metrics`),
      text(`${stack.origin}/metrics`),
    ]);
    if (known.test(embedder) && (known.test(ingress) || !ingress.includes('headgate_embedders_live'))) return;
    assert.ok(Date.now() < end, 'no embedder lives');
  }
}

/** Control asks the endpoint whose breaker has opened on its own time. */
async function afterAProbe(port: number): Promise<string> {
  for (const end = Date.now() + 15_000; ; await delay(50)) {
    const scraped = await text(`http://127.0.0.1:${port}/metrics`);
    if (/^headgate_probes_total\{/m.test(scraped)) return scraped;
    assert.ok(Date.now() < end, 'nothing was probed');
  }
}

async function keysOf(url: string, pattern: string): Promise<string[]> {
  const redis = new Redis(url);
  try {
    return await redis.keys(pattern);
  } finally {
    redis.disconnect();
  }
}

async function text(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  assert.equal(response.status, 200, url);
  return response.text();
}
