import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { type Stack, startStack } from '../support/stack.ts';
import { chat, question } from './chat-client.ts';
import { CREDENTIAL, configuration, targetOf } from './configuration.ts';
import { eventually } from './observe.ts';

const LIMITED_KEY = 'hg_limited_key_0123456789abcdef';

let stack: Stack;
let openai: OpenAI;

before(async () => {
  stack = await startStack({
    processes: 2,
    config: ([simulator]) => {
      const provider = { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: CREDENTIAL };
      return configuration(simulator, {
        keys: [{ name: 'limited', key: LIMITED_KEY, models: ['test/deep/*'] }],
        providers: {
          private: { ...provider, zeroDataRetention: true, noPromptTraining: true },
          google: { dialect: 'vertex', project: 'p', location: 'europe-west4', accessToken: CREDENTIAL },
        },
        models: [
          {
            id: 'test/full',
            name: 'Full',
            description: 'Everything is known of it.',
            contextWindow: 10_000,
            maxTokens: 500,
            inputModalities: ['text', 'image'],
            tags: ['vision', 'implicit-caching'],
            supportedParameters: ['temperature', 'tools'],
            endpoints: [
              {
                provider: 'private',
                model: 'full',
                quantization: 'fp8',
                contextWindow: 8_000,
                maxTokens: 400,
                pricing: {
                  input: '0.000003',
                  output: '0.000015',
                  inputCacheRead: '0.0000003',
                  inputCacheWrite: '0.00000375',
                },
              },
              { provider: 'google', model: 'full@1', pricing: { input: '0', output: '0.000001' } },
            ],
          },
          { id: 'test/full/endpoints', endpoints: [{ provider: 'alpha', model: 'named-so' }] },
          { id: 'test/deep/down/there', endpoints: [{ provider: 'alpha', model: 'deep' }] },
          {
            id: 'test/measured',
            endpoints: [
              { provider: 'alpha', model: 'measured' },
              { provider: 'beta', model: 'measured' },
              { provider: 'private', model: 'idle' },
            ],
          },
        ],
      });
    },
  });
  openai = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.key, maxRetries: 0 });
});

after(() => stack.stop());

interface Uptimes {
  readonly uptime_last_15m: number | null;
  readonly uptime_last_1h: number | null;
  readonly uptime_last_1d: number | null;
}

interface Endpoints {
  readonly data: Uptimes & {
    readonly id: string;
    readonly endpoints: readonly (Uptimes & {
      readonly tag: string;
      readonly status: number;
      readonly latency_last_1h: { readonly p50: number; readonly p95: number } | null;
      readonly throughput_last_1h: { readonly p50: number; readonly p95: number } | null;
    })[];
  };
}

const ask = (path: string): Promise<Endpoints> => openai.get<Endpoints>(`/models/${path}`);

async function raw(path: string, key?: string): Promise<{ status: number; body: unknown }> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(`${stack.baseUrl}/models/${path}`, { headers });
  return { status: response.status, body: await response.json() };
}

const NO_UPTIME: Uptimes = { uptime_last_15m: null, uptime_last_1h: null, uptime_last_1d: null };

test('all that is configured is told, and what is unknown is null', async () => {
  const common = {
    model_name: 'Full',
    max_prompt_tokens: null,
    supported_parameters: ['temperature', 'tools'],
    status: 0,
    ...NO_UPTIME,
    latency_last_1h: null,
    throughput_last_1h: null,
    supports_implicit_caching: true,
    tags: ['vision', 'implicit-caching'],
  };
  const unknownPrices = {
    request: null,
    image: null,
    image_output: null,
    web_search: null,
    internal_reasoning: null,
    discount: 0,
  };
  assert.deepEqual(await ask('test/full/endpoints'), {
    data: {
      id: 'test/full',
      name: 'Full',
      created: 0,
      description: 'Everything is known of it.',
      architecture: {
        tokenizer: null,
        instruct_type: null,
        modality: null,
        input_modalities: ['text', 'image'],
        output_modalities: [],
      },
      ...NO_UPTIME,
      endpoints: [
        {
          ...common,
          name: 'private | test/full',
          provider_name: 'private',
          tag: 'private:full',
          context_length: 8_000,
          max_completion_tokens: 400,
          quantization: 'fp8',
          pricing: {
            ...unknownPrices,
            prompt: '0.000003',
            completion: '0.000015',
            input_cache_read: '0.0000003',
            input_cache_write: '0.00000375',
          },
          has_zdr: true,
          has_no_training: true,
          inference_regions: null,
        },
        {
          ...common,
          name: 'google | test/full',
          provider_name: 'google',
          tag: 'google:full@1',
          context_length: 10_000,
          max_completion_tokens: 500,
          quantization: null,
          pricing: {
            ...unknownPrices,
            prompt: '0',
            completion: '0.000001',
            input_cache_read: null,
            input_cache_write: null,
          },
          has_zdr: false,
          has_no_training: false,
          inference_regions: ['europe-west4'],
        },
      ],
    },
  });
});

describe('slashes', () => {
  const spellings: readonly (readonly [path: string, id: string])[] = [
    ['test/one/endpoints', 'test/one'],
    ['test%2Fone/endpoints', 'test/one'],
    ['test%2Fone%2Fendpoints', 'test/one'],
    ['test/deep/down/there/endpoints', 'test/deep/down/there'],
    ['test%2Fdeep%2Fdown%2Fthere/endpoints', 'test/deep/down/there'],
    ['test%2Fdeep/down%2fthere/endpoints', 'test/deep/down/there'],
    // Of a model that is itself called so.
    ['test/full/endpoints', 'test/full'],
    ['test/full/endpoints/endpoints', 'test/full/endpoints'],
    ['test%2Ffull%2Fendpoints/endpoints', 'test/full/endpoints'],
  ];
  for (const [path, id] of spellings) {
    test(path, async () => {
      const { data } = await ask(path);
      assert.equal(data.id, id);
      assert.ok(data.endpoints.length > 0);
    });
  }

  test('the model of that name is found where the SDK encodes it, and plain models as before', async () => {
    assert.equal((await openai.models.retrieve('test/full/endpoints')).id, 'test/full/endpoints');
    assert.equal((await openai.models.retrieve('test/deep/down/there')).id, 'test/deep/down/there');
    assert.equal((await openai.models.retrieve('test/one')).object, 'model');
  });
});

test('a key sees the endpoints of the models that it may use, and others do not exist', async () => {
  assert.equal((await raw('test/deep/down/there/endpoints', LIMITED_KEY)).status, 200);
  const [hidden, absent] = await Promise.all([
    raw('test/full/endpoints', LIMITED_KEY),
    raw('test/none/endpoints', LIMITED_KEY),
  ]);
  assert.equal(hidden.status, 404);
  assert.equal(JSON.stringify(hidden.body).replaceAll('test/full', 'test/none'), JSON.stringify(absent.body));
  assert.deepEqual((absent.body as { error: { param: unknown } }).error.param, { modelId: 'test/none' });
  assert.equal((await raw('test/full/endpoints')).status, 401);
  assert.equal((await raw('test/%zz/endpoints', stack.key)).status, 400);
  await assert.rejects(openai.get('/models/test/none/endpoints'), OpenAI.NotFoundError);
  const posted = await fetch(`${stack.baseUrl}/models/test/one/endpoints`, { method: 'POST' });
  assert.equal(posted.status, 405);
  await posted.body?.cancel();
});

test('after traffic: uptime, latency and throughput of each endpoint, and of the model as clients saw it', async () => {
  const stream = (fault: string) =>
    chat(targetOf(stack), {
      model: 'test/measured',
      stream: true,
      messages: question(`${fault}[[sim tokens=40 tps=200 ttft=60]] Measure this.`),
    });
  for (let i = 0; i < 6; i++) assert.equal((await stream('')).headers['x-headgate-provider'], 'alpha');
  // Two attempts at alpha fail, beta answers: the client has not noticed.
  const rescued = await Promise.all([stream('[[sim status=500 for=measured times=2]] '), stream('')]);
  assert.deepEqual(
    rescued.map(({ status, headers }) => [status, headers['x-headgate-provider']]),
    [
      [200, 'beta'],
      [200, 'alpha'],
    ],
  );
  // What the caller is to blame for counts as an answer.
  assert.equal((await stream('[[sim status=400]] ')).status, 400);

  // Each process writes on its own time.
  const { data } = await eventually('statistics are written', async () => {
    const endpoints = await ask('test/measured/endpoints');
    const [first, second] = endpoints.data.endpoints;
    const isFailureIn = (first?.uptime_last_15m ?? 100) < 100;
    return isFailureIn && second?.uptime_last_15m !== null && first?.latency_last_1h ? endpoints : null;
  });
  const [alpha, beta, idle] = data.endpoints;
  assert.ok(alpha && beta && idle);
  assert.equal(beta.uptime_last_1h, 100);
  for (const uptime of [alpha.uptime_last_15m, alpha.uptime_last_1h, alpha.uptime_last_1d]) {
    assert.ok(uptime !== null && uptime > 50 && uptime < 100, `${uptime} percent`);
  }
  assert.ok(alpha.latency_last_1h && alpha.throughput_last_1h);
  const { p50, p95 } = alpha.latency_last_1h;
  assert.ok(p50 >= 50 && p50 < 400 && p95 >= p50, `${p50}, ${p95} ms to the first token`);
  const speed = alpha.throughput_last_1h;
  assert.ok(speed.p50 > 50 && speed.p50 < 300 && speed.p95 > 0, `${speed.p50}, ${speed.p95} tokens per second`);
  const { uptime_last_15m, uptime_last_1h, uptime_last_1d, latency_last_1h, throughput_last_1h, status } = idle;
  assert.deepEqual(
    [uptime_last_15m, uptime_last_1h, uptime_last_1d, latency_last_1h, throughput_last_1h, status],
    [null, null, null, null, null, 0],
    'nobody asked it',
  );
  assert.equal(data.uptime_last_15m, 100, 'every request was answered');
});

test('without Redis the configuration is told all the same, and soon', async () => {
  const before = await ask('test/full/endpoints');
  const soon = async (): Promise<void> => {
    const began = performance.now();
    assert.deepEqual(await ask('test/full/endpoints'), before);
    const ms = performance.now() - began;
    assert.ok(ms < 1_000, `took ${ms} ms`);
  };
  stack.redis.pause();
  try {
    await soon();
  } finally {
    stack.redis.resume();
  }
  await stack.redis.halt();
  await soon();
});
