import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { configuredKeys, KeyTable } from '@headgate/core/identity';
import { KeyStore, SnapshotPublisher } from '@headgate/core/snapshot';
import { ApiKeyOrigin, ApiKeySchema, BudgetMode, BudgetWindow } from '@headgate/proto/api_key';
import { AdminBench, PREFIX, PROTOCOLS, SECRET, TOKEN } from './admin-bench.testing.ts';

const DAY_MS = 24 * 3_600_000;

let bench: AdminBench;
let store: KeyStore;

before(async () => {
  bench = await AdminBench.start();
  store = new KeyStore(bench.client, PREFIX);
});
beforeEach(async () => void (await bench.client.flushall()));
after(() => bench.stop());

/** What an ingress would say of the text of a key. */
async function lookup(text: string, atMs = Date.now()): Promise<string> {
  const found = new KeyTable(SECRET, await store.list()).find(text, atMs);
  return found.ok ? found.principal.id : found.reason;
}

function refusedWith(code: Code, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof ConnectError, String(error));
    assert.equal(Code[error.code], Code[code], error.message);
    assert.match(error.rawMessage, words);
    return true;
  };
}

for (const protocol of PROTOCOLS) {
  test(`a key's whole life by ${protocol}`, async () => {
    const keys = bench.keys(protocol);
    const expiresAtMs = BigInt(Date.now() + DAY_MS);
    const created = await keys.createKey({
      name: 'checkout',
      group: 'shop',
      models: ['anthropic/*'],
      expiresAtMs,
      limits: { requestsPerMinute: 600n, tokensPerDay: 9_007_199_254n },
      budget: { usd: '99.50' },
      queue: { maxWaitMs: 500 },
    });
    const view = created.key;
    assert.ok(view);
    assert.match(created.secret, /^hg_[0-9A-Za-z]{43}$/);
    assert.match(view.id, /^key_[0-9A-Z]{26}$/);
    assert.equal(view.hint, created.secret.slice(0, 7));
    assert.equal(view.origin, ApiKeyOrigin.ADMIN);
    assert.deepEqual([view.limits?.requestsPerMinute, view.limits?.tokensPerDay], [600n, 9_007_199_254n]);
    assert.deepEqual([view.budget?.window, view.budget?.mode], [BudgetWindow.MONTH, BudgetMode.HARD]);
    assert.deepEqual([view.queue?.maxWaitMs, view.queue?.maxWaiting], [500, 100]);
    assert.equal(await lookup(created.secret), view.id);
    assert.equal(await lookup(created.secret, Number(expiresAtMs)), 'expired');

    const { id } = view;
    assert.deepEqual((await keys.getKey({ id })).key, view);
    assert.deepEqual((await keys.listKeys({})).keys, [view]);
    assert.deepEqual((await keys.listKeys({ group: 'other' })).keys, []);

    const updated = await keys.updateKey({ id, disabled: true, models: { patterns: [] }, expiresAtMs: 0n });
    assert.deepEqual([updated.key?.disabled, updated.key?.models, updated.key?.expiresAtMs], [true, [], 0n]);
    assert.equal(updated.key?.limits?.requestsPerMinute, 600n, 'what was not named stays');
    assert.notEqual(updated.key?.etag, view.etag);
    assert.equal(await lookup(created.secret), 'disabled');
    const bare = await keys.updateKey({ id, disabled: false, removeBudget: true, removeQueue: true, limits: {} });
    assert.deepEqual(
      [bare.key?.budget, bare.key?.queue, bare.key?.limits?.requestsPerMinute],
      [undefined, undefined, 0n],
    );

    const rotated = await keys.rotateKey({ id, overlapSeconds: 60 });
    assert.notEqual(rotated.secret, created.secret);
    const ends = Number(rotated.key?.previousExpiresAtMs);
    assert.ok(ends > Date.now() + 55_000 && ends <= Date.now() + 60_000);
    assert.deepEqual([await lookup(created.secret), await lookup(rotated.secret)], [id, id]);
    assert.deepEqual([await lookup(created.secret, ends), await lookup(rotated.secret, ends)], ['expired', id]);
    const again = await keys.rotateKey({ id });
    assert.equal(again.key?.previousExpiresAtMs, 0n);
    assert.deepEqual([await lookup(rotated.secret), await lookup(again.secret)], ['unknown', id]);

    await keys.deleteKey({ id });
    assert.equal(await lookup(again.secret), 'unknown');
    await assert.rejects(keys.getKey({ id }), refusedWith(Code.NotFound, /no key of this id/));
    await assert.rejects(keys.deleteKey({ id }), refusedWith(Code.NotFound, /no key of this id/));
  });
}

describe('plain JSON over HTTP', () => {
  test('does what a client does', async () => {
    const created = await bench.post('KeyService/CreateKey', '{"name":"curl","limits":{"requestsPerMinute":"5"}}');
    assert.equal(created.status, 200, created.text);
    const { key, secret } = created.json as { key: Record<string, unknown>; secret: string };
    assert.equal(key.origin, 'API_KEY_ORIGIN_ADMIN');
    assert.deepEqual(key.limits, { requestsPerMinute: '5' });
    assert.equal(await lookup(secret), key.id);
    const listed = await bench.post('KeyService/ListKeys', '{}');
    assert.deepEqual(listed.json, { keys: [key] });
    assert.equal((await bench.post('KeyService/DeleteKey', JSON.stringify({ id: key.id }))).text, '{}');
  });

  test('tells what is wrong, with a status that fits', async () => {
    const misspelt = await bench.post('KeyService/CreateKey', '{"name":"a","expireAtMs":"1"}');
    assert.deepEqual([misspelt.status, misspelt.json.code], [400, 'invalid_argument']);
    assert.match(String(misspelt.json.message), /expireAtMs/);
    assert.equal((await bench.post('KeyService/CreateKey', '{"name":')).status, 400);
    assert.equal((await bench.post('KeyService/GetKey', '{"id":"key_x"}')).status, 404);
    assert.equal((await bench.post('KeyService/Nope', '{}')).status, 404);
    const large = await bench.post('KeyService/CreateKey', JSON.stringify({ name: 'x'.repeat(300_000) }));
    assert.deepEqual([large.status, large.json.code], [429, 'resource_exhausted']);
    const get = await fetch(`${bench.url}/headgate.v1.KeyService/ListKeys`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    assert.equal(get.status, 405);
    assert.deepEqual(await store.list(), []);
  });
});

describe('what is refused', () => {
  const tooLong = 'x'.repeat(101);
  const cases: readonly (readonly [what: string, request: object, words: RegExp])[] = [
    ['no name', {}, /^name: found nothing, expected 1 to 100 printable/],
    ['a long name', { name: tooLong }, /^name: found 101 characters/],
    ['a name of two lines', { name: 'a\nb' }, /^name: found a control character/],
    ['a name with a space at its end', { name: 'a ' }, /^name: found a space at an end/],
    ['a long group', { name: 'a', group: tooLong }, /^group: /],
    ['a pattern with a space', { name: 'a', models: ['a/b', 'a b'] }, /^models\[1\]: .*"anthropic\/\*"/],
    ['an empty pattern', { name: 'a', models: [''] }, /^models\[0\]: /],
    [
      'too many patterns',
      { name: 'a', models: Array(501).fill('a') },
      /^models: found 501 patterns, expected at most 500/,
    ],
    [
      'an expiry in the past',
      { name: 'a', expiresAtMs: 1_700_000_000_000n },
      /^expiresAtMs: found a time that has passed/,
    ],
    ['an expiry in microseconds', { name: 'a', expiresAtMs: 2_000_000_000_000_000n }, /after the year 9999/],
    ['a giant limit', { name: 'a', limits: { concurrency: 10n ** 13n } }, /^limits\.concurrency: found 10000000000000/],
    ['money that is none', { name: 'a', budget: { usd: '1e3' } }, /^budget\.usd: .*"99\.50"/],
    ['negative money', { name: 'a', budget: { usd: '-1' } }, /^budget\.usd: /],
    ['no money', { name: 'a', budget: { usd: '0.00' } }, /^budget\.usd: /],
    ['an unknown window', { name: 'a', budget: { usd: '1', window: 9 } }, /^budget\.window: found 9/],
    ['an unknown mode', { name: 'a', budget: { usd: '1', mode: 9 } }, /^budget\.mode: found 9/],
    ['a long wait', { name: 'a', queue: { maxWaitMs: 86_400_001 } }, /^queue\.maxWaitMs: /],
    ['two things at once', { name: '', group: tooLong }, /^name: .*; group: /],
  ];
  for (const [what, request, words] of cases) {
    test(`in a new key: ${what}`, async () => {
      await assert.rejects(
        bench.keys('Connect, binary, HTTP/2').createKey(request),
        refusedWith(Code.InvalidArgument, words),
      );
      assert.deepEqual(await store.list(), []);
    });
  }

  test('in a change and a rotation', async () => {
    const keys = bench.keys();
    const id = (await keys.createKey({ name: 'a' })).key?.id ?? '';
    const invalid = (words: RegExp) => refusedWith(Code.InvalidArgument, words);
    await assert.rejects(keys.updateKey({ id }), invalid(/^request: found nothing to change, .*disabled/));
    await assert.rejects(keys.updateKey({ id, name: '' }), invalid(/^name: /));
    await assert.rejects(keys.updateKey({ id, budget: { usd: '1' }, removeBudget: true }), invalid(/^removeBudget: /));
    await assert.rejects(keys.updateKey({ id, expiresAtMs: 1n }), invalid(/^expiresAtMs: /));
    await assert.rejects(keys.updateKey({ id: '', name: 'b' }), invalid(/^id: found nothing/));
    await assert.rejects(keys.rotateKey({ id, overlapSeconds: 2_592_001 }), invalid(/30 days/));
    await assert.rejects(keys.listKeys({ pageToken: 'page 2' }), invalid(/^pageToken: found something else/));
    await assert.rejects(keys.listKeys({ pageSize: 1001 }), invalid(/^pageSize: found 1001, expected at most 1000/));
  });

  test('a name that another key has, of the file too', async () => {
    const keys = bench.keys();
    const configured = configuredKeys([{ name: 'file', key: 'key-0123456789', disabled: false }], SECRET);
    await new SnapshotPublisher(bench.client, PREFIX).syncConfiguredKeys(configured);
    const a = (await keys.createKey({ name: 'a' })).key;
    const b = (await keys.createKey({ name: 'b' })).key;
    const taken = refusedWith(Code.AlreadyExists, /^name: another key is called "/);
    await assert.rejects(keys.createKey({ name: 'a' }), taken);
    await assert.rejects(keys.createKey({ name: 'file' }), taken);
    await assert.rejects(keys.updateKey({ id: b?.id ?? '', name: 'a' }), taken);
    await assert.rejects(keys.updateKey({ id: b?.id ?? '', name: 'file' }), taken);
    assert.equal((await keys.updateKey({ id: a?.id ?? '', name: 'a' })).key?.name, 'a', 'its own name is no clash');
  });

  test('any change to a key of headgate.yaml, which is shown all the same', async () => {
    const keys = bench.keys();
    const configured = configuredKeys([{ name: 'file', key: 'key-0123456789', disabled: false }], SECRET);
    await new SnapshotPublisher(bench.client, PREFIX).syncConfiguredKeys(configured);
    const [view] = (await keys.listKeys({})).keys;
    assert.deepEqual([view?.name, view?.origin, view?.hint], ['file', ApiKeyOrigin.CONFIG, '']);
    const id = view?.id ?? '';
    const there = refusedWith(Code.FailedPrecondition, /headgate\.yaml.*change it there/);
    await assert.rejects(keys.updateKey({ id, disabled: true }), there);
    await assert.rejects(keys.rotateKey({ id }), there);
    await assert.rejects(keys.deleteKey({ id }), there);
    assert.equal(await lookup('key-0123456789'), id);
  });

  test('the rotation of an expired key', async () => {
    const keys = bench.keys();
    const { key } = await keys.createKey({ name: 'a' });
    const stored = await store.get(key?.id ?? '');
    assert.ok(stored);
    await store.replace(stored, { ...stored.key, expiresAtMs: 1n });
    await assert.rejects(
      keys.rotateKey({ id: stored.key.id }),
      refusedWith(Code.FailedPrecondition, /has expired: give it another expiresAtMs/),
    );
  });
});

describe('several administrators', () => {
  test('change one key at the same time, and no change is lost', async () => {
    const id = (await bench.keys().createKey({ name: 'a' })).key?.id ?? '';
    const changes = [{ group: 'shop' }, { models: { patterns: ['x/*'] } }, { limits: { concurrency: 7n } }];
    await Promise.all(changes.map((change, i) => bench.keys(PROTOCOLS[i]).updateKey({ id, ...change })));
    const { key } = await bench.keys().getKey({ id });
    assert.deepEqual([key?.group, key?.models, key?.limits?.concurrency], ['shop', ['x/*'], 7n]);
  });

  test('with the etag of what it saw, a change is refused when somebody was faster', async () => {
    const keys = bench.keys();
    const { key } = await keys.createKey({ name: 'a', limits: { requestsPerMinute: 1n } });
    assert.ok(key);
    const { id, etag } = key;
    const mine = await keys.updateKey({ id, etag, limits: { requestsPerMinute: 2n } });
    await assert.rejects(
      keys.updateKey({ id, etag, limits: { requestsPerMinute: 3n } }),
      refusedWith(Code.Aborted, /changed by somebody else.*look at it anew/),
    );
    assert.equal((await keys.getKey({ id })).key?.limits?.requestsPerMinute, 2n);
    await keys.updateKey({ id, etag: mine.key?.etag ?? '', limits: { requestsPerMinute: 4n } });
  });
});

test('a list is read page by page, in the order of creation, each key once', async () => {
  const keys = bench.keys();
  const names = Array.from({ length: 7 }, (_, i) => `key ${i}`);
  for (const name of names) await keys.createKey({ name, group: name === 'key 3' ? 'other' : 'shop' });
  const read = async (group: string) => {
    const pages: string[][] = [];
    for (let pageToken = ''; ; ) {
      const page = await keys.listKeys({ group, pageSize: 3, pageToken });
      pages.push(page.keys.map(({ name }) => name));
      pageToken = page.nextPageToken;
      if (pageToken === '') return pages;
    }
  };
  const pages = await read('');
  assert.deepEqual(
    pages.map(({ length }) => length),
    [3, 3, 1],
  );
  assert.deepEqual(pages.flat().sort(), names);
  assert.deepEqual(
    (await read('shop')).map(({ length }) => length),
    [3, 3],
  );
});

test('no secret leaves by a list, a log line or Redis, and each change leaves a line', async () => {
  const keys = bench.keys();
  const { key, secret } = await keys.createKey({ name: 'watched' });
  const id = key?.id ?? '';
  const rotated = await keys.rotateKey({ id, overlapSeconds: 60 });
  await keys.updateKey({ id, disabled: true });
  const shown = (await bench.post('KeyService/ListKeys', '{}')).text;
  const stored = await store.get(id);
  assert.ok(stored);
  const bytes = Buffer.from(toBinary(ApiKeySchema, stored.key));
  const hashes = [stored.key.hash, stored.key.previousHash].map((hash) => Buffer.from(hash));
  for (const text of [secret, rotated.secret]) {
    assert.ok(!shown.includes(text) && !bench.log.includes(text) && !bytes.includes(text));
  }
  for (const hash of hashes) {
    assert.equal(hash.length, 32);
    assert.ok(!shown.includes(hash.toString('base64').slice(0, 20)) && !bench.log.includes(hash.toString('hex')));
  }
  await keys.deleteKey({ id });
  const lines = bench.log.split('\n').filter((line) => line.includes(id));
  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    told.map(({ msg }) => msg),
    ['API key created', 'API key rotated', 'API key changed', 'API key deleted'],
  );
  for (const line of told) assert.deepEqual([line.audit, line.keyName, line.peer], [true, 'watched', '127.0.0.1']);
  assert.deepEqual(told[2]?.changed, ['disabled']);
  assert.ok(!bench.log.includes(TOKEN));
});
