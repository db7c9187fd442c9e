import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import { OAuth2Client } from 'google-auth-library';
import { type Simulator, startSimulator } from '../../server.ts';
import { clientOf, collect } from '../../testing/sdkClient.ts';

const publishers = '/v1/projects/p1/locations/us-east5/publishers';
const claude = `${publishers}/anthropic/models/claude-sonnet-4-5@20250929`;
const messages = [{ role: 'user' as const, content: 'Hello' }];
const claudeBody = { anthropic_version: 'vertex-2023-10-16', max_tokens: 1024, messages };

describe('Vertex', () => {
  let simulator: Simulator;
  let said: string;
  before(async () => {
    simulator = await startSimulator();
    const { choices } = await clientOf(simulator).chat.completions.create({ model: 'gpt-4o', messages });
    said = choices[0]?.message.content ?? assert.fail();
  });
  after(() => simulator.close());

  const post = async (path: string, body: object, token = 'ya29.test-token') => {
    const response = await fetch(simulator.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text };
  };

  it("serves Gemini through Google's SDK", async () => {
    const authClient = new OAuth2Client();
    authClient.setCredentials({ access_token: 'ya29.test-token', expiry_date: Date.now() + 3_600_000 });
    const client = new GoogleGenAI({
      vertexai: true,
      project: 'p1',
      location: 'us-east5',
      googleAuthOptions: { authClient },
      httpOptions: { baseUrl: simulator.url },
    });
    const response = await client.models.generateContent({ model: 'gemini-2.5-flash', contents: 'Hello' });
    assert.equal(response.text, said);
    assert.equal(response.usageMetadata?.trafficType, 'ON_DEMAND');
    const chunks = await collect(
      await client.models.generateContentStream({ model: 'gemini-2.5-flash', contents: 'Hello' }),
    );
    assert.equal(chunks.map(({ text }) => text ?? '').join(''), said);
    const record = simulator.requests.at(-1);
    assert.match(record?.path ?? '', /\/projects\/p1\/locations\/us-east5\/publishers\/google\/models\//);
    assert.equal(record?.model, 'gemini-2.5-flash');
  });

  it('serves Claude behind rawPredict and streamRawPredict', async () => {
    const { text } = await post(`${claude}:rawPredict`, claudeBody);
    const message = JSON.parse(text);
    assert.equal(message.content[0].text, said);
    assert.equal(message.stop_reason, 'end_turn');
    const streamed = await post(`${claude}:streamRawPredict`, { ...claudeBody, stream: true });
    assert.match(streamed.headers.get('content-type') ?? '', /text\/event-stream/);
    const deltas = [...streamed.text.matchAll(/^data: (.*"text_delta".*)$/gm)].map(([, data]) =>
      JSON.parse(data ?? ''),
    );
    assert.equal(deltas.map(({ delta }) => delta.text).join(''), said);
    assert.ok(streamed.text.trimEnd().endsWith('{"type":"message_stop"}'));
    const counted = await post(`${publishers}/anthropic/models/count-tokens:rawPredict`, {
      model: 'claude-sonnet-4-5',
      messages,
    });
    assert.deepEqual(JSON.parse(counted.text), { input_tokens: message.usage.input_tokens });
  });

  it('takes the version in the body and the model in the path only', async () => {
    const { anthropic_version: _version, ...unversioned } = claudeBody;
    const missing = await post(`${claude}:rawPredict`, unversioned);
    assert.equal(missing.status, 400);
    assert.match(missing.text, /anthropic_version: Field required/);
    const named = await post(`${claude}:rawPredict`, { ...claudeBody, model: 'claude-sonnet-4-5' });
    assert.match(named.text, /model: Extra inputs are not permitted/);
  });

  it('fails as Google for rights and quotas, as Anthropic for the rest', async () => {
    const unauthenticated = await post(`${claude}:rawPredict`, claudeBody, 'sk-invalid');
    assert.equal(unauthenticated.status, 401);
    assert.equal(JSON.parse(unauthenticated.text).error.status, 'UNAUTHENTICATED');
    const limited = await post(`${claude}+status=429:rawPredict`, claudeBody);
    assert.deepEqual([limited.status, JSON.parse(limited.text).error.status], [429, 'RESOURCE_EXHAUSTED']);
    const overloaded = await post(`${claude}+error=overloaded:rawPredict`, claudeBody);
    assert.deepEqual([overloaded.status, JSON.parse(overloaded.text).error.type], [529, 'overloaded_error']);
    const gemini = await post(`${publishers}/google/models/gemini-2.5-flash:generateContent`, {
      contents: [{ role: 'user', parts: [{ text: '' }] }],
    });
    assert.match(gemini.text, /must have a text parameter/);
  });
});
