import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../../errors/index.ts';
import { type AuthorizedProvider, Authorizers } from './authorizers.ts';
import { callersOwn, digestOf } from './caller-credentials.ts';

const REQUEST = { url: 'https://provider.test/a', headers: ['a', 'b'], body: Buffer.from('{}') };

const provider = (credentials: Record<string, string>, settings: Record<string, string> = {}): AuthorizedProvider => ({
  name: 'vertex',
  credentials,
  settings,
});

describe('Authorizers', () => {
  it('keep one for each provider of a snapshot, whatever its name', async () => {
    const authorizers = new Authorizers();
    const one = provider({ accessToken: 'token-one' });
    const two = provider({ accessToken: 'token-two' });
    assert.equal(authorizers.for(one, 'google'), authorizers.for(one, 'google'));
    assert.notEqual(authorizers.for(one, 'google'), authorizers.for(two, 'google'));
    const sent = await authorizers.for(two, 'google').authorize(REQUEST);
    assert.deepEqual(sent, ['a', 'b', 'authorization', 'Bearer token-two']);
  });

  it('give a caller what was made for the very same credential, and for no other', async () => {
    const authorizers = new Authorizers();
    const first = authorizers.forCaller(provider({ accessToken: 'token-one' }), 'google');
    const again = authorizers.forCaller(provider({ accessToken: 'token-one' }), 'google');
    const other = authorizers.forCaller(provider({ accessToken: 'token-two' }), 'google');
    assert.equal(again, first);
    assert.notEqual(other, first);
    assert.deepEqual(await other.authorize(REQUEST), ['a', 'b', 'authorization', 'Bearer token-two']);
    assert.notEqual(authorizers.for(provider({ accessToken: 'token-one' }), 'google'), first);
    const signing = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
    const here = authorizers.forCaller(provider(signing, { region: 'us-east-1' }), 'aws');
    assert.notEqual(authorizers.forCaller(provider(signing, { region: 'eu-west-1' }), 'aws'), here);
  });

  it('forget the caller who was there longest ago', () => {
    const authorizers = new Authorizers();
    const of = (i: number) => authorizers.forCaller(provider({ accessToken: `token-${i}` }), 'google');
    const first = of(0);
    const second = of(1);
    for (let i = 2; i < 500; i++) of(i);
    assert.equal(of(0), first, 'used again');
    of(500);
    assert.equal(authorizers.callers, 500);
    assert.equal(of(0), first);
    assert.notEqual(of(1), second, 'made anew');
  });

  it('forget a caller who has been away for an hour, though nobody else comes', (t) => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 1_800_000_000_000 });
    const authorizers = new Authorizers();
    const of = (token: string) => authorizers.forCaller(provider({ accessToken: token }), 'google');
    const regular = of('regular');
    const passing = of('passing');
    t.mock.timers.tick(40 * 60_000);
    assert.equal(of('regular'), regular);
    assert.equal(of('passing'), passing);
    t.mock.timers.tick(40 * 60_000);
    assert.equal(of('regular'), regular, 'used in between');
    assert.equal(authorizers.callers, 2);
    t.mock.timers.tick(40 * 60_000);
    assert.equal(authorizers.callers, 1, 'the other one has been away for longer than an hour');
    t.mock.timers.tick(2 * 60 * 60_000);
    assert.equal(authorizers.callers, 0);
    assert.notEqual(of('regular'), regular);
  });

  it("never put the gateway's identity, its files or foreign URLs in a caller's place", () => {
    const account = { client_email: 'a@b.test', private_key: 'PRIVATE' };
    const refused: [Record<string, string>, 'google' | 'aws' | 'azure'][] = [
      [{}, 'google'],
      [{}, 'aws'],
      [{}, 'azure'],
      [{ credentialsFile: '/etc/passwd' }, 'google'],
      [{ credentials: 'no JSON' }, 'google'],
      [{ credentials: 'null' }, 'google'],
      [{ credentials: JSON.stringify({ type: 'external_account', token_url: 'http://127.0.0.1' }) }, 'google'],
      [{ accessKeyId: 'AKIDEXAMPLE' }, 'aws'],
      [{ secretAccessKey: 'secret', sessionToken: 'x' }, 'aws'],
      [{ accessToken: 'token' }, 'aws'],
    ];
    for (const [credentials, kind] of refused) {
      const authorizers = new Authorizers();
      assert.throws(
        () => authorizers.forCaller(provider(credentials), kind),
        (error) => error instanceof GatewayError && error.failure === 'auth' && error.status === 502,
        JSON.stringify(credentials),
      );
      assert.equal(authorizers.callers, 0);
    }
    const odd = JSON.stringify({ type: 'external_account', credential_source: { file: '/etc/passwd' }, ...account });
    const kept = callersOwn(provider({ credentials: odd, credentialsFile: '/x' }), 'google');
    assert.deepEqual(Object.keys(kept), ['credentials']);
    assert.deepEqual(JSON.parse(kept.credentials ?? ''), { type: 'service_account', ...account });
  });

  it('know credentials by a digest that does not show them', () => {
    const digest = digestOf(provider({ apiKey: 'topsecret', accessToken: 'x' }), 'azure');
    assert.equal(digest, digestOf(provider({ accessToken: 'x', apiKey: 'topsecret' }), 'azure'));
    assert.notEqual(digest, digestOf(provider({ accessToken: 'x', apiKey: 'topsecret' }), 'aws'));
    assert.equal(digest.includes('topsecret'), false);
  });
});
