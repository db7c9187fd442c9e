import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { type Stack, startStack } from '../support/stack.ts';
import { question } from './chat-client.ts';
import { CREDENTIAL, configuration } from './configuration.ts';
import { type Explanation, providersOf } from './explanation.ts';

const OWN_CREDENTIAL = 'sk-the-callers-own-credential-0123456789';
const LIMITED_KEY = 'hg_limited_key_0123456789abcdef';
const NOBODY_KEY = 'hg_nobody_key_0123456789abcdef';

let stack: Stack;
let openai: OpenAI;

before(async () => {
  stack = await startStack({
    config: ([simulator]) => {
      const provider = { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: CREDENTIAL };
      return configuration(simulator, {
        server: { maxBodyBytes: 100_000 },
        keys: [{ name: 'limited', key: LIMITED_KEY, models: ['test/one'] }],
        providers: {
          private: { ...provider, zeroDataRetention: true, noPromptTraining: true },
          free: provider,
        },
        models: [
          {
            id: 'test/many',
            contextWindow: 10_000,
            maxTokens: 500,
            tags: ['implicit-caching'],
            endpoints: [
              { provider: 'alpha', model: 'many', pricing: { input: '0.000003', output: '0.000015' } },
              {
                provider: 'beta',
                model: 'many',
                quantization: 'fp8',
                pricing: { input: '0.0000011', output: '0.0000044' },
              },
              {
                provider: 'private',
                model: 'many',
                maxTokens: 100,
                pricing: { input: '0.000002', output: '0.000009' },
              },
            ],
          },
          { id: 'test/unpriced', endpoints: [{ provider: 'free', model: 'unpriced' }] },
          { id: 'test/blind', inputModalities: ['text'], endpoints: [{ provider: 'alpha', model: 'blind' }] },
          {
            id: 'test/even',
            endpoints: ['alpha', 'beta', 'private'].map((name) => ({ provider: name, model: 'even', weight: 1 })),
          },
          { id: 'test/vectors', type: 'embedding', endpoints: [{ provider: 'alpha', model: 'vectors' }] },
        ],
      });
    },
  });
  openai = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.key, maxRetries: 0 });
});

after(() => stack.stop());

/** What the gateway adds to an answer's message (WIRE 2.5). */
interface Answered {
  readonly provider_metadata: {
    readonly gateway: { readonly routing: { readonly finalProvider: string; readonly planningReasoning: string } };
  };
}

interface Wish {
  readonly model?: string;
  readonly gateway?: Readonly<Record<string, unknown>>;
  readonly seed?: number | string;
  readonly [field: string]: unknown;
}

function bodyOf({ model = 'test/many', gateway, seed: _, ...rest }: Wish): Record<string, unknown> {
  const providerOptions = gateway === undefined ? {} : { providerOptions: { gateway } };
  return { model, messages: question('Where would this go?'), ...providerOptions, ...rest };
}

const explain = (wish: Wish): Promise<Explanation> =>
  openai.post<Explanation>('/route/explain', {
    body: bodyOf(wish),
    ...(wish.seed === undefined ? {} : { query: { seed: wish.seed } }),
  });

async function post(path: string, body: unknown, key = stack.key): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${stack.baseUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

describe('the plan is told', () => {
  const orders: readonly (readonly [what: string, gateway: Wish['gateway'], providers: readonly string[]])[] = [
    ['configured order', undefined, ['alpha', 'beta', 'private']],
    ['order', { order: ['private', 'nobody', 'beta'] }, ['private', 'beta', 'alpha']],
    ['only', { only: ['beta', 'private'] }, ['beta', 'private']],
    ['only and order', { only: ['beta', 'private'], order: ['alpha', 'private'] }, ['private', 'beta']],
    ['ignore', { ignore: ['alpha'] }, ['beta', 'private']],
    ['sort', { sort: 'cost' }, ['beta', 'private', 'alpha']],
    ['sort behind order', { sort: 'cost', order: ['alpha'] }, ['alpha', 'beta', 'private']],
    ['has', { has: ['quantization:fp8'] }, ['beta']],
    ['has not', { has: ['!quantization:fp8', 'implicit-caching'] }, ['alpha', 'private']],
    ['maxPrice', { maxPrice: { input: 2, output: 10 } }, ['beta', 'private']],
    ['zeroDataRetention', { zeroDataRetention: true }, ['private']],
    ['disallowPromptTraining', { disallowPromptTraining: true }, ['private']],
  ];
  for (const [what, gateway, providers] of orders) {
    test(what, async () => {
      const told = await explain(gateway === undefined ? {} : { gateway });
      assert.deepEqual(providersOf(told), providers);
      assert.deepEqual(
        told.attempts.map(({ position }) => position),
        providers.map((_, i) => i + 1),
      );
      assert.equal(
        told.attempts.length + told.removed.length,
        3,
        'each endpoint is planned, or it is said what ruled it out',
      );
      for (const { by, detail, internalModelId } of told.removed) {
        assert.ok(gateway !== undefined && by in gateway, by);
        assert.ok(detail.length > 0 && internalModelId.endsWith(':many'));
      }
      assert.ok(told.attempts.every(({ reason }) => reason.length > 0));
      assert.match(told.planningReasoning, new RegExp(`^${providers.length} of 3 endpoints eligible`));
    });
  }

  test('and is what really happens', async () => {
    const gateway = { order: ['private'], ignore: ['alpha'] };
    const told = await explain({ gateway });
    const answer = await openai.chat.completions.create(
      // The SDK passes on what it does not know.
      bodyOf({ gateway }) as unknown as OpenAI.Chat.ChatCompletionCreateParamsNonStreaming,
    );
    const { message } = answer.choices[0] ?? {};
    const { routing } = (message as unknown as Answered).provider_metadata.gateway;
    assert.equal(routing.finalProvider, told.attempts[0]?.provider);
    assert.equal(routing.planningReasoning, told.planningReasoning);
  });

  test('with fallback models, features, cost in exact decimals, and what is unknown as null', async () => {
    const gateway = { models: ['test/unpriced'], only: ['alpha', 'private', 'free'] };
    const told = await explain({ gateway, max_tokens: 300, tools: [{ type: 'function', function: { name: 'f' } }] });
    assert.equal(told.object, 'route.explanation');
    assert.equal(told.originalModelId, 'test/many');
    assert.deepEqual(told.models, ['test/many', 'test/unpriced']);
    assert.deepEqual(
      told.attempts.map(({ modelId, internalModelId }) => [modelId, internalModelId]),
      [
        ['test/many', 'alpha:many'],
        ['test/many', 'private:many'],
        ['test/unpriced', 'free:unpriced'],
      ],
    );
    const { promptTokens, ...features } = told.features;
    assert.deepEqual(features, {
      images: false,
      files: false,
      audio: false,
      tools: true,
      jsonSchema: false,
      maxOutputTokens: 300,
    });
    const prompt = Number(promptTokens);
    assert.ok(Number.isInteger(prompt) && prompt > 0);
    const [first, second, third] = told.attempts.map(({ pricing, estimatedCost }) => ({ pricing, estimatedCost }));
    assert.deepEqual(first?.pricing, { input: '0.000003', output: '0.000015' });
    const { input, output, total, ...tokens } = first.estimatedCost;
    assert.deepEqual(tokens, { promptTokens: prompt, outputTokens: 300 });
    assert.equal(output, '0.0045');
    const microdollars = (amount: number) => (amount / 1e6).toFixed(6).replace(/0+$/, '');
    assert.equal(input, microdollars(3 * prompt));
    assert.equal(total, microdollars(3 * prompt + 4500));
    assert.equal(second?.estimatedCost.outputTokens, 100, 'no endpoint gives more than it can');
    assert.deepEqual(third, {
      pricing: { input: null, output: null },
      estimatedCost: { promptTokens: prompt, outputTokens: 300, input: null, output: null, total: null },
    });
    assert.deepEqual(
      told.attempts.map(({ health }) => [health.breaker, health.coolUntil, health.inFlight]),
      Array(3).fill(['closed', null, 0]),
    );
  });

  test("a caller's credential takes part by its type, and is nowhere in the answer", async () => {
    const byok = { alpha: [{ apiKey: OWN_CREDENTIAL }, { apiKey: `${OWN_CREDENTIAL}-2` }] };
    const told = await explain({ gateway: { byok, only: ['alpha'] } });
    assert.deepEqual(
      told.attempts.map(({ credentialType }) => credentialType),
      ['byok', 'byok', 'system'],
    );
    assert.deepEqual(told.options.byok, { alpha: 2 });
    assert.doesNotMatch(JSON.stringify(told), /sk-the-callers-own|sk-provider-credential/);
  });

  test('options without effect are named', async () => {
    const { warnings } = await explain({ gateway: { quotaEntityId: 'team-1' } });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /quotaEntityId/);
  });
});

describe('a seed', () => {
  test('repeats a plan; others spread the load', async () => {
    const first = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const [once, again] = await Promise.all([
        explain({ model: 'test/even', seed }),
        explain({ model: 'test/even', seed }),
      ]);
      assert.equal(once.seed, seed);
      assert.deepEqual(providersOf(once), providersOf(again));
      assert.equal(new Set(providersOf(once)).size, 3);
      first.add(providersOf(once)[0] ?? '');
    }
    assert.deepEqual(first, new Set(['alpha', 'beta', 'private']));
  });

  test('is made up when none is given, and told, so that the plan can be repeated', async () => {
    const told = await explain({ model: 'test/even' });
    const again = await explain({ model: 'test/even', seed: told.seed });
    assert.deepEqual(providersOf(again), providersOf(told));
  });

  test('that is none is refused', async () => {
    for (const seed of ['x', '-1', '1.5', '4294967296', '1e3']) {
      const { status, body } = await post(`/route/explain?seed=${seed}`, bodyOf({}));
      assert.equal(status, 400, seed);
      assert.equal((body as { error: { param: string } }).error.param, 'seed');
    }
  });
});

describe('what the request itself would be refused for, it is refused for here, in the same words', () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } };
  const refused: readonly (readonly [what: string, status: number, body: unknown, key?: string])[] = [
    ['nothing eligible', 400, bodyOf({ gateway: { only: ['beta'], zeroDataRetention: true } })],
    ['nothing under that price', 400, bodyOf({ gateway: { maxPrice: { input: 0.01 } } })],
    ['no such capability', 400, bodyOf({ gateway: { has: ['teleportation'] } })],
    ['an invalid option', 400, bodyOf({ gateway: { sort: 'colour' } })],
    [
      'content that the model cannot take',
      400,
      bodyOf({ model: 'test/blind', messages: [{ role: 'user', content: [image] }] }),
    ],
    ['no JSON', 400, '{'],
    ['no message', 400, { model: 'test/many', messages: [] }],
    ['no such model', 404, bodyOf({ model: 'test/none' })],
    ['no such fallback', 404, bodyOf({ gateway: { models: ['test/none'] } })],
    ['no chat model', 400, bodyOf({ model: 'test/vectors' })],
    ['a model that the key may not use', 403, bodyOf({}), LIMITED_KEY],
    ['an unknown key', 401, bodyOf({}), NOBODY_KEY],
    ['a body that is too large', 413, bodyOf({ messages: question('x'.repeat(100_001)) })],
  ];
  for (const [what, status, body, key] of refused) {
    test(what, async () => {
      const [told, real] = await Promise.all([post('/route/explain', body, key), post('/chat/completions', body, key)]);
      assert.equal(told.status, status, JSON.stringify(told.body));
      assert.deepEqual(told, real);
    });
  }

  test('unsatisfiable filters say which ruled out whom', async () => {
    const { body } = await post('/route/explain', bodyOf({ gateway: { only: ['beta'], zeroDataRetention: true } }));
    const { error } = body as { error: { code: string; message: string } };
    assert.equal(error.code, 'no_eligible_provider');
    for (const part of ['only', 'alpha:many', 'private:many', 'zeroDataRetention', 'beta:many']) {
      assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
    }
  });

  test('another method', async () => {
    const response = await fetch(`${stack.baseUrl}/route/explain`);
    assert.equal(response.status, 405);
    assert.equal(response.headers.get('allow'), 'POST, OPTIONS');
    await response.body?.cancel();
  });
});

test('nobody is called', async () => {
  const since = await stack.simulator().lastSeq();
  await Promise.all(Array.from({ length: 20 }, (_, seed) => explain({ model: 'test/even', seed, stream: true })));
  assert.deepEqual(await stack.simulator().requests({ since }), []);
});
