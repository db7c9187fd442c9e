import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SignJWT } from 'jose';
import type { OidcIssuerEntry } from '../catalog/index.ts';
import { looksLikeToken, OidcVerifier, type Principal } from './index.ts';
import { OidcIssuer } from './oidc-issuer.testing.ts';

const NO_LIMITS = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  requestsPerDay: null,
  tokensPerDay: null,
  concurrency: null,
};

let issuer: OidcIssuer;
const warnings: string[] = [];
const opened: OidcVerifier[] = [];

before(async () => {
  issuer = await OidcIssuer.start();
});

after(() => {
  issuer.stop();
  for (const verifier of opened) verifier.close();
});

function verifier(given: Partial<OidcIssuerEntry> = {}, of = issuer, options = {}): OidcVerifier {
  const entry: OidcIssuerEntry = {
    issuer: of.url,
    audience: 'headgate',
    subjectClaim: 'sub',
    nameClaim: '',
    groupClaim: '',
    modelsClaim: '',
    models: [],
    algorithms: ['ES256', 'RS256'],
    jwksUri: '',
    clockToleranceSeconds: 0,
    limits: NO_LIMITS,
    budget: null,
    ...given,
  };
  const made = new OidcVerifier([entry], { warn: (message) => void warnings.push(message) }, options);
  opened.push(made);
  return made;
}

async function accepted(by: OidcVerifier, token: string, nowMs = Date.now()): Promise<Principal> {
  const found = await by.find(token, nowMs);
  assert.ok(found.ok, found.ok ? '' : found.error.message);
  return found.principal;
}

async function refusal(by: OidcVerifier, token: string, nowMs = Date.now()): Promise<string> {
  const found = await by.find(token, nowMs);
  assert.ok(!found.ok, 'it was let in');
  assert.equal(found.error.status, 401);
  assert.ok(!found.error.message.includes(token), 'the token is not repeated');
  return found.error.message;
}

describe('a good token', () => {
  test('is its subject, at once the second time', async () => {
    const by = verifier();
    const token = await issuer.token();
    const principal = await accepted(by, token);
    assert.match(principal.id, /^oidc:[0-9a-f]{8}:subject$/);
    assert.equal(principal.name, 'subject');
    assert.ok(principal.allows('any/model'));
    const again = by.find(token, Date.now());
    assert.ok(!(again instanceof Promise) && again.ok && again.principal === principal);
  });

  test('tells name, group and models by its claims', async () => {
    const by = verifier({
      nameClaim: 'name',
      groupClaim: 'org.team',
      modelsClaim: 'models',
      models: ['openai/*', 'anthropic/*'],
      limits: { ...NO_LIMITS, requestsPerMinute: 5 },
    });
    const claims = { name: 'Ada', org: { team: 'shop' }, models: ['openai/gpt-4o', 'mistral/*'] };
    const principal = await accepted(by, await issuer.token(claims));
    assert.deepEqual([principal.name, principal.group, principal.limits.requestsPerMinute], ['Ada', 'shop', 5]);
    const may = (id: string): boolean => principal.allows(id);
    assert.deepEqual(['openai/gpt-4o', 'openai/o1', 'anthropic/x', 'mistral/y'].map(may), [true, false, false, false]);
    assert.equal((await accepted(by, await issuer.token({ models: 'a/b  c/d' }))).allows('a/b'), false);
    assert.equal((await accepted(by, await issuer.token({ models: [] }))).allows('openai/gpt-4o'), false);
    assert.equal((await accepted(by, await issuer.token())).allows('openai/gpt-4o'), true);
  });

  test('of several audiences, signed with RSA, with keys from a URI of their own', async () => {
    const rsa = await OidcIssuer.start('RS256');
    try {
      const by = verifier({ jwksUri: `${rsa.url}/jwks` }, rsa);
      await accepted(by, await rsa.token({ aud: ['other', 'headgate'] }));
      assert.deepEqual(rsa.requests, ['/jwks']);
    } finally {
      rsa.stop();
    }
  });
});

describe('a bad token', () => {
  const cases: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    ['of another issuer', () => issuer.token({ iss: 'https://elsewhere.example' }), /issuer/],
    ['without issuer', () => issuer.token({ iss: undefined }), /issuer/],
    ['for another audience', () => issuer.token({ aud: 'other' }), /audience/],
    ['without audience', () => issuer.token({ aud: undefined }), /audience/],
    ['that has expired', () => issuer.token({ exp: Math.floor(Date.now() / 1000) - 5 }), /expired/],
    ['that never expires', () => issuer.token({ exp: undefined }), /claim/],
    ['that is not valid yet', () => issuer.token({ nbf: Math.floor(Date.now() / 1000) + 60 }), /not valid yet/],
    ['with an odd nbf', () => issuer.token({ nbf: 'soon' }), /claim/],
    ['without subject', () => issuer.token({ sub: undefined }), /claim/],
    ['with an object as subject', () => issuer.token({ sub: { a: 1 } }), /claim/],
    ['with an endless subject', () => issuer.token({ sub: 'x'.repeat(300) }), /claim/],
    ['with control characters as subject', () => issuer.token({ sub: 'a\nb' }), /claim/],
    ['signed with a shared secret', () => hmac('HS256'), /algorithm/],
    ['with algorithm none', none, /algorithm/],
    [
      'whose signature is cut off',
      async () => `${(await issuer.token()).split('.').slice(0, 2).join('.')}.`,
      /signature/,
    ],
    ['whose payload was changed', forged, /signature/],
    ['of a key that nobody knows', () => issuer.token({}, { kid: 'nobody' }), /does not publish/],
    ['that is huge', async () => `${'a'.repeat(9_000)}.b.c`, /cannot be read/],
    ['that is no JSON', async () => `${'a'.repeat(50)}.b.c`, /cannot be read/],
  ];
  for (const [what, make, expected] of cases) {
    test(what, async () => assert.match(await refusal(verifier(), await make()), expected));
  }

  test('with models in a form that cannot be read: not all of them', async () => {
    const by = verifier({ modelsClaim: 'models' });
    for (const models of [{ a: 1 }, [1], 7, null])
      assert.match(await refusal(by, await issuer.token({ models })), /claim/);
  });

  test('is looked at again when its time has come', async () => {
    const by = verifier();
    const exp = Math.floor(Date.now() / 1000) + 60;
    const token = await issuer.token({ exp });
    await accepted(by, token);
    assert.match(await refusal(by, token, exp * 1000 + 1), /expired/);
  });

  test('within the tolerance of clocks is let in', async () => {
    await accepted(
      verifier({ clockToleranceSeconds: 30 }),
      await issuer.token({ exp: Math.floor(Date.now() / 1000) - 5 }),
    );
  });
});

describe('keys', () => {
  test('that were rotated are fetched when the first token names them', async () => {
    const own = await OidcIssuer.start();
    try {
      const by = verifier({}, own, { jwksCooldownMs: 0 });
      await accepted(by, await own.token());
      await own.rotate();
      const tokens = await Promise.all([own.token({ sub: 'a' }), own.token({ sub: 'b' })]);
      await Promise.all(tokens.map((token) => accepted(by, token)));
      assert.equal(own.requests.filter((path) => path === '/jwks').length, 2, 'once for both');
    } finally {
      own.stop();
    }
  });

  test('are not fetched for each token of a stranger', async () => {
    const own = await OidcIssuer.start();
    try {
      const by = verifier({}, own);
      await accepted(by, await own.token());
      await own.rotate({ publish: false });
      for (const sub of ['a', 'b', 'c']) assert.match(await refusal(by, await own.token({ sub })), /does not publish/);
      assert.equal(own.requests.filter((path) => path === '/jwks').length, 1);
    } finally {
      own.stop();
    }
  });

  test('of an issuer that cannot be reached: 503, nobody is to blame; told once', async () => {
    const own = await OidcIssuer.start();
    try {
      own.failWith = 500;
      warnings.length = 0;
      const by = verifier({}, own);
      for (const _ of [1, 2]) {
        const found = await by.find(await own.token(), Date.now());
        assert.ok(!found.ok);
        assert.equal(found.error.status, 503);
        assert.equal(found.error.code, 'oidc_issuer_unreachable');
      }
      assert.equal(warnings.length, 1);
      assert.equal(own.requests.length, 1, 'not asked for every token');
    } finally {
      own.stop();
    }
  });

  test('of a discovery document that names another issuer are not taken', async () => {
    const own = await OidcIssuer.start();
    try {
      own.claimedIssuer = 'https://elsewhere.example';
      const found = await verifier({}, own).find(await own.token(), Date.now());
      assert.ok(!found.ok && found.error.status === 503);
    } finally {
      own.stop();
    }
  });
});

test('what looks like a token', () => {
  assert.equal(looksLikeToken('hg_live_0123456789abcdefghijklmnopqrstuvwxyz0123456789'), false);
  assert.equal(looksLikeToken('sk-a.b.c'), false);
  assert.equal(looksLikeToken(`eyJhbGciOiJFUzI1NiJ9.${'x'.repeat(40)}.sig`), true);
});

function hmac(alg: string): Promise<string> {
  return new SignJWT({ iss: issuer.url, aud: 'headgate', sub: 'x', exp: Math.floor(Date.now() / 1000) + 60 })
    .setProtectedHeader({ alg, kid: 'key-1' })
    .sign(Buffer.alloc(32, 7));
}

async function none(): Promise<string> {
  const [, payload] = (await issuer.token()).split('.');
  return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
}

async function forged(): Promise<string> {
  const [header, payload = '', signature] = (await issuer.token()).split('.');
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: 'root' };
  return `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
}
