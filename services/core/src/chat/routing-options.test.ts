import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../errors/index.ts';
import type { RoutingOptions } from '../routing/index.ts';
import { chatRequest } from './request.testing.ts';
import { readRoutingOptions } from './routing-options.ts';

const LONG = 'lang '.repeat(20_000);
const gateway = (options: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  ...more,
  providerOptions: { gateway: options },
});
const read = (body: Record<string, unknown>): RoutingOptions => readRoutingOptions(chatRequest(body));

function refusal(body: Record<string, unknown>): GatewayError {
  try {
    read(body);
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.status, 400);
    return error;
  }
  assert.fail('should be refused');
}

describe('providerOptions.gateway', () => {
  it('without options that decide the routing it is always the same empty object', () => {
    const none = read({});
    assert.deepEqual(none, {});
    assert.ok(Object.isFrozen(none));
    const others = {
      user: 'u',
      tags: ['t'],
      caching: 'auto',
      strict: true,
      models: ['c/d'],
      resume: 'off',
    };
    for (const options of [{}, others]) assert.equal(read(gateway(options)), none);
    assert.equal(read({ providerOptions: { openai: {} } }), none);
  });

  it('takes every option of WIRE 2.3', () => {
    const given = {
      order: ['a'],
      only: ['a', 'b'],
      ignore: ['c'],
      sort: 'ttft',
      has: ['vision', '!quantization:fp4'],
      maxPrice: { input: 3, output: '12.50' },
      zeroDataRetention: true,
      disallowPromptTraining: false,
      providerTimeouts: { byok: { a: 1_000, b: 789_000 } },
      affinity: { key: 'conversation-7' },
    };
    assert.deepEqual(read(gateway(given)), { ...given, maxPrice: { input: 3, output: 12.5 } });
    assert.deepEqual(read(gateway({ affinity: 'off', maxPrice: {} })), { affinity: 'off' });
  });

  it('tells of those without effect, and of no others', () => {
    const given = { quotaEntityId: 'q', speed: 'fast', serviceTier: 'flex', safetyIdentifier: 's', user: 'u' };
    const ignored = ['providerOptions.gateway.quotaEntityId', 'providerOptions.gateway.speed'];
    assert.deepEqual(read(gateway(given)), { ignored });
    assert.deepEqual(read(gateway({ sort: 'cost', sorted: 'ttft' })), {
      sort: 'cost',
      ignored: ['providerOptions.gateway.sorted'],
    });
  });

  const refused: [options: Record<string, unknown>, param: string, message: RegExp][] = [
    [{ sort: 'price' }, 'sort', /expected one of "cost"\|"ttft"\|"tps", got "price"$/],
    [{ has: 'vision' }, 'has', /expected array/],
    [{ has: [''] }, 'has.0', /has.0/],
    [{ order: [5] }, 'order.0', /expected string/],
    [{ maxPrice: { input: -1 } }, 'maxPrice.input', />=0, got -1/],
    [{ maxPrice: { output: '1e9' } }, 'maxPrice.output', /US dollars per million tokens/],
    [{ providerTimeouts: { byok: { a: 999 } } }, 'providerTimeouts.byok.a', />=1000, got 999/],
    [{ providerTimeouts: { byok: { a: 789_001 } } }, 'providerTimeouts.byok.a', /<=789000/],
    [{ maxPrice: { inputs: 1 } }, 'maxPrice.inputs', /unknown parameter 'providerOptions.gateway.maxPrice.inputs'/],
    [{ providerTimeouts: { openai: 5_000 } }, 'providerTimeouts.openai', /unknown parameter/],
    [{ affinity: { key: 'a', for: 3 } }, 'affinity.for', /unknown parameter/],
    [{ user: 'u'.repeat(257) }, 'user', /<=256 characters/],
    [{ tags: Array.from({ length: 11 }, (_, i) => `t${i}`) }, 'tags', /at most 10 distinct tags/],
    [{ tags: ['t'.repeat(65)] }, 'tags.0', /<=64 characters/],
    [{ tags: [''] }, 'tags.0', /tags/],
    [{ safetyIdentifier: 's'.repeat(65) }, 'safetyIdentifier', /<=64 characters/],
    [{ serviceTier: 'gold' }, 'serviceTier', /"flex"\|"priority"/],
    [{ caching: 'off' }, 'caching', /"auto"/],
    [{ resume: 'never' }, 'resume', /"off"\|"safe"\|"always"/],
    [{ affinity: 'on' }, 'affinity', /"auto" or "off" or object, got "on"/],
    [{ affinity: { key: '' } }, 'affinity', /affinity/],
    [{ zeroDataRetention: 'yes' }, 'zeroDataRetention', /expected boolean/],
  ];
  for (const [options, param, message] of refused) {
    it(`refuses ${JSON.stringify(options).slice(0, 60)}`, () => {
      const error = refusal(gateway(options));
      assert.match(error.message, message);
      assert.ok(error.param?.toString().startsWith(`providerOptions.gateway.${param}`), String(error.param));
    });
  }

  it('ten distinct tags may be said as often as one likes', () => {
    const tags = Array.from({ length: 30 }, (_, i) => `t${i % 10}`);
    const { outline } = chatRequest(gateway({ tags }));
    assert.deepEqual(outline.providerOptions?.gateway?.tags, tags.slice(0, 10));
  });
});

describe('byok', () => {
  const KEY = '-----BEGIN PRIVATE KEY-----\nTOP+SECRET/0123456789\n-----END PRIVATE KEY-----\n';

  it('every shape, in the terms of the catalog', () => {
    const byok = {
      openai: [
        { apiKey: 'sk-1' },
        { apiKey: 'sk-2', modelMappings: [{ gatewayModelSlug: 'a/b', customModelId: 'ft:b:1' }] },
      ],
      vertex: [
        { project: 'p', location: 'us-east5', googleCredentials: { privateKey: KEY, clientEmail: 'me@p.example' } },
      ],
      bedrock: [{ accessKeyId: 'AK', secretAccessKey: 'SK', region: 'eu-west-1', sessionToken: 'ST' }],
    };
    assert.deepEqual(read(gateway({ byok })).byok, {
      openai: [
        { credentials: { apiKey: 'sk-1' }, settings: {}, models: {} },
        { credentials: { apiKey: 'sk-2' }, settings: {}, models: { 'a/b': 'ft:b:1' } },
      ],
      vertex: [
        {
          credentials: {
            credentials: JSON.stringify({ type: 'service_account', client_email: 'me@p.example', private_key: KEY }),
          },
          settings: { project: 'p', location: 'us-east5' },
          models: {},
        },
      ],
      bedrock: [
        {
          credentials: { accessKeyId: 'AK', secretAccessKey: 'SK', sessionToken: 'ST' },
          settings: { region: 'eu-west-1' },
          models: {},
        },
      ],
    });
  });

  it('a long key in a large body is whole, and one with its line breaks written out is mended', () => {
    const long = `-----BEGIN PRIVATE KEY-----\n${'TOPSECRET0'.repeat(170)}\n-----END PRIVATE KEY-----\n`;
    const byok = { vertex: [{ googleCredentials: { privateKey: long.replaceAll('\n', '\\n'), clientEmail: 'e@x' } }] };
    const request = chatRequest(gateway({ byok }, { messages: [{ role: 'user', content: LONG }] }));
    assert.equal(request.shortened, true);
    const account = readRoutingOptions(request).byok?.vertex?.[0]?.credentials.credentials ?? '';
    assert.equal(JSON.parse(account).private_key, long);
  });

  it('what is bad only in the middle of a long string is refused, too', () => {
    const byok = { a: [{ apiKey: `${'k'.repeat(2_000)} ${'k'.repeat(2_000)}` }] };
    const error = refusal(gateway({ byok }, { messages: [{ role: 'user', content: LONG }] }));
    assert.equal(error.param, 'providerOptions.gateway.byok.a.0.apiKey');
  });

  const refused: [credential: unknown, at: string][] = [
    [{}, ''],
    [{ project: 'p', location: 'us-east5' }, ''],
    [{ accessKeyId: 'TOPSECRET' }, ''],
    ['TOPSECRET', ''],
    [{ apiKey: 12_345_678 }, '.apiKey'],
    [{ apiKey: '' }, '.apiKey'],
    [{ apiKey: 'TOPSECRET\r\nx-evil: 1' }, '.apiKey'],
    [{ apiKey: 'TOP SECRET' }, '.apiKey'],
    [{ googleCredentials: { privateKey: 'TOPSECRET' } }, '.googleCredentials.clientEmail'],
    [{ googleCredentials: 'TOPSECRET' }, '.googleCredentials'],
    [{ apiKey: 'TOPSECRET', region: 'evil.example/' }, '.region'],
    [{ apiKey: 'TOPSECRET', location: 'evil.example#' }, '.location'],
    [{ apiKey: 'TOPSECRET', location: '-' }, '.location'],
    [{ apiKey: 'TOPSECRET', project: '../x' }, '.project'],
    [
      { apiKey: 'TOPSECRET', modelMappings: [{ gatewayModelSlug: 'a', customModelId: 'x/../../y' }] },
      '.modelMappings.0.customModelId',
    ],
    [
      { apiKey: 'TOPSECRET', modelMappings: [{ gatewayModelSlug: 'a', customModelId: 'x?y' }] },
      '.modelMappings.0.customModelId',
    ],
  ];
  for (const [credential, at] of refused) {
    it(`refuses ${JSON.stringify(credential)} and does not repeat it`, () => {
      const error = refusal(gateway({ byok: { a: [{ apiKey: 'fine' }, credential] } }));
      assert.equal(error.param, `providerOptions.gateway.byok.a.1${at}`);
      assert.doesNotMatch(JSON.stringify(error.toBody()), /TOP|12345678|evil/);
    });
  }

  it('a million bad credentials are not looked at one by one', () => {
    const started = performance.now();
    const error = refusal(gateway({ byok: { a: new Array(1_000_000).fill(1) } }));
    assert.equal(error.param, 'providerOptions.gateway.byok.a.0');
    assert.ok(performance.now() - started < 5_000);
    const many = Array.from({ length: 11 }, () => ({ apiKey: 'k' }));
    assert.match(refusal(gateway({ byok: { a: many } })).message, /at most 10 credentials/);
  });
});

describe("OpenRouter's provider", () => {
  const router = (provider: unknown, more: Record<string, unknown> = {}): RoutingOptions => read({ ...more, provider });

  it('maps onto the same options', () => {
    const given = {
      order: ['a', 'b'],
      ignore: ['c'],
      data_collection: 'deny',
      zdr: true,
      quantizations: ['fp8'],
      sort: 'price',
      max_price: { prompt: '1', completion: 2 },
    };
    assert.deepEqual(router(given), {
      order: ['a', 'b'],
      ignore: ['c'],
      disallowPromptTraining: true,
      zeroDataRetention: true,
      quantizations: ['fp8'],
      sort: 'cost',
      maxPrice: { input: 1, output: 2 },
    });
    assert.deepEqual(router({ sort: { by: 'throughput', partition: 'none' } }), { sort: 'tps' });
    assert.deepEqual(router({ sort: 'latency' }), { sort: 'ttft' });
  });

  it('says nothing where it says nothing', () => {
    assert.equal(
      router({ data_collection: 'allow', zdr: false, allow_fallbacks: true, order: null, only: [] }),
      read({}),
    );
    assert.equal(router(null), read({}));
  });

  it('without fallbacks the order is all there is', () => {
    assert.deepEqual(router({ order: ['a', 'b'], allow_fallbacks: false }), { order: ['a', 'b'], only: ['a', 'b'] });
    const narrowed = router({ order: ['a', 'b'], only: ['b', 'c'], allow_fallbacks: false });
    assert.deepEqual(narrowed, { order: ['a', 'b'], only: ['b'] });
  });

  it('requires the parameters that the request has and the catalog knows', () => {
    const body = { temperature: 1, max_completion_tokens: 5, seed: null, verbosity: 'low', metadata: {} };
    assert.deepEqual(router({ require_parameters: true }, body), { requireParameters: ['temperature', 'max_tokens'] });
  });

  it('tells what has no effect', () => {
    const given = { preferred_min_throughput: 50, enforce_distillable_text: true, allow_fallbacks: false };
    assert.deepEqual([...(router(given).ignored ?? [])].sort(), [
      'provider.allow_fallbacks',
      'provider.enforce_distillable_text',
      'provider.preferred_min_throughput',
    ]);
  });

  it('is silent where providerOptions.gateway speaks', () => {
    const options = read({ provider: { order: ['x'], sort: 'price' }, ...gateway({ order: ['a'], speed: 'fast' }) });
    assert.deepEqual(options, { order: ['a'], sort: 'cost', ignored: ['providerOptions.gateway.speed'] });
  });

  it('refuses what OpenRouter refuses', () => {
    assert.equal(refusal({ provider: { sort: 'cheap' } }).param, 'provider.sort');
    assert.equal(refusal({ provider: { data_collection: 'maybe' } }).param, 'provider.data_collection');
  });
});
