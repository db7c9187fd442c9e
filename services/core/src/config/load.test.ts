// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is what is tested here

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ConfigError, type Environment, loadBootstrap, loadConfig } from './index.ts';

const cwd = mkdtempSync(join(tmpdir(), 'headgate-config-'));
after(() => rmSync(cwd, { recursive: true }));

function load(yaml: string, env: Environment = {}) {
  writeFileSync(join(cwd, 'headgate.yaml'), yaml);
  return loadConfig({ env, cwd });
}

/** What is wrong with a file, without the directory it stands in. */
function problems(yaml: string, env: Environment = {}): string[] {
  try {
    load(yaml, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim().replace(`${cwd}/`, ''));
  }
  return [];
}

describe('a mistake is told with its place, what was found and what is expected', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    [
      'a number out of range',
      'server:\n  port: 99999\n',
      ['headgate.yaml:2:9 server.port: found 99999, expected a TCP port from 0 to 65535'],
    ],
    [
      'a text where a number belongs',
      'server: { maxBodyBytes: lots }',
      [
        'headgate.yaml:1:25 server.maxBodyBytes: found "lots", expected a whole number of bytes from 1024 to 1073741824',
      ],
    ],
    [
      'an unknown key near a known one',
      'providers:\n  openai:\n    baseURL: http://127.0.0.1/v1\n',
      ['headgate.yaml:3:5 providers.openai.baseURL: unknown key; did you mean "baseUrl"?'],
    ],
    [
      'an unknown section',
      'modles: []\nserver: {}\n',
      ['headgate.yaml:1:1 modles: unknown key; did you mean "models"?'],
    ],
    [
      'an unknown key near nothing',
      'limits: { zzzzzzzz: 1 }',
      ['headgate.yaml:1:11 limits.zzzzzzzz: unknown key; known here: onRedisLoss, groups, users, models, providers'],
    ],
    [
      'a misspelt choice',
      'providers: { a: { dialect: antropic } }',
      [
        'headgate.yaml:1:28 providers.a.dialect: found "antropic", expected one of openai, anthropic, gemini, vertex, bedrock, azure, cohere, voyage; did you mean "anthropic"?',
      ],
    ],
    [
      'a URL that is none',
      'providers: { openai: { baseUrl: "htp://x" } }',
      [
        'headgate.yaml:1:33 providers.openai.baseUrl: found "htp://x", expected an http(s) URL such as https://api.example.com/v1',
      ],
    ],
    [
      'a provider that has to say what it is',
      'providers: { mistrall: { apiKey: k } }',
      [
        'headgate.yaml:1:24 providers.mistrall.dialect: found nothing, expected the language that this provider speaks, such as openai, or a well-known provider name; did you mean "mistral"?',
      ],
    ],
    [
      'an unknown provider without a base URL never falls back to OpenAI',
      'providers: { local: { dialect: openai, apiKey: k } }',
      [
        'headgate.yaml:1:21 providers.local.baseUrl: found nothing, expected an http(s) URL such as https://api.example.com/v1',
      ],
    ],
    [
      'vertex without a project, bedrock with half of its credentials',
      'providers:\n  vertex: { location: us-east5 }\n  bedrock: { region: us-east-1, accessKeyId: AKIASECRET }\n',
      [
        'headgate.yaml:2:11 providers.vertex.project: found nothing, expected a Google Cloud project id',
        'headgate.yaml:3:12 providers.bedrock.secretAccessKey: found nothing, expected accessKeyId and secretAccessKey together',
      ],
    ],
    [
      'a model id without a creator, and no endpoint',
      'models:\n  - { id: gpt-4o, endpoints: [] }\n',
      [
        'headgate.yaml:2:11 models.0.id: found "gpt-4o", expected a model id of the form creator/name, such as anthropic/claude-sonnet-4',
        'headgate.yaml:2:30 models.0.endpoints: found an empty list, expected at least one endpoint ({ provider, model })',
      ],
    ],
    [
      'an endpoint at a provider that is not there',
      'providers: { mistral: { apiKey: k } }\nmodels:\n  - id: a/b\n    endpoints:\n      - { provider: mistrl, model: x }\n',
      [
        'headgate.yaml:5:21 models.0.endpoints.0.provider: found "mistrl", expected the name of a configured provider; did you mean "mistral"?',
      ],
    ],
    [
      'the same id, the same endpoint twice',
      'providers: { mistral: {} }\nmodels:\n  - { id: a/b, endpoints: [{ provider: mistral, model: x }, { provider: mistral, model: x }] }\n  - { id: a/b, endpoints: [{ provider: mistral, model: y }] }\n',
      [
        'headgate.yaml:3:61 models.0.endpoints.1: found the same provider and model as endpoints.0, expected each endpoint once',
        'headgate.yaml:4:11 models.1.id: found "a/b", already the id of models.0; expected each id once',
      ],
    ],
    [
      'keys that are the same, or are two, or none',
      'auth:\n  keys:\n    - { name: a, key: same }\n    - { name: a, key: other }\n    - { name: b, key: same }\n    - { name: c }\n    - { name: d, key: x, keyHash: ' +
        `"${'0'.repeat(64)}" }\n`,
      [
        'headgate.yaml:4:15 auth.keys.1.name: found "a", already the name of auth.keys.0; expected a name of its own',
        'headgate.yaml:5:23 auth.keys.2.key: found the same key as auth.keys.0, expected a key of its own',
        'headgate.yaml:6:7 auth.keys.3: found neither key nor keyHash, expected one of the two',
        'headgate.yaml:7:7 auth.keys.4: found both key and keyHash, expected one of the two',
      ],
    ],
    [
      'an expiry that is no date',
      'auth: { keys: [{ name: a, key: k, expiresAt: tomorrow }] }',
      [
        'headgate.yaml:1:46 auth.keys.0.expiresAt: found "tomorrow", expected a date such as 2027-01-31 (00:00 UTC) or 2027-01-31T18:00:00Z',
      ],
    ],
    [
      'a section of the wrong kind',
      'server: 5\nauth: { keys: one }\n',
      [
        'headgate.yaml:1:9 server: found 5, expected a mapping (key: value)',
        'headgate.yaml:2:15 auth.keys: found "one", expected a list of keys',
      ],
    ],
    [
      'a mistake in one section does not hide a misspelt provider in another',
      'server: { port: -1 }\nproviders: { openai: {} }\nmodels: [{ id: a/b, endpoints: [{ provider: opnai, model: x }] }]\n',
      [
        'headgate.yaml:1:17 server.port: found -1, expected a TCP port from 0 to 65535',
        'headgate.yaml:3:45 models.0.endpoints.0.provider: found "opnai", expected the name of a configured provider; did you mean "openai"?',
      ],
    ],
    [
      'a variable that is not set',
      'providers: { openai: { apiKey: "${NOPE}" } }',
      [
        'headgate.yaml:1:32 providers.openai.apiKey: the environment variable NOPE is not set; set it, or give a default with ${NOPE:-default}',
      ],
    ],
    [
      'a malformed reference',
      'redis: { prefix: "${1x}" }',
      [
        'headgate.yaml:1:18 redis.prefix: found the malformed reference "${1x}", expected ${NAME} or ${NAME:-default} (write $${ for a literal ${)',
      ],
    ],
    [
      'YAML that is none',
      'server: { port: 1\nauth: x\n',
      [
        'headgate.yaml:2:1: not valid YAML: Flow map in block collection must be sufficiently indented and end with a }',
      ],
    ],
    ['a key twice', 'server: {}\nserver: {}\n', ['headgate.yaml:2:1: not valid YAML: Map keys must be unique']],
  ];
  for (const [name, yaml, expected] of cases) {
    test(name, () => {
      const found = problems(yaml);
      if (name === 'YAML that is none') assert.equal(found[0], expected[0]);
      else assert.deepEqual(found, expected);
    });
  }

  test('a file that is not a mapping', () => {
    assert.deepEqual(problems('- a\n- b\n'), ['headgate.yaml:1:1: found a list, expected a mapping (key: value)']);
  });

  test('an unquoted reference inside braces gets the hint that it needs quotes', () => {
    const [first] = problems('providers: { openai: { apiKey: ${KEY} } }', { KEY: 'k' });
    assert.match(String(first), /write \$\{NAME\} in quotes: "\$\{NAME\}"/);
  });
});

describe('secrets stay out of messages', () => {
  test('values under secret keys, and whatever came out of the environment', () => {
    const text = problems(
      [
        'providers:',
        '  openai: { apiKey: [sk-LEAK1] }',
        '  vertex: { project: p, location: l, credentials: 5 }',
        '  azure: { baseUrl: "${URL}", apiKey: k }',
        'auth: { keys: [{ name: n, key: "LEAK 3" }, { name: m, keyHash: LEAK4 }] }',
        'redis: { url: "http://user:LEAK5@host" }',
      ].join('\n'),
      { URL: 'LEAK2' },
    ).join('\n');
    assert.doesNotMatch(text, /LEAK/);
    assert.match(text, /providers\.azure\.baseUrl: found the value of \$\{URL\} \(not shown\)/);
    assert.match(text, /auth\.keys\.0\.key: found a text \(not shown\)/);
    assert.match(text, /redis\.url: found "http:\/\/\*\*\*@host"/);
  });
});

describe('variables', () => {
  test('are replaced after parsing: a value cannot bring YAML of its own', () => {
    const value = 'x\nserver: { port: 1 }\n# "\'{}[]';
    const { config } = load('providers:\n  openai:\n    apiKey: ${KEY}\n', { KEY: value });
    assert.equal(config.providers.openai?.apiKey, value);
    assert.equal(config.server.port, 8080);
  });

  test('stand for numbers and flags where they are not quoted', () => {
    const yaml = [
      'server:',
      '  port: ${PORT}',
      '  processes: ${COUNT:-3}',
      'network:',
      '  allowPrivateFileUrls: ${FLAG}',
      'providers:',
      '  openai:',
      '    apiKey: ${DIGITS}',
    ].join('\n');
    const { config } = load(yaml, { PORT: '9000', FLAG: 'true', DIGITS: '12345' });
    assert.equal(config.server.port, 9000);
    assert.equal(config.server.processes, 3);
    assert.equal(config.network.allowPrivateFileUrls, true);
    assert.equal(config.providers.openai?.apiKey, '12345');
    assert.match(problems('server: { port: "${PORT}" }', { PORT: '9000' }).join(), /server\.port: found the value of/);
  });
});

describe('where a configuration comes from', () => {
  const empty = mkdtempSync(join(tmpdir(), 'headgate-empty-'));
  after(() => rmSync(empty, { recursive: true }));

  test('without a file there are the defaults of DESIGN 4', () => {
    const { config, file, redisNamed } = loadConfig({ env: {}, cwd: empty });
    assert.equal(file, null);
    assert.equal(redisNamed, false);
    assert.deepEqual(config.server, {
      host: '0.0.0.0',
      port: 8080,
      processes: 'auto',
      maxBodyBytes: 33554432,
      requestTimeoutMs: 600000,
      keepAliveCommentMs: 15000,
      cors: { origins: ['*'] },
      drainAborted: { when: 'billed', maxMs: 30000, maxConcurrent: 64 },
    });
    assert.deepEqual(config.redis, { url: 'redis://127.0.0.1:6379', prefix: 'hg' });
    assert.deepEqual(config.timeouts, { connectMs: 5000, firstTokenMs: 10000, streamStallMs: 10000 });
    assert.deepEqual(config.limits, { onRedisLoss: 'allow', groups: {}, models: {}, providers: {} });
    assert.deepEqual(config.auth, { keys: [], oidc: [] });
  });

  test('HEADGATE_CONFIG names a file, and one that is not there is an error', () => {
    writeFileSync(join(empty, 'other.yaml'), 'server: { port: 1234 }');
    const loaded = loadConfig({ env: { HEADGATE_CONFIG: 'other.yaml' }, cwd: empty });
    assert.equal(loaded.config.server.port, 1234);
    assert.equal(loaded.file, join(empty, 'other.yaml'));
    assert.throws(
      () => loadConfig({ env: { HEADGATE_CONFIG: '/nowhere/h.yaml' }, cwd: empty }),
      /^ConfigError: \/nowhere\/h\.yaml cannot be used \(1 problem\):\n {2}there is no such file \(named by HEADGATE_CONFIG\)$/,
    );
  });

  test('the environment wins over the file', () => {
    const { config, redisNamed } = load('server: { port: 1, host: "::1" }\nredis: { url: redis://file, prefix: a }', {
      HEADGATE_PORT: '2',
      HEADGATE_HOST: '127.0.0.1',
      HEADGATE_PROCESSES: '5',
      REDIS_URL: 'redis://env',
      HEADGATE_REDIS_PREFIX: 'b',
    });
    assert.deepEqual([config.server.host, config.server.port, config.server.processes], ['127.0.0.1', 2, 5]);
    assert.deepEqual(config.redis, { url: 'redis://env', prefix: 'b' });
    assert.equal(redisNamed, true);
  });

  test('a wrong variable is named', () => {
    assert.deepEqual(problems('', { HEADGATE_PORT: 'http', REDIS_URL: 'localhost' }), [
      'HEADGATE_PORT: found "http", expected a TCP port from 0 to 65535',
      'REDIS_URL: found "localhost", expected a Redis URL: redis://, rediss:// (TLS), redis+sentinel:// or redis+cluster://',
    ]);
  });

  test('HEADGATE_API_KEY adds the key named default, once', () => {
    const env = { HEADGATE_API_KEY: 'k-1' };
    assert.deepEqual(load('', env).config.auth.keys, [{ name: 'default', key: 'k-1', disabled: false }]);
    const same = load('auth: { keys: [{ name: mine, key: "${HEADGATE_API_KEY}" }] }', env);
    assert.deepEqual(
      same.config.auth.keys.map(({ name }) => name),
      ['mine'],
    );
    assert.deepEqual(problems('auth: { keys: [{ name: default, key: other }] }', env), [
      'HEADGATE_API_KEY: it adds a key named "default", but headgate.yaml has another key of that name; rename that one',
    ]);
    assert.doesNotMatch(problems('', { HEADGATE_API_KEY: 'has LEAK' }).join(), /LEAK/);
  });

  test('the bootstrap needs no secret and minds only its own sections', () => {
    writeFileSync(
      join(cwd, 'headgate.yaml'),
      'server: { port: 7, processes: 2 }\nredis:\n  url: ${WHERE}\nproviders: { openai: { apiKey: "${UNSET}" }, x: 1 }\n',
    );
    const bootstrap = loadBootstrap({ WHERE: 'redis://r', HEADGATE_PROCESSES: 'auto' }, cwd);
    assert.deepEqual(bootstrap.server, { host: '0.0.0.0', port: 7, processes: 'auto' });
    assert.deepEqual(bootstrap.redis, { url: 'redis://r', prefix: 'hg' });
    assert.throws(() => loadBootstrap({}, cwd), /redis\.url: the environment variable WHERE is not set/);
  });
});
