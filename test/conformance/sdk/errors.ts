import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type APIError,
  AuthenticationError,
  BadRequestError,
  type ClientOptions,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
} from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { MINI, SONNET } from '../gateway.ts';
import { type Bench, KEYS } from './bench.ts';

type ErrorClass = abstract new (...args: never[]) => APIError;

const user = (content: string): ChatCompletionMessageParam[] => [{ role: 'user', content }];

/** Failures as the official SDK tells them to its users. */
export function errorTests(bench: () => Bench): void {
  async function failure(work: PromiseLike<unknown>, type: ErrorClass): Promise<APIError> {
    const error = await work.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof type, `${type.name} expected, got ${error}`);
    // What every error of the gateway has (WIRE 2.19).
    const body = error.error as Record<string, unknown>;
    assert.deepEqual(Object.keys(body).sort(), ['code', 'message', 'param', 'type']);
    assert.equal(typeof body.message, 'string');
    assert.ok(body.code === null || typeof body.code === 'string');
    assert.match(error.requestID ?? '', /^req_/);
    assert.doesNotMatch(JSON.stringify(body), /sk-simulated|hg_test_/);
    return error;
  }

  const says = (content: string, options: ClientOptions = {}, model = MINI) =>
    bench()
      .clientWith(options)
      .chat.completions.create({ model, messages: user(content) });

  test('a key that is missing, malformed, unknown, expired or disabled is an AuthenticationError', async () => {
    const cases: readonly [ClientOptions, string][] = [
      [{ defaultHeaders: { authorization: null } }, 'missing_api_key'],
      [{ defaultHeaders: { authorization: 'Basic aGk6aG8=' } }, 'invalid_api_key'],
      [{ apiKey: 'hg_test_nobody_has_this' }, 'invalid_api_key'],
      [{ apiKey: KEYS.expired }, 'expired_api_key'],
      [{ apiKey: KEYS.disabled }, 'disabled_api_key'],
    ];
    for (const [options, code] of cases) {
      for (const call of [() => says('Hi.', options), () => bench().clientWith(options).models.list()]) {
        const error = await failure(call(), AuthenticationError);
        assert.deepEqual([error.status, error.type, error.code], [401, 'authentication_error', code]);
        assert.equal(error.headers?.get('www-authenticate'), 'Bearer');
      }
    }
  });

  test('the key decides whether it is read first or the body is', async () => {
    const error = await failure(
      bench().clientWith({ apiKey: 'wrong' }).chat.completions.create({ model: 'no/such', messages: [] }),
      AuthenticationError,
    );
    assert.equal(error.status, 401);
  });

  test('an unknown model is a NotFoundError that names it', async () => {
    for (const call of [() => says('Hi.', {}, 'acme/unknown'), () => bench().client.models.retrieve('acme/unknown')]) {
      const error = await failure(call(), NotFoundError);
      assert.deepEqual([error.type, error.code], ['model_not_found', 'model_not_found']);
      assert.deepEqual(error.param, { modelId: 'acme/unknown' });
      assert.match(error.message, /acme\/unknown/);
    }
  });

  test('a bad request is a BadRequestError that names the first bad path', async () => {
    const create = (body: object) => bench().client.chat.completions.create(body as never);
    const part = { type: 'video', video: 'x' };
    const cases: readonly [object, string, string][] = [
      [{ messages: user('Hi.') }, 'model', 'missing_parameter'],
      [{ model: MINI }, 'messages', 'missing_parameter'],
      [{ model: MINI, messages: [] }, 'messages', 'invalid_range'],
      [
        { model: MINI, messages: [...user('a'), ...user('b'), { role: 'user', content: [part] }] },
        'messages.2.content.0.type',
        'invalid_value',
      ],
      [{ model: MINI, messages: user('Hi.'), temperature: 3 }, 'temperature', 'invalid_range'],
      [{ model: MINI, messages: user('Hi.'), max_tokens: 'many' }, 'max_tokens', 'invalid_type'],
      [{ model: MINI, messages: [{ role: 'king', content: 'Hi.' }] }, 'messages.0.role', 'invalid_value'],
    ];
    for (const [body, param, code] of cases) {
      const error = await failure(create(body), BadRequestError);
      assert.deepEqual(
        [error.status, error.type, error.param, error.code],
        [400, 'invalid_request_error', param, code],
      );
      assert.ok(error.message.includes(param), error.message);
    }
  });

  test('what the provider finds wrong is told in its own words', async () => {
    const long = await failure(says('[[sim error=context_length]]Hi.'), BadRequestError);
    assert.deepEqual([long.status, long.code], [400, 'context_length_exceeded']);
    assert.match(long.message, /maximum context length/);
    const filtered = await failure(says('[[sim error=content_filter]]Hi.'), BadRequestError);
    assert.match(filtered.code ?? '', /content_(filter|policy)/);
    const unknown = await failure(
      bench().client.chat.completions.create({ model: MINI, messages: user('Hi.'), nonsense: 1 } as never),
      BadRequestError,
    );
    assert.match(unknown.message, /nonsense/);
    await failure(says('[[sim status=422 message=odd]]Hi.'), UnprocessableEntityError);
  });

  test('a model that the key may not use is a PermissionDeniedError, and is not listed', async () => {
    const limited = bench().clientWith({ apiKey: KEYS.openaiOnly });
    const error = await failure(says('Hi.', { apiKey: KEYS.openaiOnly }, SONNET), PermissionDeniedError);
    assert.deepEqual([error.status, error.code, error.param], [403, 'model_not_allowed', 'model']);
    const body = { model: MINI, models: [SONNET], messages: user('Hi.') };
    const fallback = await failure(limited.chat.completions.create(body), PermissionDeniedError);
    assert.equal(fallback.param, 'models.0');
    const ids = (await limited.models.list()).data.map(({ id }) => id);
    assert.ok(ids.includes(MINI) && ids.every((id) => id.startsWith('openai/')));
    await failure(limited.models.retrieve(SONNET), NotFoundError);
    assert.equal((await says('Hi.', { apiKey: KEYS.openaiOnly })).model, MINI);
  });

  test('a provider’s 429 stays one, with its wait in both headers', async () => {
    // Longer than the gateway waits in the client's place.
    const error = await failure(says('[[sim status=429 retry-after=70]]Hi.'), RateLimitError);
    assert.deepEqual([error.status, error.type], [429, 'rate_limit_exceeded']);
    assert.equal(error.headers?.get('retry-after'), '70');
    assert.equal(error.headers?.get('retry-after-ms'), '70000');
    const long = await failure(says('[[sim status=429 retry-after=3600]]Hi.'), RateLimitError);
    // The SDK would fall back to half a second otherwise (WIRE 2.12).
    assert.equal(long.headers?.get('x-should-retry'), 'false');
  });

  test('the SDK waits as it was told and succeeds', async () => {
    const content = '[[sim status=429 retry-after-ms=150 times=1]]Try me again.';
    const began = performance.now();
    const { result, received } = await bench().during(() => says(content, { maxRetries: 1 }));
    assert.equal(result.choices[0]?.finish_reason, 'stop');
    assert.deepEqual(
      received.map(({ status }) => status),
      [429, 200],
    );
    assert.ok(performance.now() - began >= 150);
  });

  test('failing providers are an InternalServerError that the SDK does not multiply', async () => {
    const { result: error, received } = await bench().during(() =>
      failure(says('[[sim status=500]]Hi.', { maxRetries: 2 }), InternalServerError),
    );
    assert.equal(error.status, 502);
    assert.equal(error.headers?.get('x-should-retry'), 'false');
    assert.equal(received.length, 2);
    const overloaded = await failure(says('[[sim error=overloaded]]Hi.'), InternalServerError);
    assert.equal(overloaded.status, 503);
    assert.ok(overloaded.headers?.get('retry-after-ms'));
  });

  test('a provider that refuses our key is no fault of the caller’s', async () => {
    for (const kind of ['invalid_key', 'forbidden']) {
      const error = await failure(says(`[[sim error=${kind}]]Hi.`), InternalServerError);
      assert.equal(error.status, 502);
      assert.equal(error.code, 'provider_auth_failed');
    }
  });
}
