import assert from 'node:assert/strict';
import { failureOf } from '../bench.ts';
import type { Ask, Context, Feature } from '../feature.ts';
import { asking } from '../feature.ts';

const steered = (directives: string): Ask => ({
  messages: [{ role: 'user', content: `[[sim ${directives}]] What broke?` }],
});

interface Expected {
  readonly status: number;
  readonly type: string;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** In both forms: before the first byte a stream's error is a JSON error with its status, too. */
function failing(
  name: string,
  directives: string,
  expected: Expected,
  row = 'errors with status, kind and retry-after',
): Feature {
  return {
    row,
    name,
    async run({ bench, provider }) {
      const ask = steered(directives);
      for (const call of [() => bench.whole(provider, ask), () => bench.stream(provider, ask)]) {
        const error = await failureOf(call());
        assert.deepEqual([error.status, error.type], [expected.status, expected.type], error.message);
        if (expected.code !== undefined) assert.equal(error.code, expected.code);
        assert.ok(error.code === null || typeof error.code === 'string', 'code is a string or null');
        for (const [header, value] of Object.entries(expected.headers ?? {}))
          assert.equal(error.headers?.get(header), value, header);
        assert.doesNotMatch(`${error.message} ${JSON.stringify(error.error)}`, /simulated|AKID|simulator-secret|ya29/);
      }
    },
  };
}

interface ErrorFrame {
  readonly error: { readonly message: string; readonly type: string; readonly param: unknown; readonly code: unknown };
}

/** Content, then exactly one error frame, then nothing: no finish reason, no [DONE] (WIRE 2.13, 2.19). */
function breaking(name: string, directives: string): Feature {
  return {
    row: 'broken streams end in one error frame',
    name,
    async run(context: Context) {
      const { status, frames } = await context.bench.frames(context.provider, steered(`tokens=12 ${directives}`));
      assert.equal(status, 200);
      const data = frames.filter((frame) => !frame.startsWith(':'));
      assert.ok(data.length > 1, 'content before the break');
      const parsed = data.map((frame) => {
        assert.match(frame, /^data: \{/, 'no [DONE]');
        return JSON.parse(frame.slice('data: '.length)) as
          | ErrorFrame
          | { error?: never; choices: { finish_reason: unknown }[] };
      });
      const last = parsed.pop();
      assert.ok(last?.error, 'the last frame is the error');
      assert.ok(last.error.message && last.error.type && 'param' in last.error && 'code' in last.error);
      for (const frame of parsed) {
        assert.equal(frame.error, undefined, 'one error frame only');
        assert.equal(frame.choices[0]?.finish_reason ?? null, null, 'no finish reason');
      }
    },
  };
}

const REFUSED_CREDENTIALS = { status: 502, type: 'upstream_error', code: 'provider_auth_failed' } as const;

/** Everything that can go wrong at a provider. */
export const FAILURES: readonly Feature[] = [
  failing('400', 'status=400 message=No%20such%20thing', { status: 400, type: 'invalid_request_error' }),
  failing('401', 'error=invalid_key', REFUSED_CREDENTIALS),
  failing('403', 'error=forbidden', REFUSED_CREDENTIALS),
  failing('404', 'error=model_not_found', { status: 404, type: 'model_not_found' }),
  // Longer than the gateway waits in the client's place.
  failing('429 with retry-after', 'error=rate_limit retry-after=70', {
    status: 429,
    type: 'rate_limit_exceeded',
    headers: { 'retry-after': '70', 'retry-after-ms': '70000' },
  }),
  failing('500', 'error=server', { status: 502, type: 'upstream_error' }),
  failing('503', 'error=unavailable', { status: 503, type: 'service_unavailable' }),
  failing('529 or what the provider has for it', 'error=overloaded', { status: 503, type: 'service_unavailable' }),
  failing('a prompt that is too long', 'error=context_length', {
    status: 400,
    type: 'invalid_request_error',
    code: 'context_length_exceeded',
  }),
  {
    row: 'refusals and filters',
    name: 'a prompt that the provider’s filter refuses',
    async run({ bench, provider }) {
      const ask = steered('error=content_filter');
      if (provider.family === 'gemini') {
        for (const answer of [await bench.whole(provider, ask), await bench.stream(provider, ask)])
          assert.equal(answer.finish, 'content_filter');
        return;
      }
      for (const call of [() => bench.whole(provider, ask), () => bench.stream(provider, ask)]) {
        const error = await failureOf(call());
        assert.deepEqual([error.status, error.code], [400, 'content_filter'], error.message);
      }
    },
  },
  failing('a page of a proxy', 'status=502 body=%3Chtml%3EBad%20gateway%3C%2Fhtml%3E', {
    status: 502,
    type: 'upstream_error',
  }),
  breaking('the stream is cut', 'cut=4'),
  breaking('the connection is torn', 'tear=4'),
  breaking('the connection is reset', 'reset=4'),
  breaking('an event is malformed', 'malformed=4'),
  breaking('the provider reports an error in mid-stream', 'stream-error=4'),
  breaking('no finish reason', 'nofinish'),
  asking({
    name: 'an answer that says nothing',
    sameAsOpenAi: false,
    ask: steered('empty'),
    check: ({ text, calls, finish }) => assert.deepEqual([text, calls, finish], [null, [], 'stop']),
  }),
  asking({
    row: 'refusals and filters',
    name: 'a refusal',
    sameAsOpenAi: false,
    ask: steered('refusal=I%20will%20not.'),
    check: ({ text, refusal, finish }, { provider }) => {
      assert.equal(finish, provider.family === 'openai' ? 'stop' : 'content_filter');
      if (provider.family === 'openai') assert.equal(refusal, 'I will not.');
      else if (provider.family === 'claude') assert.match(`${text ?? ''}${refusal ?? ''}`, /I will not\./);
    },
  }),
  asking({
    row: 'refusals and filters',
    name: 'a content filter in the answer',
    sameAsOpenAi: false,
    ask: steered('finish=content_filter tokens=5'),
    check: ({ finish }) => assert.equal(finish, 'content_filter'),
  }),
  {
    row: 'unknown finish reasons are errors',
    name: 'an unknown finish reason',
    async run({ bench, provider }) {
      const ask = steered('stop-reason=bored tokens=5');
      assert.equal((await failureOf(bench.whole(provider, ask))).status, 502);
      const { frames } = await bench.frames(provider, ask);
      const [last = '', ...more] = frames.filter((frame) => frame.includes('"error"'));
      assert.ok(last.includes('bored') && more.length === 0, frames.join('\n'));
      assert.ok(!frames.includes('data: [DONE]'));
    },
  },
];
