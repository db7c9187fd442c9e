import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import OpenAI from 'openai';
import type { Simulator } from '../../server.ts';
import { collect, startWithClient } from '../../testing/sdkClient.ts';

describe('errors as the OpenAI SDK sees them', () => {
  let simulator: Simulator;
  let client: OpenAI;
  before(async () => {
    ({ simulator, client } = await startWithClient());
  });
  after(() => simulator.close());

  const fail = async (directives: string): Promise<InstanceType<typeof OpenAI.APIError>> => {
    const messages = [{ role: 'user' as const, content: 'Hello!' }];
    const error: unknown = await client.chat.completions.create({ model: `gpt-4o+${directives}`, messages }).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    assert.ok(error instanceof OpenAI.APIError, `${directives}: ${String(error)}`);
    return error;
  };

  it('maps every kind to its status, code and class', async () => {
    const kinds = [
      ['context_length', 400, 'context_length_exceeded', OpenAI.BadRequestError],
      ['content_filter', 400, 'content_filter', OpenAI.BadRequestError],
      ['invalid_key', 401, 'invalid_api_key', OpenAI.AuthenticationError],
      ['forbidden', 403, 'model_not_found', OpenAI.PermissionDeniedError],
      ['model_not_found', 404, 'model_not_found', OpenAI.NotFoundError],
      ['rate_limit', 429, 'rate_limit_exceeded', OpenAI.RateLimitError],
      ['quota', 429, 'insufficient_quota', OpenAI.RateLimitError],
      ['server', 500, null, OpenAI.InternalServerError],
      ['unavailable', 503, null, OpenAI.InternalServerError],
      ['overloaded', 529, 'overloaded', OpenAI.InternalServerError],
    ] as const;
    for (const [kind, status, code, type] of kinds) {
      const error = await fail(`error=${kind}`);
      assert.deepEqual([error.status, error.code], [status, code], kind);
      assert.ok(error instanceof type, kind);
    }
  });

  it('takes any status, with its own message, type, code, body and headers', async () => {
    for (const status of [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504, 529])
      assert.equal((await fail(`status=${status}`)).status, status);
    const error = await fail('status=418+message=Tea%20only+type=teapot+code=short+header-x-pot=brown');
    assert.match(error.message, /Tea only/);
    assert.deepEqual([error.type, error.code, error.headers?.get('x-pot')], ['teapot', 'short', 'brown']);
    const html = await fail('status=502+body=%3Ch1%3EBad%20gateway+content-type=text/html');
    assert.equal(html.headers?.get('content-type'), 'text/html');
    assert.match(html.message, /<h1>Bad gateway/);
  });

  it('says when to come back: seconds, milliseconds or a date', async () => {
    assert.equal((await fail('status=429+retry-after=2')).headers?.get('retry-after'), '2');
    assert.equal((await fail('status=429+retry-after-ms=1500')).headers?.get('retry-after-ms'), '1500');
    const date = Date.parse((await fail('status=503+retry-after-date=120')).headers?.get('retry-after') ?? '');
    assert.ok(Math.abs(date - Date.now() - 120_000) < 5000);
  });

  it('fails the first requests only, so that the SDK retries to success', async () => {
    const retrying = client.withOptions({ maxRetries: 2 });
    const model = 'gpt-4o+status=500+times=2+header-retry-after-ms=1';
    const before = simulator.requests.length;
    await retrying.chat.completions.create({ model, messages: [{ role: 'user', content: 'Once more' }] });
    const requests = simulator.requests.slice(before);
    assert.deepEqual(
      requests.map(({ status, headers }) => [status, headers['x-stainless-retry-count']]),
      [
        [500, '0'],
        [500, '1'],
        [200, '2'],
      ],
    );
  });

  it('breaks a stream with an error that the SDK raises, or with an event that is no JSON', async () => {
    const stream = (directives: string) =>
      client.chat.completions.create({
        model: `gpt-4o+tokens=5+${directives}`,
        messages: [{ role: 'user', content: 'Hello!' }],
        stream: true,
      });
    await assert.rejects(
      collect(await stream('stream-error=2+message=Out%20of%20steam+code=steam')),
      (error: unknown) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.match(error.message, /Out of steam/);
        assert.equal(error.code, 'steam');
        return true;
      },
    );
    await assert.rejects(collect(await stream('malformed=2')), SyntaxError);
    await assert.rejects(collect(await stream('reset=2')));
    await assert.rejects(collect(await stream('tear=2')));
    assert.equal((await collect(await stream('cut=2'))).length, 3);
    assert.equal((await collect(await stream('nofinish'))).length, 6);
  });

  it('refuses an unknown directive, so that a typo is no passed test', async () => {
    const error = await fail('statsu=500');
    assert.deepEqual([error.status, error.code], [400, 'simulator_directive']);
  });
});
