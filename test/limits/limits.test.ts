import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { OidcIssuer } from '@headgate/core/testing/oidc';
import OpenAI from 'openai';
import { type Stack, startStack } from '../support/stack.ts';

const PRICES = { input: '0.001', output: '0.002' };

let stack: Stack;
let issuer: OidcIssuer;

before(async () => {
  issuer = await OidcIssuer.start();
  stack = await startStack({
    processes: 2,
    config: ([simulator]) => ({
      auth: {
        keys: [
          { name: 'few', key: 'key-few', limits: { requestsPerMinute: 3 } },
          { name: 'tokens', key: 'key-tokens', limits: { tokensPerMinute: 400 } },
          { name: 'narrow', key: 'key-narrow', limits: { concurrency: 1 } },
          { name: 'poor', key: 'key-poor', budget: { usd: '0.1', window: 'day', mode: 'hard' } },
          { name: 'soft', key: 'key-soft', budget: { usd: '0.01', window: 'day', mode: 'soft' } },
          {
            name: 'patient',
            key: 'key-patient',
            limits: { concurrency: 1 },
            queue: { maxWaitMs: 5_000, maxWaiting: 10 },
          },
          { name: 'of-group-1', key: 'key-group-1', group: 'shop' },
          { name: 'of-group-2', key: 'key-group-2', group: 'shop' },
          { name: 'anyone', key: 'key-anyone', models: ['test/*'] },
          { name: 'ledger', key: 'key-ledger', budget: { usd: '100', window: 'month', mode: 'hard' } },
        ],
        oidc: [{ issuer: issuer.url, audience: 'headgate', modelsClaim: 'models', limits: { requestsPerMinute: 100 } }],
      },
      limits: {
        groups: { shop: { requestsPerMinute: 4 } },
        users: { requestsPerMinute: 2 },
        models: { 'test/rare': { requestsPerMinute: 2 } },
        providers: { limited: { requestsPerMinute: 2 } },
      },
      providers: {
        simulator: { dialect: 'openai', baseUrl: `${simulator?.baseUrl}`, apiKey: 'sk-test' },
        limited: { dialect: 'openai', baseUrl: `${simulator?.baseUrl}`, apiKey: 'sk-test' },
      },
      models: [
        {
          id: 'test/spread',
          endpoints: [
            { provider: 'limited', model: 'gpt-4o' },
            { provider: 'simulator', model: 'gpt-4o' },
          ],
        },
        ...['test/model', 'test/rare', 'other/model'].map((id) => ({
          id,
          endpoints: [{ provider: 'simulator', model: 'gpt-4o', pricing: PRICES }],
        })),
      ],
    }),
  });
});

after(async () => {
  await stack?.stop();
  issuer?.stop();
});

const sdk = (apiKey: string, maxRetries = 0): OpenAI => new OpenAI({ apiKey, baseURL: stack.baseUrl, maxRetries });

const params = (more: object = {}) =>
  ({
    model: 'test/model',
    messages: [{ role: 'user', content: '[[sim tokens=5]] Hello' }],
    max_tokens: 20,
    ...more,
  }) as OpenAI.ChatCompletionCreateParamsNonStreaming;

async function statusOf(work: Promise<unknown>): Promise<number> {
  try {
    await work;
    return 200;
  } catch (error) {
    assert.ok(error instanceof OpenAI.APIError, String(error));
    return error.status ?? 0;
  }
}

/** Statuses of so many requests, one after the other. */
async function statuses(key: string, count: number, more: object = {}): Promise<number[]> {
  const list: number[] = [];
  for (let i = 0; i < count; i++) list.push(await statusOf(sdk(key).chat.completions.create(params(more))));
  return list;
}

async function raw(key: string, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${stack.baseUrl}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });
}

describe('rate limits', () => {
  test('of a key: exact over two processes; headers on every answer; a 429 that says when', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        raw('key-few', '/chat/completions', { method: 'POST', body: JSON.stringify(params()) }),
      ),
    );
    assert.equal(answers.filter(({ status }) => status === 200).length, 3);
    for (const answer of answers) {
      assert.equal(answer.headers.get('x-ratelimit-limit-requests'), '3');
      assert.match(answer.headers.get('x-ratelimit-remaining-requests') ?? '', /^[0-3]$/);
      assert.match(answer.headers.get('x-ratelimit-reset-requests') ?? '', /^(\d+m)?[\d.]+m?s$/);
      if (answer.status === 200) continue;
      assert.equal(answer.status, 429);
      const { error } = (await answer.json()) as { error: Record<string, unknown> };
      assert.deepEqual(
        [error.type, error.code, error.param],
        ['rate_limit_exceeded', 'rate_limit_exceeded', 'requestsPerMinute'],
      );
      assert.ok(Number(answer.headers.get('retry-after-ms')) > 0);
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
    }
  });

  test('headers on what no limit was asked for, too: lists, errors of the request; none for strangers', async () => {
    const chat = (key: string, body: object) =>
      raw(key, '/chat/completions', { method: 'POST', body: JSON.stringify(body) });
    const told = async (answer: Promise<Response>) => {
      const { status, headers } = await answer;
      return [status, headers.get('x-ratelimit-limit-requests')];
    };
    assert.deepEqual(await told(raw('key-few', '/models')), [200, '3']);
    assert.deepEqual(await told(raw('key-few', '/models/test/none')), [404, '3']);
    assert.deepEqual(await told(raw('key-few', '/files')), [200, '3']);
    assert.deepEqual(await told(chat('key-few', { ...params(), temperature: 'hot' })), [400, '3']);
    assert.deepEqual(await told(raw('key-group-1', '/credits')), [200, '4']);
    assert.deepEqual(await told(raw(await issuer.token(), '/models')), [200, '100']);
    assert.deepEqual(await told(raw('key-anyone', '/models')), [200, null]);
    assert.deepEqual(await told(raw('key-nobody', '/models')), [401, null]);
  });

  test('of tokens: reserved, then settled with what was used', async () => {
    const first = await statuses('key-tokens', 1, { max_tokens: 350 });
    assert.deepEqual(first, [200]);
    const [second] = await statuses('key-tokens', 1, { max_tokens: 300 });
    assert.equal(second, 200, 'hardly any of it was used');
    assert.deepEqual(await statuses('key-tokens', 1, { max_tokens: 5_000 }), [429], 'more than there ever is');
  });

  test('of a group, over its keys', async () => {
    const [a, b] = [await statuses('key-group-1', 2), await statuses('key-group-2', 3)];
    assert.deepEqual([...a, ...b], [200, 200, 200, 200, 429]);
  });

  test('of each end user', async () => {
    assert.deepEqual(await statuses('key-anyone', 3, { user: 'ada' }), [200, 200, 429]);
    assert.deepEqual(await statuses('key-anyone', 1, { user: 'bob' }), [200]);
    assert.deepEqual(
      await statuses('key-anyone', 3, { providerOptions: { gateway: { user: 'eve' } } }),
      [200, 200, 429],
    );
  });

  test('of a model, over all callers', async () => {
    assert.deepEqual(await statuses('key-anyone', 3, { model: 'test/rare' }), [200, 200, 429]);
    assert.deepEqual(await statuses(stack.key, 1, { model: 'test/rare' }), [429]);
  });

  test('of a provider: what is beyond them goes to the next', async () => {
    const providers: (string | null)[] = [];
    for (let i = 0; i < 4; i++) {
      const { response } = await sdk('key-anyone')
        .chat.completions.create(params({ model: 'test/spread' }))
        .withResponse();
      providers.push(response.headers.get('x-headgate-provider'));
    }
    assert.deepEqual(providers, ['limited', 'limited', 'simulator', 'simulator']);
  });

  test('of requests at one time, streams too', async () => {
    const open = await sdk('key-narrow').chat.completions.create({
      ...params({ messages: [{ role: 'user', content: '[[sim tokens=40 tps=40]] Slowly' }] }),
      stream: true,
    });
    const iterator = open[Symbol.asyncIterator]();
    await iterator.next();
    assert.deepEqual(await statuses('key-narrow', 1), [429]);
    await iterator.return?.();
    const began = performance.now();
    while ((await statuses('key-narrow', 1))[0] !== 200) assert.ok(performance.now() - began < 5_000, 'comes free');
  });

  test('an SDK backs off and succeeds; a queue spares it even that', async () => {
    const work = Array.from({ length: 4 }, () =>
      sdk('key-patient').chat.completions.create(
        params({ messages: [{ role: 'user', content: '[[sim tokens=4 tps=40]] In turn' }] }),
      ),
    );
    for (const answer of await Promise.all(work)) assert.ok(answer.choices[0]?.message.content);
  });
});

describe('budgets', () => {
  test('that are hard end in 402, which no SDK tries again', async () => {
    const list = await statuses('key-poor', 12);
    const paid = list.filter((status) => status === 200).length;
    assert.ok(paid > 0 && paid < 12, String(list));
    assert.equal(list.at(-1), 402);
    const refused = await raw('key-poor', '/chat/completions', { method: 'POST', body: JSON.stringify(params()) });
    const { error } = (await refused.json()) as { error: { type: string; message: string } };
    assert.equal(error.type, 'insufficient_funds');
    assert.match(error.message, /0\.1 US dollars a day/);
  });

  test('that are soft warn', async () => {
    const began = performance.now();
    for (;;) {
      const answer = await raw('key-soft', '/chat/completions', { method: 'POST', body: JSON.stringify(params()) });
      assert.equal(answer.status, 200);
      await answer.text();
      if (answer.headers.get('x-headgate-budget-warning') !== null) break;
      assert.ok(performance.now() - began < 10_000);
    }
  });
});

describe('who asks', () => {
  test('an OIDC token, with its own limits and models', async () => {
    const token = await issuer.token({ models: ['test/*'] });
    const { data, response } = await sdk(token).chat.completions.create(params()).withResponse();
    assert.ok(data.choices[0]?.message.content);
    assert.equal(response.headers.get('x-ratelimit-limit-requests'), '100');
    assert.equal(await statusOf(sdk(token).chat.completions.create(params({ model: 'other/model' }))), 403);
    const models = await sdk(token).models.list();
    assert.deepEqual(models.data.map(({ id }) => id).sort(), ['test/model', 'test/rare', 'test/spread']);
  });

  test('nobody, with a bad token or a bad key; the key decides where both are there', async () => {
    const good = await issuer.token();
    const bad = [
      await issuer.token({ aud: 'other' }),
      await issuer.token({ exp: 1 }),
      `${good.slice(0, -4)}AAAA`,
      'no-such-key',
    ];
    for (const token of bad) {
      assert.equal(await statusOf(sdk(token).chat.completions.create(params())), 401);
      assert.equal((await raw(token, '/models')).status, 401);
    }
    const both = await raw(good, '/models', { headers: { 'x-api-key': 'no-such-key' } });
    assert.equal(both.status, 401);
    const key = await raw('no-such-key', '/models', { headers: { 'x-api-key': 'key-anyone' } });
    assert.equal(key.status, 200);
  });
});

describe('the ledger', () => {
  async function until<T>(ask: () => Promise<T | null>): Promise<T> {
    for (const began = performance.now(); performance.now() - began < 10_000; ) {
      const found = await ask();
      if (found !== null) return found;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error('not in time');
  }

  test('knows each generation, what is left and what was used', async () => {
    const answer = await sdk('key-ledger').chat.completions.create(
      params({ user: 'zoe', providerOptions: { gateway: { tags: ['night', 'batch'] } } }),
    );
    const json = async (path: string): Promise<Record<string, never> | null> => {
      const response = await raw('key-ledger', path);
      return response.status === 200 ? ((await response.json()) as Record<string, never>) : null;
    };
    const { data } = await until(
      () => json(`/generation?id=${answer.id}`) as Promise<{ data: Record<string, unknown> } | null>,
    );
    const { prompt_tokens, completion_tokens } = answer.usage ?? { prompt_tokens: 0, completion_tokens: 0 };
    assert.deepEqual(
      [
        data.id,
        data.model,
        data.provider_name,
        data.tokens_prompt,
        data.tokens_completion,
        data.streamed,
        data.is_byok,
        data.finish_reason,
      ],
      [answer.id, 'test/model', 'simulator', prompt_tokens, completion_tokens, false, false, 'stop'],
    );
    const cost = prompt_tokens * 0.001 + completion_tokens * 0.002;
    assert.ok(Math.abs(Number(data.total_cost) - cost) < 1e-9);
    const credits = (await json('/credits')) as { balance: string; total_used: string } | null;
    assert.ok(Math.abs(Number(credits?.total_used) - cost) < 1e-9);
    assert.ok(Math.abs(Number(credits?.balance) - (100 - cost)) < 1e-9);
    const today = new Date().toISOString().slice(0, 10);
    const report = (await json(`/report?start_date=${today}&end_date=${today}&group_by=tag`)) as {
      results: { tag: string; request_count: number; input_tokens: number }[];
    } | null;
    assert.deepEqual(
      report?.results.map(({ tag, request_count, input_tokens }) => [tag, request_count, input_tokens]),
      [
        ['batch', 1, prompt_tokens],
        ['night', 1, prompt_tokens],
      ],
    );
    assert.equal((await raw('key-anyone', `/generation?id=${answer.id}`)).status, 404, "another key's");
    for (const path of ['/report', '/report?start_date=2026-13-01&end_date=2026-01-01', '/generation?id=x']) {
      assert.equal((await raw('key-ledger', path)).status, 400, path);
    }
  });
});

test('a frozen Redis holds up no request', async () => {
  await statuses(stack.key, 2);
  stack.redis.pause();
  try {
    const slowest: number[] = [];
    for (let i = 0; i < 30; i++) {
      const began = performance.now();
      const [status] = await statuses('key-anyone', 1, { user: `u${i}` });
      assert.ok(status === 200 || status === 429, String(status));
      slowest.push(performance.now() - began);
    }
    slowest.sort((a, b) => b - a);
    assert.ok((slowest[1] ?? 0) < 500, `${slowest.slice(0, 3)}`);
  } finally {
    stack.redis.resume();
  }
});
