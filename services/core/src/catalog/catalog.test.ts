import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { equals } from '@bufbuild/protobuf';
import { RoutingSnapshotSchema } from '@headgate/proto/snapshot';
import { type Environment, loadConfig } from '../config/index.ts';
import { BUILTIN_MODELS, DEFAULT_FILES, type RoutingTable, resolveSnapshot, toRoutingTable } from './index.ts';

const cwd = mkdtempSync(join(tmpdir(), 'headgate-catalog-'));
after(() => rmSync(cwd, { recursive: true }));

const SIMULATED = { HEADGATE_SIMULATOR_URL: 'http://127.0.0.1:9900' };
const DATE = new Date('2025-12-01');

/** JSON for sealing: these tests are not about encryption. */
const seal = (_provider: string, credentials: Readonly<Record<string, string>>) =>
  Buffer.from(JSON.stringify(credentials));
const open = (_provider: string, sealed: Uint8Array) => JSON.parse(Buffer.from(sealed).toString());

function snapshot(yaml: string, env: Environment) {
  writeFileSync(join(cwd, 'headgate.yaml'), yaml);
  return resolveSnapshot(loadConfig({ env, cwd }).config, { env, seal, date: DATE });
}

function table(yaml: string, env: Environment = {}): RoutingTable {
  return toRoutingTable(snapshot(yaml, env), 7, 'digest', open);
}

function model(routing: RoutingTable, id: string) {
  const found = routing.models.get(id);
  assert.ok(found !== undefined, `${id} is not among ${[...routing.models.keys()]}`);
  return found;
}

function card(routing: RoutingTable, id: string) {
  return JSON.parse(model(routing, id).cardJson);
}

describe('the built-in models', () => {
  test('have ids of the right form, each once, and at least one endpoint', () => {
    const ids = BUILTIN_MODELS.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    for (const { id, endpoints, released } of BUILTIN_MODELS) {
      assert.match(id, /^[a-z]+\/[a-z0-9.-]+$/);
      assert.ok(endpoints.length > 0, id);
      assert.ok(released === undefined || !Number.isNaN(Date.parse(released)), id);
    }
  });

  test('have a price where they are asked first', () => {
    const routing = table('', SIMULATED);
    for (const entry of routing.models.values()) assert.ok(entry.endpoints[0]?.pricing?.input, entry.id);
  });
});

describe('without a provider', () => {
  test('the simulator stands in for every model, under the public id', () => {
    const routing = table('', SIMULATED);
    assert.equal(routing.simulated, true);
    assert.equal(routing.models.size, BUILTIN_MODELS.length);
    const [endpoint] = model(routing, 'anthropic/claude-sonnet-4').endpoints;
    assert.equal(endpoint?.key, 'simulator:anthropic/claude-sonnet-4');
    assert.equal(endpoint?.provider.dialect, 'openai');
    assert.equal(endpoint?.provider.baseUrl, 'http://127.0.0.1:9900/v1');
    assert.deepEqual(endpoint?.provider.credentials, { apiKey: 'simulator' });
  });

  test('and without a simulator it says what to set', () => {
    assert.throws(() => table('', {}), /HEADGATE_SIMULATOR_URL: no provider is configured.*OPENAI_API_KEY/s);
  });
});

describe('without a file', () => {
  test('each provider whose usual variable is set serves its models', () => {
    const routing = table('', {
      ...SIMULATED,
      OPENAI_API_KEY: 'k1',
      GOOGLE_API_KEY: 'k2',
      GROQ_API_KEY: 'k3',
      MISTRAL_API_KEY: '',
    });
    assert.equal(routing.simulated, false);
    assert.deepEqual([...routing.providers.keys()], ['openai', 'gemini', 'groq']);
    assert.deepEqual(routing.providers.get('gemini')?.credentials, { apiKey: 'k2' });
    assert.ok(!routing.models.has('anthropic/claude-sonnet-4'));
    assert.deepEqual(
      model(routing, 'openai/gpt-4o').endpoints.map(({ key }) => key),
      ['openai:gpt-4o'],
    );
    assert.deepEqual(
      model(routing, 'meta/llama-3.3-70b').endpoints.map(({ key }) => key),
      ['groq:llama-3.3-70b-versatile'],
    );
  });

  test('base URL variables are honoured, without their trailing slash', () => {
    const env = { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://127.0.0.1:1/v1/' };
    assert.equal(table('', env).providers.get('openai')?.baseUrl, 'http://127.0.0.1:1/v1');
    assert.throws(() => table('', { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'nope' }), /OPENAI_BASE_URL: found "nope"/);
  });
});

describe('a file with providers but no models', () => {
  test('offers the built-in models that they serve, several providers in the order of the catalog', () => {
    const routing = table(
      'providers: { openrouter: { apiKey: a }, anthropic: { apiKey: b }, claude-eu: { dialect: anthropic, apiKey: c } }',
    );
    assert.deepEqual(
      model(routing, 'anthropic/claude-sonnet-4').endpoints.map(({ key }) => key),
      [
        'anthropic:claude-sonnet-4-20250514',
        'claude-eu:claude-sonnet-4-20250514',
        'openrouter:anthropic/claude-sonnet-4',
      ],
    );
    assert.ok(!routing.models.has('openai/text-embedding-3-small'));
  });

  test('that serve none is an error', () => {
    assert.throws(
      () => table('providers: { mine: { dialect: openai, baseUrl: "http://127.0.0.1/v1" } }'),
      /models: found nothing, expected a list of models: no built-in model is served by mine/,
    );
  });
});

describe('providers', () => {
  test('well-known names bring dialect and base URL; vertex and bedrock get theirs from the location', () => {
    const { providers } = table(
      [
        'providers:',
        '  mistral: { apiKey: k }',
        '  xai: { apiKey: k, baseUrl: "http://127.0.0.1:2/v1/" }',
        '  vertex: { project: p, location: us-east5, credentials: { type: service_account, private_key: s } }',
        '  bedrock: { region: eu-west-1, secretAccessKey: s, accessKeyId: a }',
        '  azure: { baseUrl: "https://r.example.com", apiKey: k, apiVersion: "2024-10-21" }',
        '  local: { dialect: openai, baseUrl: "http://127.0.0.1:3/v1", apiKey: none }',
      ].join('\n'),
    );
    const seen = Object.fromEntries([...providers].map(([name, { dialect, baseUrl }]) => [name, [dialect, baseUrl]]));
    assert.deepEqual(seen, {
      mistral: ['openai', 'https://api.mistral.ai/v1'],
      xai: ['openai', 'http://127.0.0.1:2/v1'],
      vertex: ['vertex', 'https://us-east5-aiplatform.googleapis.com'],
      bedrock: ['bedrock', 'https://bedrock-runtime.eu-west-1.amazonaws.com'],
      azure: ['azure', 'https://r.example.com'],
      local: ['openai', 'http://127.0.0.1:3/v1'],
    });
    assert.deepEqual(providers.get('vertex')?.settings, { location: 'us-east5', project: 'p' });
    assert.deepEqual(providers.get('vertex')?.credentials, {
      credentials: '{"type":"service_account","private_key":"s"}',
    });
    assert.deepEqual(providers.get('bedrock')?.credentials, { accessKeyId: 'a', secretAccessKey: 's' });
    assert.deepEqual(providers.get('azure')?.settings, { apiVersion: '2024-10-21' });
    assert.deepEqual(providers.get('local')?.credentials, {});
  });

  test('the usual variable fills in for a missing key, but never goes to a base URL of the file', () => {
    const env = { MISTRAL_API_KEY: 'from-env' };
    assert.deepEqual(table('providers: { mistral: {} }', env).providers.get('mistral')?.credentials, {
      apiKey: 'from-env',
    });
    const elsewhere = table('providers: { mistral: { baseUrl: "http://127.0.0.1:4/v1" } }', env);
    assert.deepEqual(elsewhere.providers.get('mistral')?.credentials, {});
  });
});

describe('models of the file', () => {
  const yaml = [
    'timeouts: { connectMs: 1, firstTokenMs: 2, streamStallMs: 3 }',
    'providers:',
    '  openai: { apiKey: k, timeouts: { firstTokenMs: 20 }, zeroDataRetention: true, noPromptTraining: true }',
    '  local: { dialect: openai, baseUrl: "http://127.0.0.1:3/v1", noPromptTraining: true }',
    'models:',
    '  - id: openai/gpt-4o',
    '    description: ours',
    '    endpoints:',
    '      - { provider: openai, model: gpt-4o, timeouts: { streamStallMs: 300 } }',
    '      - { provider: local, model: gpt-4o }',
    '  - id: acme/house',
    '    type: embedding',
    '    name: House',
    '    contextWindow: 10',
    '    maxTokens: 5',
    '    pricing: { input: "0.0000001" }',
    '    endpoints: [{ provider: local, model: h, pricing: { input: "0.5" } }, { provider: openai, model: gpt-4o }]',
  ].join('\n');

  test('take what they leave open from the built-in model of that id', () => {
    const routing = table(yaml);
    assert.deepEqual([...routing.models.keys()], ['openai/gpt-4o', 'acme/house']);
    assert.equal(card(routing, 'openai/gpt-4o').description, 'ours');
    assert.equal(card(routing, 'openai/gpt-4o').context_window, 128_000);
    assert.equal(model(routing, 'openai/gpt-4o').maxOutputTokens, 16_384);
    assert.equal(model(routing, 'acme/house').type, 'embedding');
  });

  test('timeouts: endpoint over provider over file', () => {
    const [first, second] = model(table(yaml), 'openai/gpt-4o').endpoints;
    assert.deepEqual(first?.timeouts, { connectMs: 1, firstTokenMs: 20, streamStallMs: 300 });
    assert.deepEqual(second?.timeouts, { connectMs: 1, firstTokenMs: 2, streamStallMs: 3 });
  });

  test('prices: endpoint over model over list price, unknown stays unknown', () => {
    const routing = table(yaml);
    const prices = (id: string) => model(routing, id).endpoints.map(({ pricing }) => pricing?.input ?? null);
    assert.deepEqual(prices('openai/gpt-4o'), ['0.0000025', null]);
    assert.deepEqual(prices('acme/house'), ['0.5', '0.0000001']);
    assert.deepEqual(card(routing, 'acme/house').pricing, { input: '0.0000001' });
  });

  test('the card says what is known and nothing else', () => {
    const routing = table(yaml);
    assert.deepEqual(card(routing, 'acme/house'), {
      id: 'acme/house',
      object: 'model',
      created: 0,
      owned_by: 'acme',
      name: 'House',
      context_window: 10,
      max_tokens: 5,
      type: 'embedding',
      tags: [],
      pricing: { input: '0.0000001' },
      zdr: 'some',
      no_training: 'all',
    });
    assert.deepEqual(card(routing, 'openai/gpt-4o'), {
      id: 'openai/gpt-4o',
      object: 'model',
      created: 1715558400,
      released: 1715558400,
      owned_by: 'openai',
      name: 'GPT-4o',
      description: 'ours',
      context_window: 128_000,
      max_tokens: 16_384,
      type: 'language',
      modalities: { input: ['text', 'image', 'file'], output: ['text'] },
      tags: ['tool-use', 'vision', 'file-input', 'implicit-caching'],
      pricing: { input: '0.0000025', output: '0.00001', input_cache_read: '0.00000125' },
      supported_parameters: [
        'max_tokens',
        'temperature',
        'top_p',
        'stop',
        'frequency_penalty',
        'presence_penalty',
        'seed',
        'logit_bias',
        'logprobs',
        'top_logprobs',
        'tools',
        'tool_choice',
        'response_format',
      ],
      zdr: 'some',
      no_training: 'all',
    });
  });
});

describe('the routing table', () => {
  test('carries version, digest and server policy', () => {
    const routing = table(
      'server: { maxBodyBytes: 2048, cors: { origins: [] } }\nnetwork: { allowPrivateFileUrls: true }',
      SIMULATED,
    );
    assert.equal(routing.version, 7);
    assert.equal(routing.digest, 'digest');
    assert.equal(routing.allowPrivateFileUrls, true);
    assert.deepEqual(routing.server, {
      maxBodyBytes: 2048,
      requestTimeoutMs: 600_000,
      keepAliveCommentMs: 15_000,
      corsOrigins: [],
      drainAborted: { when: 'billed', maxMs: 30_000, maxConcurrent: 64 },
    });
  });

  test('is not made of a snapshot that names a provider it does not have', () => {
    const broken = snapshot('', SIMULATED);
    broken.providers = [];
    assert.throws(() => toRoutingTable(broken, 1, 'd', open), /names the provider simulator, which is not there/);
  });

  test('equal input gives equal snapshots', () => {
    const env = { OPENAI_API_KEY: 'k' };
    assert.ok(equals(RoutingSnapshotSchema, snapshot('', env), snapshot('', env)));
  });
});

describe('files', () => {
  test('are kept in Redis where nothing else is said', () => {
    assert.deepEqual(table('', SIMULATED).files, DEFAULT_FILES);
  });

  test('go to a bucket, its credentials sealed on their way', () => {
    const yaml = `files: { store: s3, bucket: b, endpoint: "http://127.0.0.1:1", accessKeyId: AKID, secretAccessKey: shh, maxFileBytes: 5 }`;
    assert.deepEqual(table(yaml, SIMULATED).files, {
      ...DEFAULT_FILES,
      store: 's3',
      maxFileBytes: 5,
      s3: {
        bucket: 'b',
        region: 'us-east-1',
        endpoint: 'http://127.0.0.1:1',
        forcePathStyle: true,
        prefix: 'headgate/',
        credentials: { accessKeyId: 'AKID', secretAccessKey: 'shh' },
      },
    });
    const { s3 } = table('files: { store: s3, bucket: b, region: eu-west-1 }', SIMULATED).files;
    assert.deepEqual([s3?.region, s3?.endpoint, s3?.forcePathStyle, s3?.credentials], ['eu-west-1', '', false, {}]);
  });

  test('need a bucket to go to, and both halves of a key', () => {
    assert.throws(() => table('files: { store: s3 }', SIMULATED), /files.bucket: found nothing/);
    assert.throws(
      () => table('files: { store: s3, bucket: b, accessKeyId: AKID }', SIMULATED),
      /files.secretAccessKey: found nothing, expected accessKeyId and secretAccessKey together/,
    );
    assert.throws(() => table('files: { maxFileBytes: 0 }', SIMULATED), /files.maxFileBytes/);
  });
});
