import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { endpointEntry, modelEntry, providerEntry } from '../catalog/entries.testing.ts';
import type { ProviderEntry } from '../catalog/index.ts';
import { Authorizers, UpstreamPools } from '../upstream/index.ts';
import { type ProbeResult, probeEndpoint } from './index.ts';
import { answers, completion, fails, resets, type Script, ScriptedProvider, silent } from './scripted.testing.ts';

const SECRET = 'sk-the-secret-of-this-provider';
const WELL: ProbeResult = { failure: null, retryAfterMs: undefined, status: 200, error: null };

const finished = (content: string | null, finish_reason: string): object => ({
  ...completion(content),
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason }],
});

describe('probeEndpoint', () => {
  const pools = new UpstreamPools();
  const providers: ScriptedProvider[] = [];
  afterEach(async () => {
    for (const provider of providers.splice(0)) provider.stop();
    await pools.close();
  });

  async function scripted(script: Script): Promise<ScriptedProvider> {
    const provider = await ScriptedProvider.start(script);
    providers.push(provider);
    return provider;
  }

  function probe(given: Partial<ProviderEntry>, timeoutMs = 5_000, signal = new AbortController().signal) {
    const endpoint = endpointEntry(providerEntry('acme', { credentials: { apiKey: SECRET }, ...given }), 'up-model');
    const model = modelEntry('maker/m', [endpoint]);
    return probeEndpoint({ model, endpoint, timeoutMs, pools, authorizers: new Authorizers(), signal });
  }

  async function probing(script: Script, timeoutMs?: number): Promise<ProbeResult> {
    return probe({ baseUrl: (await scripted(script)).baseUrl }, timeoutMs);
  }

  it('asks for one token, with the credential of the provider and its name of the model', async () => {
    const provider = await scripted(answers(200, completion('Hi')));
    assert.deepEqual(await probe({ baseUrl: provider.baseUrl }), WELL);
    const [head = '', body = ''] = provider.requests[0]?.split('\r\n\r\n') ?? [];
    assert.match(head, /^POST \/v1\/chat\/completions /);
    assert.match(head, new RegExp(`^authorization: Bearer ${SECRET}\r?$`, 'im'));
    assert.deepEqual(JSON.parse(body), {
      model: 'up-model',
      messages: [{ role: 'user', content: 'Hi' }],
      max_tokens: 1,
    });
  });

  it('a token that went into thinking is a success, an answer that is over and empty is none', async () => {
    assert.deepEqual(await probing(answers(200, finished('', 'length'))), WELL);
    const { failure, status } = await probing(answers(200, finished('', 'stop')));
    assert.deepEqual([failure, status], ['empty_success', 200]);
  });

  it('a refusal that the caller would be blamed for proves that it is alive', async () => {
    const refused = await probing(fails(400, { type: 'invalid_request_error', message: 'max_tokens is too small' }));
    assert.deepEqual(refused, { ...WELL, status: 400 });
    const tooLong = await probing(fails(400, { code: 'context_length_exceeded' }));
    assert.deepEqual(tooLong, { ...WELL, status: 400 });
  });

  it('a failure has its class, the status, and how long to stay away', async () => {
    const unavailable = await probing(fails(503));
    assert.deepEqual([unavailable.failure, unavailable.status], ['overloaded', 503]);
    const limited = await probing(fails(429, {}, 'retry-after: 7\r\n'));
    assert.deepEqual([limited.failure, limited.status, limited.retryAfterMs], ['rate_limited', 429, 7_000]);
    const reset = await probing(resets);
    assert.deepEqual([reset.failure, reset.status], ['overloaded', null]);
    const nonsense = await probing(answers(200, '<html>'));
    assert.deepEqual([nonsense.failure, nonsense.status], ['overloaded', 200]);
  });

  it('a provider that quotes the credential it refuses does not bring it into the error', async () => {
    const { failure, error } = await probing(fails(401, { message: `Incorrect API key provided: ${SECRET}` }));
    assert.equal(failure, 'auth');
    assert.ok(error !== null && error.length > 0 && !error.includes(SECRET), error ?? 'no error');
  });

  it('silence ends with the time-out, and the connection with it', async () => {
    const provider = await scripted(silent);
    const closed = once(provider.events, 'closed');
    const { failure, status, error } = await probe({ baseUrl: provider.baseUrl }, 50);
    assert.deepEqual([failure, status], ['silent', null]);
    assert.equal(error, 'The provider acme said nothing within 50 ms.');
    await closed;
  });

  it('can be ended at once', async () => {
    const provider = await scripted(silent);
    const asked = once(provider.events, 'request');
    const closed = once(provider.events, 'closed');
    const ending = new AbortController();
    const running = probe({ baseUrl: provider.baseUrl }, 60_000, ending.signal);
    await asked;
    ending.abort(new Error('control stops'));
    await assert.rejects(running, /control stops/);
    await closed;
    await assert.rejects(probe({ baseUrl: provider.baseUrl }, 60_000, ending.signal), /control stops/);
  });

  it('credentials that cannot be had are refused ones, a dialect that is not spoken says nothing', async () => {
    const noAccount = await probe({ dialect: 'vertex', credentials: { credentials: '{' }, settings: VERTEX });
    assert.deepEqual([noAccount.failure, noAccount.status], ['auth', null]);
    const unknown = await probe({ dialect: 'none of ours' });
    assert.deepEqual([unknown.failure, unknown.status], [undefined, null]);
    assert.match(unknown.error ?? '', /none of ours/);
  });
});

const VERTEX = { project: 'p', location: 'us-east5' };
