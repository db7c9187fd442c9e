import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { DEAD_PORT } from '@headgate/core/testing/port';
import { type Stack, startStack } from '../support/stack.ts';
import { type ChatResult, chat, question } from './chat-client.ts';
import { CREDENTIAL, configuration, targetOf } from './configuration.ts';
import { idle } from './observe.ts';
import { SELF_SIGNED } from './self-signed.ts';

const DEADLINE_MS = 1_500;
/** With nothing about it that tells a credential. */
const UNUSUAL_KEY = 'f00dfeedf00dfeedf00dfeed';

let stack: Stack;
let selfSigned: TlsServer;

before(async () => {
  selfSigned = createTlsServer(SELF_SIGNED, (socket) => socket.on('error', () => undefined));
  selfSigned.on('tlsClientError', () => undefined);
  const selfSignedPort = await portOf(selfSigned);
  stack = await startStack({
    config: ([simulator]) => {
      const base = simulator?.baseUrl ?? '';
      const bad = {
        refused: `http://127.0.0.1:${DEAD_PORT}/v1`,
        unknown: 'http://no-such-host.invalid/v1',
        plain: base.replace('http:', 'https:'),
        selfsigned: `https://127.0.0.1:${selfSignedPort}/v1`,
      };
      const names = Object.entries(bad);
      return configuration(simulator, {
        // What goes on without its client has a test of its own; here everything must end.
        server: { requestTimeoutMs: DEADLINE_MS, drainAborted: { when: 'never' } },
        timeouts: { connectMs: 1_000, firstTokenMs: 300, streamStallMs: 300 },
        providers: {
          ...Object.fromEntries(
            names.map(([name, baseUrl]) => [name, { dialect: 'openai', baseUrl, apiKey: CREDENTIAL }]),
          ),
          unusual: { dialect: 'openai', baseUrl: base, apiKey: UNUSUAL_KEY },
        },
        models: [
          { id: 'test/unusual-key', endpoints: [{ provider: 'unusual', model: 'one' }] },
          ...names.flatMap(([name]) => [
            { id: `test/${name}`, endpoints: [{ provider: name, model: 'one' }] },
            {
              id: `test/${name}-then-beta`,
              endpoints: [
                { provider: name, model: 'one' },
                { provider: 'beta', model: 'two' },
              ],
            },
          ]),
        ],
      });
    },
  });
});

after(async () => {
  selfSigned.close();
  await stack.stop();
});

async function portOf(server: TlsServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

const ask = (model: string, stream: boolean, directives: string): Promise<ChatResult> =>
  chat(targetOf(stack), { model, stream, messages: question(`[[sim tokens=12 ${directives}]] What broke?`) });

/** Nothing of our insides, and nothing of the provider's, in anything that a client sees. */
function assertDiscreet(answer: ChatResult): void {
  const seen = JSON.stringify(answer.headers) + answer.raw;
  const secrets = [
    CREDENTIAL,
    CREDENTIAL.slice(-12),
    UNUSUAL_KEY,
    '127.0.0.1',
    'no-such-host',
    'node:internal',
    '.ts:',
    'node_modules',
  ];
  for (const secret of secrets) assert.ok(!seen.includes(secret), `the client sees ${secret}: ${seen}`);
  assert.doesNotMatch(seen, /\bat \S+ \(/, 'no stack');
}

interface Expected {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  /** `retry-after-ms`; [least, most] where it depends on the clock. */
  readonly retryMs?: number | readonly [number, number];
  readonly shouldRetry?: 'false';
  /** Calls that the provider sees; default 1. */
  readonly calls?: number;
}

function assertRefused(answer: ChatResult, expected: Expected): void {
  const { status, type, code, retryMs, shouldRetry } = expected;
  assert.equal(answer.status, status, answer.raw);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.end, 'complete');
  const [error] = answer.errors;
  assert.ok(error, answer.raw);
  assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code']);
  assert.equal(error.type, type);
  assert.equal(error.code, code);
  assert.ok(error.message.length > 10);
  assert.equal(answer.headers['x-should-retry'], shouldRetry);
  const ms = answer.headers['retry-after-ms'];
  if (retryMs === undefined) assert.equal(ms, undefined);
  else {
    const [least, most] = typeof retryMs === 'number' ? [retryMs, retryMs] : retryMs;
    assert.ok(Number(ms) >= least && Number(ms) <= most, `retry-after-ms ${ms} is not within ${least} and ${most}`);
    assert.equal(answer.headers['retry-after'], String(Math.ceil(Number(ms) / 1000)));
  }
  assert.ok(answer.headers['x-request-id']);
  assertDiscreet(answer);
}

/** After content: exactly one error frame, the last one; the body ends, and nothing looks like success. */
function assertBroken(answer: ChatResult, type: string, code: string | null, whole: string): void {
  assert.equal(answer.status, 200, answer.raw);
  assert.equal(answer.errors.length, 1, answer.raw);
  assert.match(answer.frames.at(-1) ?? '', /^\{"error":\{"message":/);
  assert.equal(answer.errors[0]?.type, type);
  assert.equal(answer.errors[0]?.code, code);
  assert.equal(answer.done, false);
  assert.equal(answer.finishReason, null);
  assert.equal(answer.end, 'complete', 'the body has its proper end');
  assert.ok(answer.text.length > 0 && whole.startsWith(answer.text), `not a part of ${whole}: ${answer.text}`);
  assertDiscreet(answer);
}

const auth = { status: 502, type: 'upstream_error', code: 'provider_auth_failed' };
const limited = { status: 429, type: 'rate_limit_exceeded', code: 'rate_limit_exceeded' };
const unavailable = { status: 503, type: 'service_unavailable', shouldRetry: 'false', calls: 2 } as const;
const unreachable = { status: 502, type: 'upstream_error', code: 'connection_error', shouldRetry: 'false' } as const;
const unreadable = { status: 502, type: 'response_error', code: 'invalid_provider_response' };
const unreadableTwice = { ...unreadable, shouldRetry: 'false', calls: 2 } as const;
const late = { status: 504, type: 'upstream_timeout', code: 'deadline_exceeded', shouldRetry: 'false' } as const;
const broken = { status: 502, type: 'upstream_error', code: 'stream_broken' };

/** Faults before the first content, and what becomes of them as a JSON answer and as a stream. */
const BEFORE: readonly (readonly [directives: string, json: Expected, stream?: Expected])[] = [
  ['status=400', { status: 400, type: 'invalid_request_error', code: null }],
  ['status=422', { status: 422, type: 'unprocessable_entity', code: null }],
  ['error=context_length', { status: 400, type: 'invalid_request_error', code: 'context_length_exceeded' }],
  ['error=content_filter', { status: 400, type: 'invalid_request_error', code: 'content_filter' }],
  ['status=401', auth],
  ['status=403', auth],
  [`status=401 message=Incorrect%20API%20key:%20${CREDENTIAL}`, auth],
  [`status=400 message=You%20sent%20${CREDENTIAL}`, { status: 400, type: 'invalid_request_error', code: null }],
  ['status=404', { status: 404, type: 'model_not_found', code: 'model_not_found' }],
  ['status=429', { ...limited, retryMs: 1_000 }],
  ['status=429 retry-after=2', { ...limited, retryMs: 2_000 }],
  ['status=429 retry-after-ms=1500', { ...limited, retryMs: 1_500 }],
  ['status=429 retry-after-date=20', { ...limited, retryMs: [15_000, 20_000] }],
  ['status=429 retry-after=90', { ...limited, retryMs: 90_000, shouldRetry: 'false' }],
  ['status=429 retry-after=nonsense', { ...limited, retryMs: 1_000 }],
  ['status=500', { status: 502, type: 'upstream_error', code: null, shouldRetry: 'false', calls: 2 }],
  ['status=503', { ...unavailable, code: null, retryMs: 1_000 }],
  // It asked for a longer pause than the deadline allows: it is not asked again, and nobody has retried for the client.
  ['status=503 retry-after=7', { status: 503, type: 'service_unavailable', code: null, retryMs: 7_000 }],
  ['status=529', { ...unavailable, code: 'overloaded', retryMs: 1_000 }],
  [
    'status=500 body=%3Chtml%3Eoops',
    { status: 502, type: 'upstream_error', code: null, shouldRetry: 'false', calls: 2 },
  ],
  ['reset=before', { ...unreachable, calls: 2 }],
  ['reset=after', { ...unreachable, calls: 2 }],
  ['hang', late],
  ['silent', late],
  ['cut=0', unreadableTwice, broken],
  ['tear=0', { ...unreachable, calls: 2 }, broken],
  ['reset=0', { ...unreachable, calls: 2 }, broken],
  ['malformed=0', unreadableTwice, unreadable],
  ['stall=0', late],
];

for (const stream of [false, true]) {
  describe(`before the first content, ${stream ? 'stream' : 'JSON'}: an error with its status`, {
    concurrency: true,
  }, () => {
    for (const [directives, json, streamed = json] of BEFORE) {
      const expected = stream ? streamed : json;
      test(`${directives} is ${expected.status} ${expected.type}`, async () => {
        // The salt tells the calls of one case from those of the others.
        const salt = `${stream}-${directives.replaceAll(/\W/g, '_')}`;
        assertRefused(await ask('test/one', stream, `salt=${salt} ${directives}`), expected);
        const calls = (await stack.simulator().requests()).filter(({ body }) =>
          JSON.stringify(body).includes(`salt=${salt} `),
        );
        assert.equal(calls.length, expected.calls ?? 1, 'calls to the provider');
      });
    }
  });

  describe(`providers that cannot be reached, ${stream ? 'stream' : 'JSON'}`, { concurrency: true }, () => {
    const cases = { refused: 'connection_error', unknown: 'dns_error', plain: 'tls_error', selfsigned: 'tls_error' };
    for (const [name, code] of Object.entries(cases)) {
      test(`${name}: ${code}`, async () => {
        assertRefused(await ask(`test/${name}`, stream, ''), { ...unreachable, code });
        const other = await ask(`test/${name}-then-beta`, stream, '');
        assert.equal(other.status, 200, other.raw);
        assert.equal(other.metadata?.routing.finalProvider, 'beta');
        assertDiscreet(other);
      });
    }
  });
}

describe('an error inside a stream that has said nothing yet is a JSON error', { concurrency: true }, () => {
  test('stream-error=0', async () => {
    const answer = await ask('test/one', true, 'stream-error=0 message=Sorry,%20no%20more code=overloaded');
    assertRefused(answer, { status: 502, type: 'upstream_error', code: 'overloaded', shouldRetry: 'false' });
  });
  test('a rate limit told in the stream', async () => {
    const answer = await ask('test/one', true, 'stream-error=0 code=rate_limit_exceeded');
    assertRefused(answer, { ...limited, retryMs: 1_000 });
  });
  test('a JSON answer where a stream was asked for', async () => {
    const answer = await ask('test/one', true, 'content-type=application/json');
    assertRefused(answer, unreadableTwice);
  });
});

describe('after content: one error frame, then the end', { concurrency: true }, () => {
  const cases: readonly (readonly [directives: string, type: string, code: string | null])[] = [
    ['cut=5', 'upstream_error', 'stream_broken'],
    ['tear=5', 'upstream_error', 'stream_broken'],
    ['reset=5', 'upstream_error', 'stream_broken'],
    ['nofinish', 'upstream_error', 'stream_broken'],
    ['nofinish nodone', 'upstream_error', 'stream_broken'],
    ['stall=5', 'upstream_timeout', 'stream_stalled'],
    ['malformed=5', 'response_error', 'invalid_provider_response'],
    ['stream-error=5', 'upstream_error', null],
    [`stream-error=5 message=key%20${CREDENTIAL}%20is%20bad`, 'upstream_error', null],
    ['stream-error=5 code=rate_limit_exceeded', 'rate_limit_exceeded', 'rate_limit_exceeded'],
  ];
  for (const [directives, type, code] of cases) {
    for (const pace of ['', 'tps=100']) {
      test(`${directives} ${pace}`, async () => {
        const { text } = await ask('test/one', true, '');
        assertBroken(await ask('test/one', true, `${directives} ${pace}`), type, code, text);
      });
    }
  }
});

test('a provider that quotes the credential it refuses gives nothing away, whatever the credential looks like', async () => {
  for (const stream of [false, true]) {
    const said = await ask('test/one', stream, `status=400 message=bad%20key:%20${CREDENTIAL}`);
    assert.match(said.errors[0]?.message ?? '', /^bad key: \[redacted\]$/);
    const plain = await ask('test/unusual-key', stream, `status=400 message=bad%20key:%20${UNUSUAL_KEY}`);
    assert.equal(plain.errors[0]?.message, 'bad key: [redacted]');
    assertDiscreet(plain);
  }
  const inside = await ask('test/unusual-key', true, `stream-error=3 message=bad%20key:%20${UNUSUAL_KEY}`);
  assert.equal(inside.errors[0]?.message, 'bad key: [redacted]');
});

test('a stream without [DONE] whose choices have all finished is whole', async () => {
  const answer = await ask('test/one', true, 'nodone');
  assert.ok(answer.done);
  assert.equal(answer.finishReason, 'stop');
  assert.deepEqual(answer.errors, []);
});

test('an empty success stays one when there is nobody else to ask', async () => {
  for (const stream of [false, true]) {
    const answer = await ask('test/one', stream, 'empty');
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '');
    assert.equal(answer.finishReason, 'stop');
    assert.equal(answer.done, stream);
  }
});

test('a wrong content type does no harm where the body is what was asked for', async () => {
  for (const stream of [false, true]) {
    const answer = await ask('test/one', stream, 'content-type=text/html');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], stream ? 'text/event-stream; charset=utf-8' : 'application/json');
    assert.equal(answer.finishReason, 'stop');
  }
});

test('after all of that nothing is left open', async () => {
  await idle(stack);
  assert.equal((await stack.simulator().stats()).openRequests, 0);
});
