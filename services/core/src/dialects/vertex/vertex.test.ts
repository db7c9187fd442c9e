import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Target } from '../dialect.ts';
import { encode, read, USER } from '../gemini/encode.testing.ts';
import { stream, whole } from '../gemini/play.testing.ts';
import { vertex } from './dialect.ts';

const TARGET: Target = {
  provider: 'vertex',
  model: 'gemini-2.5-pro',
  baseUrl: 'https://us-east5-aiplatform.googleapis.com',
  credentials: { accessToken: 'ya29.secret' },
  settings: { project: 'p-1', location: 'us-east5' },
  maxOutputTokens: 0,
  publisher: '',
};
const CLAUDE: Target = { ...TARGET, model: 'claude-sonnet-4@20250514' };
const PREFIX = 'https://us-east5-aiplatform.googleapis.com/v1/projects/p-1/locations/us-east5';

const image = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } };
const withImage = { messages: [{ role: 'user', content: [image] }] };

describe('Gemini on Vertex', () => {
  it('is called by project and location; upstream adds the token', () => {
    const { url, headers } = encode(vertex, {}, TARGET);
    assert.equal(url, `${PREFIX}/publishers/google/models/gemini-2.5-pro:generateContent`);
    assert.equal(vertex.authorization, 'google');
    assert.ok(!JSON.stringify(headers).includes('secret'));
    assert.match(encode(vertex, { stream: true }, TARGET).url, /:streamGenerateContent\?alt=sse$/);
  });

  it('takes tuned models by their endpoint', () => {
    assert.equal(
      encode(vertex, {}, { ...TARGET, model: 'endpoints/123' }).url,
      `${PREFIX}/endpoints/123:generateContent`,
    );
    const full = 'projects/other/locations/us-east5/endpoints/123';
    assert.match(encode(vertex, {}, { ...TARGET, model: full }).url, new RegExp(`/v1/${full}:generateContent$`));
  });

  it('has labels for user and metadata', () => {
    const { body, warnings } = encode(
      vertex,
      { user: 'u-1', metadata: { team: 'a', 'Cost Centre': 'B 7', '1': 'x' } },
      TARGET,
    );
    assert.deepEqual(body.labels, { user: 'u-1', team: 'a', cost_centre: 'b_7' });
    assert.deepEqual(warnings, [
      'metadata.1: cannot be a label, dropped',
      'metadata.Cost Centre: sent as the label cost_centre: "b_7"',
    ]);
  });

  it('answers as Gemini does', () => {
    const body = JSON.stringify({ candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }] });
    assert.equal(whole(vertex, body, TARGET).messages[0]?.content, 'Hi');
    assert.equal(stream(vertex, `data: ${body}\n\n`, { target: TARGET }).messages[0]?.content, 'Hi');
  });
});

describe('Claude on Vertex', () => {
  it('is called by rawPredict, with the version in the body and the model in the URL alone', () => {
    const { url, headers, body } = encode(vertex, { max_tokens: 10 }, CLAUDE);
    assert.equal(url, `${PREFIX}/publishers/anthropic/models/claude-sonnet-4@20250514:rawPredict`);
    assert.equal(headers['x-api-key'], undefined);
    assert.deepEqual(body, {
      anthropic_version: 'vertex-2023-10-16',
      max_tokens: 10,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    } as never);
  });

  it('streams by streamRawPredict', () => {
    const { url, body } = encode(vertex, { stream: true }, CLAUDE);
    assert.match(url, /:streamRawPredict$/);
    assert.equal((body as Record<string, unknown>).stream, true);
  });

  it('is known by its publisher, whatever its name', () => {
    const named = encode(vertex, {}, { ...TARGET, model: 'mine', publisher: 'anthropic' });
    assert.match(named.url, /publishers\/anthropic\/models\/mine:rawPredict$/);
    const google = encode(vertex, {}, { ...CLAUDE, publisher: 'google' });
    assert.match(google.url, /publishers\/google\//);
  });

  it('takes no URLs: the gateway fetches', () => {
    assert.deepEqual(vertex.remoteMedia?.(read(withImage), CLAUDE), ['https://example.com/a.png']);
    const media = new Map([['https://example.com/a.png', { mediaType: 'image/png', data: 'AAAA' }]]);
    const { body } = encode(vertex, withImage, CLAUDE, media);
    assert.ok(JSON.stringify(body).includes('"data":"AAAA"'));
  });

  it('has beta flags in a header', () => {
    const options = { providerOptions: { anthropic: { anthropic_beta: ['one', 'two'] } } };
    assert.equal(encode(vertex, { messages: [USER], ...options }, CLAUDE).headers['anthropic-beta'], 'one,two');
  });
});

describe('errors of Vertex', () => {
  const decode = (status: number, body: unknown) =>
    vertex.decodeError({
      status,
      header: () => undefined,
      body: Buffer.from(JSON.stringify(body)),
      provider: 'vertex',
      now: 0,
    });

  it("are Google's, or Anthropic's as Google passes them on", () => {
    const google = decode(429, { error: { code: 429, message: 'quota', status: 'RESOURCE_EXHAUSTED' } });
    assert.deepEqual([google.failure, google.code, google.message], ['rate_limited', 'RESOURCE_EXHAUSTED', 'quota']);
    const prompt = { type: 'invalid_request_error', message: 'prompt is too long: 9 tokens > 8 maximum' };
    assert.equal(decode(400, { type: 'error', error: prompt }).failure, 'context_length');
    const overloaded = decode(529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });
    assert.deepEqual([overloaded.failure, overloaded.status], ['overloaded', 503]);
    assert.equal(decode(401, [{ error: { code: 401, message: 'no', status: 'UNAUTHENTICATED' } }]).failure, 'auth');
    const unpaid = decode(402, { type: 'error', error: { type: 'billing_error', message: 'pay' } });
    assert.deepEqual([unpaid.failure, unpaid.status, unpaid.code], ['auth', 502, 'provider_payment_required']);
  });
});
