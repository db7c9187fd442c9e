import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../errors/index.ts';
import { createQueueConnection, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { batchObject } from './batch-object.ts';
import { BatchStore } from './batch-store.ts';
import { type BatchDraft, type LineResult, NO_USAGE } from './contract.ts';

let server: RedisServer;
let client: RedisClient;
let store: BatchStore;

before(async () => {
  server = await startRedisServer();
  client = createQueueConnection(server.url, 'batches');
  if (client.status !== 'ready') await once(client, 'ready');
  store = new BatchStore(client, redisKeys('test'));
});
after(async () => {
  client.disconnect();
  await server.stop();
});

const draft = (owner: string, more: Partial<BatchDraft> = {}): BatchDraft => ({
  owner,
  principal: '',
  endpoint: '/v1/embeddings',
  inputFileId: 'file-1',
  completionWindow: '24h',
  metadata: null,
  outputExpiresAfterS: null,
  ...more,
});

const nothing = (): Promise<void> => Promise.resolve();

async function running(owner: string, lines: number): Promise<string> {
  const { batch } = await store.create(draft(owner), null, nothing);
  const shards = [{ number: 0, from: 0, to: 100, firstLine: 1, requests: lines }];
  assert.ok(await store.accept(batch.id, { shards, total: lines, model: 'a/b' }));
  return batch.id;
}

const result = (text: string, ok = true): LineResult => ({
  ok,
  line: Buffer.from(text),
  usage: { ...NO_USAGE, inputTokens: 3 },
});

async function resultsOf(id: string): Promise<[line: number, ok: boolean, text: string][]> {
  const found: [number, boolean, string][] = [];
  for await (const { number, ok, line } of store.results(id, 0, await store.lines(id, 0))) {
    found.push([number, ok, line.toString()]);
  }
  return found;
}

describe('a batch', () => {
  test('from its beginning to its end', async () => {
    const added: string[] = [];
    const asked = draft('whole', { metadata: { nightly: 'yes' }, outputExpiresAfterS: 3_600 });
    const { batch, isNew } = await store.create(asked, null, async (id) => void added.push(id));
    const { id } = batch;
    assert.deepEqual([isNew, added, batch.status, batch.metadata], [true, [id], 'validating', { nightly: 'yes' }]);
    assert.match(id, /^batch_[0-9A-Z]{26}$/);
    assert.equal(batch.expiresAt - batch.createdAt, 86_400);
    assert.ok((await store.open()).includes(id));
    const shards = [
      { number: 0, from: 0, to: 200, firstLine: 1, requests: 2 },
      { number: 1, from: 201, to: 300, firstLine: 4, requests: 1 },
    ];
    assert.ok(await store.accept(id, { shards, total: 3, model: 'a/b' }));
    assert.equal(await store.accept(id, { shards, total: 3, model: 'a/b' }), false, 'twice is once');
    assert.deepEqual(await store.shards(id), shards);
    const first = (await store.begin(id, 0)) ?? assert.fail();
    const second = (await store.begin(id, 1)) ?? assert.fail();
    assert.deepEqual(await store.commit(id, 0, first, 1, result('one')), { commit: 'written', status: 'in_progress' });
    assert.deepEqual(await store.commit(id, 1, second, 4, result('no', false)), {
      commit: 'written',
      status: 'in_progress',
    });
    assert.deepEqual(await store.commit(id, 0, first, 1, result('again')), {
      commit: 'refused',
      status: 'in_progress',
    });
    const { completed, failed, usage } = (await store.get('whole', id)) ?? assert.fail();
    assert.deepEqual([completed, failed, usage.inputTokens], [1, 1, 6]);
    assert.deepEqual(await store.commit(id, 0, first, 2, result('two')), { commit: 'last', status: 'finalizing' });
    assert.equal(await store.cancel(id), false);
    assert.equal(await store.seal(id), 'finalizing');
    assert.deepEqual(await resultsOf(id), [
      [1, true, 'one'],
      [2, true, 'two'],
    ]);
    await store.end(id, 'completed', { outputFileId: 'file-o', errorFileId: 'file-e' });
    const object = batchObject((await store.get('whole', id)) ?? assert.fail());
    assert.deepEqual(
      [object.status, object.request_counts, object.output_file_id, object.error_file_id, object.model, object.errors],
      ['completed', { total: 3, completed: 2, failed: 1 }, 'file-o', 'file-e', 'a/b', null],
    );
    for (const name of ['in_progress_at', 'finalizing_at', 'completed_at']) assert.equal(typeof object[name], 'number');
    for (const name of ['failed_at', 'expired_at', 'cancelling_at', 'cancelled_at']) assert.equal(object[name], null);
    assert.equal((await store.open()).includes(id), false);
    assert.deepEqual(await resultsOf(id), [], 'results are in the files');
    assert.equal(await store.seal(id), null);
  });

  test('whose results are large is read a part at a time, in order', async () => {
    const id = await running('large', 5);
    const claim = (await store.begin(id, 0)) ?? assert.fail();
    const large = (line: number): string => String(line).repeat(3 * 1024 * 1024);
    for (const line of [4, 1, 3, 2, 5]) await store.commit(id, 0, claim, line, result(large(line), line !== 3));
    assert.ok(
      (await resultsOf(id)).every(
        ([line, ok, text], at) => line === at + 1 && ok === (line !== 3) && text === large(line),
      ),
    );
  });

  test('that cannot have files ends as failed, whatever it was on the way to', async () => {
    const id = await running('homeless', 1);
    const claim = (await store.begin(id, 0)) ?? assert.fail();
    assert.equal((await store.commit(id, 0, claim, 1, result('one'))).commit, 'last');
    await store.reject(id, [{ code: 'bucket_full', message: 'Full.', param: null, line: null }]);
    assert.equal((await store.find(id))?.status, 'failed');
    assert.deepEqual([(await store.open()).includes(id), await resultsOf(id)], [false, []]);
  });

  test('whose input is wrong', async () => {
    const { batch } = await store.create(draft('wrong'), null, nothing);
    const problems = [{ code: 'duplicate_custom_id', message: 'Twice.', param: 'custom_id', line: 2 }];
    await store.reject(batch.id, problems);
    const object = batchObject((await store.get('wrong', batch.id)) ?? assert.fail());
    assert.deepEqual([object.status, object.errors], ['failed', { object: 'list', data: problems }]);
    assert.equal(await store.accept(batch.id, { shards: [], total: 0, model: null }), false);
    assert.equal(await store.cancel(batch.id), false);
  });

  test('that is cancelled: what is under way counts until its files are made', async () => {
    const id = await running('cancelled', 3);
    const claim = (await store.begin(id, 0)) ?? assert.fail();
    assert.ok(await store.cancel(id));
    assert.equal(await store.cancel(id), false);
    assert.equal(await store.begin(id, 0), null);
    assert.deepEqual(await store.commit(id, 0, claim, 1, result('1')), { commit: 'written', status: 'cancelling' });
    assert.equal(await store.seal(id), 'cancelling');
    assert.deepEqual(await store.commit(id, 0, claim, 2, result('2')), { commit: 'refused', status: 'cancelling' });
    await store.end(id, 'cancelled', { outputFileId: null, errorFileId: 'file-e' });
    const batch = (await store.find(id)) ?? assert.fail();
    assert.deepEqual([batch.status, batch.completed, batch.errorFileId], ['cancelled', 1, 'file-e']);
  });

  test('that expires', async () => {
    const id = await running('late', 2);
    const claim = (await store.begin(id, 0)) ?? assert.fail();
    assert.equal(await store.seal(id), 'in_progress');
    assert.equal((await store.commit(id, 0, claim, 1, result('1'))).commit, 'refused');
    assert.equal(await store.begin(id, 0), null);
    await store.end(id, 'expired', { outputFileId: null, errorFileId: 'file-e' });
    assert.equal((await store.find(id))?.status, 'expired');
  });

  test('belongs to one owner', async () => {
    const { batch } = await store.create(draft('mine'), null, nothing);
    assert.equal(await store.get('yours', batch.id), null);
    assert.equal(await store.get('mine', 'batch_none'), null);
    assert.deepEqual(await store.list('yours', { limit: 10 }), { batches: [], hasMore: false });
  });

  test('is listed, the newest first, page by page', async () => {
    const ids: string[] = [];
    for (let at = 0; at < 5; at++) ids.unshift((await store.create(draft('lists'), null, nothing)).batch.id);
    const seen: string[] = [];
    for (let after: string | undefined, more = true; more; ) {
      const page = await store.list('lists', { limit: 2, ...(after && { after }) });
      seen.push(...page.batches.map(({ id }) => id));
      after = seen.at(-1);
      more = page.hasMore;
    }
    assert.deepEqual(seen, ids);
    await assert.rejects(store.list('lists', { limit: 2, after: 'batch_none' }), GatewayError);
    assert.equal(await store.countOpen('lists'), 5);
  });

  test('is made once for an idempotency key', async () => {
    const key = { key: 'nightly 7', digest: 'd1' };
    const made = await Promise.all(Array.from({ length: 5 }, () => store.create(draft('once'), key, nothing)));
    assert.equal(new Set(made.map(({ batch }) => batch.id)).size, 1);
    await assert.rejects(store.create(draft('once'), { ...key, digest: 'd2' }, nothing), (error) => {
      assert.ok(error instanceof GatewayError);
      return error.status === 422 && error.code === 'idempotency_key_reused';
    });
    const other = await store.create(draft('other'), { ...key, digest: 'd2' }, nothing);
    assert.ok(other.isNew, "another caller's key is another key");
  });

  test('is made by the second try where the first could not be accepted', async () => {
    const key = { key: 'retry', digest: 'd' };
    await assert.rejects(store.create(draft('again'), key, () => Promise.reject(new Error('no queue'))));
    const added: string[] = [];
    const { batch } = await store.create(draft('again'), key, async (id) => void added.push(id));
    assert.equal((await store.list('again', { limit: 10 })).batches.length, 1);
    assert.deepEqual([batch.status, added], ['validating', [batch.id]]);
  });
});

test('whoever works when, each line has one result, of the worker that had the shard', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('begin' as const), worker: fc.nat(2) }),
    fc.record({ kind: fc.constant('commit' as const), worker: fc.nat(2), line: fc.integer({ min: 1, max: 4 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const id = await running('any', 4);
      const claims = new Map<number, Awaited<ReturnType<BatchStore['begin']>>>();
      const model = new Map<number, string>();
      let holder = -1;
      for (const { kind, worker, ...rest } of steps) {
        if (kind === 'begin') {
          const claim = await store.begin(id, 0);
          assert.equal(claim === null, model.size === 4);
          if (claim === null) continue;
          assert.deepEqual([...claim.done].sort(), [...model.keys()].sort());
          claims.set(worker, claim);
          holder = worker;
          continue;
        }
        const claim = claims.get(worker);
        const line = 'line' in rest ? rest.line : 0;
        if (!claim) continue;
        const { commit } = await store.commit(id, 0, claim, line, result(`${worker} ${line}`));
        const isTaken = worker === holder && !model.has(line);
        if (isTaken) model.set(line, `${worker} ${line}`);
        assert.equal(commit, !isTaken ? 'refused' : model.size === 4 ? 'last' : 'written');
      }
      const results = await resultsOf(id);
      assert.deepEqual(new Map(results.map(([line, , text]) => [line, text])), model);
      assert.equal((await store.find(id))?.completed, model.size);
    }),
    { numRuns: 60 },
  );
});
