import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isSecretName, loggable, REDACTED, redactText } from './redact.ts';

const SECRET = 'hunter2hunter2hunter2';

describe('names', () => {
  test('of secrets are known in every spelling, those of counts and labels are not secrets', () => {
    for (const name of [
      'authorization',
      'Authorization',
      'proxy-authorization',
      'apiKey',
      'api_key',
      'x-api-key',
      'key',
      'token',
      'accessToken',
      'session_token',
      'clientSecret',
      'password',
      'cookie',
      'set-cookie',
      'secretAccessKey',
      'keyHash',
      'private_key',
      'credentials',
    ]) {
      assert.ok(isSecretName(name), name);
    }
    for (const name of [
      'keyName',
      'key_name',
      'prompt_tokens',
      'completionTokens',
      'endpoint_key',
      'model',
      'tokenType',
    ]) {
      assert.ok(!isSecretName(name), name);
    }
  });

  test('hide their values at any depth, and null stays visible', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('apiKey', 'x-api-key', 'token', 'cookie'),
        fc.integer({ min: 0, max: 4 }),
        (name, depth) => {
          let value: unknown = {
            [name]: SECRET,
            list: [{ [name]: { inner: SECRET } }],
            map: new Map([[name, SECRET]]),
          };
          for (let i = 0; i < depth; i++) value = i % 2 === 0 ? { nested: value } : [value];
          assert.ok(!JSON.stringify(loggable(value)).includes(SECRET));
        },
      ),
    );
    assert.deepEqual(loggable({ apiKey: null, token: 'x' }), { apiKey: null, token: REDACTED });
  });
});

describe('text', () => {
  test('loses credentials in URLs, query strings, bearer tokens and what looks like a key', () => {
    for (const [text, expected] of [
      [`redis://user:${SECRET}@host:6379/0`, `redis://${REDACTED}@host:6379/0`],
      [`redis://:${SECRET}@host`, `redis://${REDACTED}@host`],
      [`GET https://h/v1?alt=sse&key=${SECRET}&x=1 failed`, `GET https://h/v1?alt=sse&key=${REDACTED}&x=1 failed`],
      [`https://h/?access_token=${SECRET}`, `https://h/?access_token=${REDACTED}`],
      [`https://h/?X-Amz-Signature=${SECRET}#f`, `https://h/?X-Amz-Signature=${REDACTED}#f`],
      [`header Authorization: Bearer ${SECRET} refused`, `header Authorization: Bearer ${REDACTED} refused`],
      [`Incorrect API key provided: sk-proj-${SECRET}.`, `Incorrect API key provided: ${REDACTED}.`],
      [`jwt eyJhbGciOiJI.eyJzdWIiOiIx.${SECRET}`, `jwt ${REDACTED}`],
    ] as const) {
      assert.equal(redactText(text), expected);
    }
  });

  test('without a secret stays as it is', () => {
    for (const text of ['GET https://h:8080/v1/models?limit=10', 'a@b.example wrote', 'basic test', 'tokens=5', '']) {
      assert.equal(redactText(text), text);
    }
  });
});

describe('errors', () => {
  test('keep name, message, code, stack and cause; not what libraries hang on them', () => {
    const cause = Object.assign(new Error(`connect https://u:${SECRET}@h`), { code: 'ECONNREFUSED', port: 443 });
    const error = Object.assign(new TypeError('fetch failed', { cause }), {
      config: { headers: { authorization: SECRET } },
      command: { name: 'auth', args: [SECRET] },
      status: 502,
    });
    const logged = loggable({ error }) as { error: Record<string, unknown> };
    assert.ok(!JSON.stringify(logged).includes(SECRET));
    assert.equal(logged.error.name, 'TypeError');
    assert.equal(logged.error.message, 'fetch failed');
    assert.equal(logged.error.status, 502);
    assert.match(String(logged.error.stack), /redact\.test\.ts/);
    const inner = logged.error.cause as Record<string, unknown>;
    assert.equal(inner.code, 'ECONNREFUSED');
    assert.equal(inner.port, 443);
    assert.equal(logged.error.config, undefined);
  });
});

test('anything becomes JSON: cycles, bigints, bytes, functions, odd numbers', () => {
  const cycle: Record<string, unknown> = {
    n: 1n,
    bytes: new Uint8Array(3),
    f: () => 1,
    nan: Number.NaN,
    at: new Date(0),
  };
  cycle.self = cycle;
  const text = JSON.stringify(loggable(cycle));
  assert.match(text, /"n":"1","bytes":"\[3 bytes\]","nan":"NaN","at":"1970-01-01T00:00:00.000Z"/);
  assert.match(text, /\[deep\]/);
});
