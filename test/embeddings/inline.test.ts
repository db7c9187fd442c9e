import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import OpenAI from 'openai';
import type { EmbeddingCreateParams } from 'openai/resources/embeddings';
import { eventually } from '../resilience/observe.ts';
import { type Stack, startStack } from '../support/stack.ts';

// POST /v1/embeddings by the SDK that people use, answered without the queue.

const SMALL = 'openai/text-embedding-3-small';
const PRICE = { input: '0.00000002' };

const FAULTS = [
  ['500', { status: 500 }],
  ['429', { status: 429, 'retry-after': 30 }],
  ['silence', { hang: true }],
  ['a torn answer', { cut: 1 }],
] as const;

interface Metadata {
  readonly routing: {
    readonly originalModelId: string;
    readonly finalProvider: string;
    readonly totalProviderAttemptCount: number;
    readonly attempts: readonly {
      readonly provider: string;
      readonly success: boolean;
      readonly statusCode?: number;
    }[];
  };
  readonly cost: string;
  readonly generationId: string;
}
type Answer = OpenAI.CreateEmbeddingResponse & { readonly providerMetadata: { readonly gateway: Metadata } };

suite('embeddings without the queue', () => {
  let stack: Stack;
  let client: OpenAI;
  let direct: OpenAI;

  before(async () => {
    stack = await startStack({
      simulators: 2,
      config: ([first, second]) => ({
        auth: {
          keys: [
            { name: 'few', key: 'hg_few_embeddings_0123456789', limits: { requestsPerMinute: 1 } },
            {
              name: 'poor',
              key: 'hg_poor_embeddings_0123456789',
              budget: { usd: '0.0000001', window: 'day', mode: 'hard' },
            },
          ],
        },
        providers: {
          alpha: { dialect: 'openai', baseUrl: first?.baseUrl, apiKey: 'sk-simulated' },
          // What a test does to the health of its provider is no other test's concern.
          ...Object.fromEntries(
            FAULTS.map((_, i) => [
              `alpha-${i}`,
              { dialect: 'openai', baseUrl: first?.baseUrl, apiKey: 'sk-simulated', timeouts: { firstTokenMs: 400 } },
            ]),
          ),
          cohere: { dialect: 'cohere', baseUrl: first?.url, apiKey: 'simulated' },
          beta: { dialect: 'openai', baseUrl: second?.baseUrl, apiKey: 'sk-simulated' },
        },
        models: [
          {
            id: SMALL,
            type: 'embedding',
            endpoints: [
              { provider: 'alpha', model: 'text-embedding-3-small', pricing: PRICE },
              { provider: 'beta', model: 'text-embedding-3-small', pricing: PRICE },
            ],
          },
          {
            id: 'openai/text-embedding-3-large',
            type: 'embedding',
            endpoints: [{ provider: 'beta', model: 'text-embedding-3-large', pricing: PRICE }],
          },
          {
            id: 'test/broken',
            type: 'embedding',
            endpoints: [{ provider: 'alpha', model: 'broken', pricing: PRICE }],
          },
          ...FAULTS.map((_, i) => ({
            id: `test/fault-${i}`,
            type: 'embedding',
            endpoints: [`alpha-${i}`, 'beta'].map((provider) => ({ provider, model: 'text-embedding-3-small' })),
          })),
          {
            id: 'test/cohere-first',
            type: 'embedding',
            endpoints: [
              { provider: 'cohere', model: 'embed-v4.0' },
              { provider: 'beta', model: 'text-embedding-3-small' },
            ],
          },
          { id: 'test/chat', endpoints: [{ provider: 'alpha', model: 'gpt-4.1-mini' }] },
        ],
      }),
    });
    client = sdk(stack.key);
    direct = new OpenAI({ apiKey: 'sk-simulated', baseURL: stack.simulator().baseUrl, maxRetries: 0 });
  });
  after(() => stack?.stop());
  afterEach(async () => {
    await Promise.all(stack.simulators.map((simulator) => simulator.clearFaults()));
  });

  const sdk = (apiKey: string) => new OpenAI({ apiKey, baseURL: stack.baseUrl, maxRetries: 0 });
  const embed = async (params: Partial<EmbeddingCreateParams> & Record<string, unknown> = {}, from = client) =>
    (await from.embeddings.create({ model: SMALL, input: 'Sunny day at the beach', ...params })) as Answer;
  const own = (params: Partial<EmbeddingCreateParams> = {}) =>
    direct.embeddings.create({ model: 'text-embedding-3-small', input: 'Sunny day at the beach', ...params });
  const vectors = ({ data }: OpenAI.CreateEmbeddingResponse) => data.map(({ embedding }) => Array.from(embedding));

  const raw = (body: string | object, key = stack.key, signal: AbortSignal | null = null) =>
    fetch(`${stack.baseUrl}/embeddings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      signal,
    });

  test('every form of input, in both encodings, is the provider’s own to the bit', async () => {
    const inputs: EmbeddingCreateParams['input'][] = ['Rain', ['Rain', 'Sun', 'Rain'], [1, 2, 3], [[1, 2], [3]]];
    for (const input of inputs) {
      for (const format of [{}, { encoding_format: 'float' }, { encoding_format: 'base64' }] as const) {
        const [ours, theirs] = await Promise.all([embed({ input, ...format }), own({ input, ...format })]);
        assert.deepEqual(ours.data, theirs.data);
        assert.deepEqual(ours.usage, theirs.usage);
      }
    }
  });

  test('dimensions are the provider’s own, too', async () => {
    const [ours, theirs] = await Promise.all([embed({ dimensions: 256 }), own({ dimensions: 256 })]);
    assert.equal(ours.data[0]?.embedding.length, 256);
    assert.deepEqual(vectors(ours), vectors(theirs));
    await assert.rejects(embed({ dimensions: 1537 }), OpenAI.BadRequestError);
  });

  test('more than one call takes keep their order', async () => {
    const input = Array.from({ length: 2_100 }, (_, i) => `text ${i}`);
    const before = await stack.simulator().lastSeq();
    const answer = await embed({ input, dimensions: 8 });
    assert.deepEqual(
      answer.data.map(({ index }) => index),
      input.map((_, i) => i),
    );
    const calls = await stack.simulator().requests({ since: before, path: '/v1/embeddings' });
    assert.equal(calls.length, 2);
    const some = [0, 1, 2_047, 2_048, 2_099];
    const theirs = await own({ input: some.map((i) => `text ${i}`), dimensions: 8 });
    assert.deepEqual(
      some.map((i) => Array.from(answer.data[i]?.embedding ?? [])),
      vectors(theirs),
    );
    assert.equal(answer.usage.prompt_tokens, answer.usage.total_tokens);
  });

  test('the answer has the seed’s shape, its headers and a record in the ledger', async () => {
    const response = await raw({ model: SMALL, input: 'Sunny day at the beach' });
    assert.equal(response.status, 200);
    const body = (await response.json()) as Answer;
    assert.deepEqual(Object.keys(body), ['object', 'data', 'model', 'usage', 'providerMetadata']);
    assert.equal(body.object, 'list');
    assert.equal(body.model, SMALL);
    const { cost, generationId, routing } = body.providerMetadata.gateway;
    assert.equal(Number(cost).toFixed(12), (body.usage.prompt_tokens * 0.00000002).toFixed(12));
    assert.equal(routing.originalModelId, SMALL);
    assert.equal(routing.finalProvider, 'alpha');
    assert.equal(routing.attempts.length, 1);
    assert.equal(response.headers.get('x-generation-id'), generationId);
    assert.equal(response.headers.get('x-headgate-provider'), 'alpha');
    assert.match(response.headers.get('server-timing') ?? '', /upstream/);
    const record = await eventually('the ledger has it', async () => {
      const found = await fetch(`${stack.baseUrl}/generation?id=${generationId}`, {
        headers: { authorization: `Bearer ${stack.key}` },
      });
      return found.ok ? ((await found.json()) as { data: Record<string, unknown> }).data : undefined;
    });
    assert.equal(record.tokens_prompt, body.usage.prompt_tokens);
    assert.equal(record.tokens_completion, 0);
    assert.equal(record.model, SMALL);
    assert.equal(record.provider_name, 'alpha');
  });

  for (const [i, [name, fault]] of FAULTS.entries()) {
    test(`${name}: another provider of the model takes over`, async () => {
      await stack.simulator(0).fault({ match: { path: '/v1/embeddings' }, fault, times: null });
      const answer = await embed({ model: `test/fault-${i}` });
      assert.deepEqual(vectors(answer), vectors(await directTo(1)));
      const { attempts, finalProvider } = answer.providerMetadata.gateway.routing;
      assert.equal(attempts[0]?.provider, `alpha-${i}`);
      assert.equal(attempts[0]?.success, false);
      assert.equal(finalProvider, 'beta');
    });
  }

  const directTo = (index: number) =>
    new OpenAI({ apiKey: 'sk-simulated', baseURL: stack.simulator(index).baseUrl }).embeddings.create({
      model: 'text-embedding-3-small',
      input: 'Sunny day at the beach',
    });

  test('what a provider has no word for is asked of the next one: token ids, other sizes', async () => {
    const providerFor = async (given: Partial<EmbeddingCreateParams>) =>
      (await embed({ model: 'test/cohere-first', ...given })).providerMetadata.gateway.routing.finalProvider;
    assert.equal(await providerFor({}), 'cohere');
    assert.equal(await providerFor({ input: [1, 2, 3] }), 'beta');
    assert.equal(await providerFor({ dimensions: 5 }), 'beta');
  });

  test('another model takes the whole request, where the first one has nobody left', async () => {
    await stack.simulator(0).fault({ match: { model: 'broken' }, fault: { status: 500 }, times: null });
    const models = ['openai/text-embedding-3-large'];
    const answer = await embed({ model: 'test/broken', providerOptions: { gateway: { models } } });
    assert.equal(answer.model, models[0]);
    assert.equal(answer.data[0]?.embedding.length, 3_072);
  });

  test('limits and budgets hold as for chats', async () => {
    const few = 'hg_few_embeddings_0123456789';
    assert.equal((await raw({ model: SMALL, input: 'a' }, few)).headers.get('x-ratelimit-limit-requests'), '1');
    const refused = await raw({ model: SMALL, input: 'a' }, few);
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    const poor = 'hg_poor_embeddings_0123456789';
    assert.equal((await raw({ model: SMALL, input: 'word '.repeat(100) }, poor)).status, 402);
  });

  test('bad requests are told what is wrong with them', async () => {
    const cases: readonly (readonly [body: string | object, param: string | null, code: string])[] = [
      ['', null, 'empty_body'],
      ['{"model":', null, 'invalid_json'],
      ['[]', null, 'invalid_type'],
      [{ input: 'a' }, 'model', 'missing_parameter'],
      [{ model: SMALL }, 'input', 'missing_parameter'],
      [{ model: SMALL, input: '' }, 'input', 'empty_input'],
      [{ model: SMALL, input: [] }, 'input', 'empty_input'],
      [{ model: SMALL, input: ['a', ''] }, 'input.1', 'empty_input'],
      [{ model: SMALL, input: ['a', 1] }, 'input.1', 'invalid_type'],
      [{ model: SMALL, input: [1, 'a'] }, 'input.1', 'invalid_type'],
      [{ model: SMALL, input: [1, -1] }, 'input.1', 'invalid_value'],
      [{ model: SMALL, input: [[1], [1.5]] }, 'input.1.0', 'invalid_value'],
      [{ model: SMALL, input: [[1], []] }, 'input.1', 'empty_input'],
      [{ model: SMALL, input: { a: 1 } }, 'input', 'invalid_type'],
      [{ model: SMALL, input: Array(10_001).fill('a') }, 'input', 'too_many_items'],
      [{ model: SMALL, input: 'a', encoding_format: 'hex' }, 'encoding_format', 'invalid_value'],
      [{ model: SMALL, input: 'a', dimensions: 0 }, 'dimensions', 'invalid_range'],
      [{ model: 'test/chat', input: 'a' }, 'model', 'unsupported_model_type'],
    ];
    for (const [body, param, code] of cases) {
      const response = await raw(body);
      const { error } = (await response.json()) as { error: { param: unknown; code: string; type: string } };
      const { type, ...told } = { type: error.type, param: error.param, code: error.code };
      assert.deepEqual(
        { ...told, type, status: response.status },
        {
          param,
          code,
          type: 'invalid_request_error',
          status: 400,
        },
      );
    }
    assert.equal((await raw({ model: 'no/such', input: 'a' })).status, 404);
    await assert.rejects(
      client.chat.completions.create({ model: SMALL, messages: [{ role: 'user', content: 'Hi' }] }),
      /v1\/embeddings/,
    );
  });

  test('a client that leaves takes its calls with it', async () => {
    const since = await stack.simulator(0).lastSeq();
    await stack.simulator(0).fault({ match: { path: '/v1/embeddings' }, fault: { ttft: 20_000 }, times: null });
    const leaving = new AbortController();
    const body = { model: 'test/broken', input: 'a' };
    const request = raw(body, stack.key, leaving.signal);
    await stack.simulator(0).received({ since, path: '/v1/embeddings' });
    leaving.abort();
    await assert.rejects(request);
    await stack.simulator(0).received({ since, path: '/v1/embeddings', aborted: true });
  });
});
