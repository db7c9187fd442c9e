import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ulid } from 'ulid';
import { createQueueConnection, createSubscriber, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { ChunkStore } from './chunk-store.ts';

const keys = redisKeys('hg');
const KEEP_MS = 60_000;
let server: RedisServer;
let client: RedisClient;
let store: ChunkStore;

before(async () => {
  server = await startRedisServer();
  client = createQueueConnection(server.url, 'test');
  store = new ChunkStore(client, keys);
});
after(async () => {
  client.disconnect();
  await server.stop();
});

const result = (text: string) => ({ head: Buffer.from([0, 255, 1]), data: Buffer.from(text) });

test('a result crosses as the bytes it was, and is forgotten once read', async () => {
  const id = ulid();
  await store.open([id], KEEP_MS);
  assert.deepEqual(await store.states([id]), ['open']);
  assert.equal(await store.read(id), null);
  assert.equal(await store.begin(id), 1);
  const data = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  assert.equal(await store.commit(id, 1, { head: Buffer.from([200, 0]), data }, 'me', KEEP_MS), true);
  assert.deepEqual(await store.states([id]), ['done']);
  assert.deepEqual(await store.read(id), { head: Buffer.from([200, 0]), data });
  await store.drop(id);
  assert.deepEqual(await store.states([id]), ['gone']);
  assert.equal(await store.begin(id), 'gone');
});

test('records go by themselves, and results sooner', async () => {
  const [open, done] = [ulid(), ulid()];
  await store.open([open, done], 90_000);
  await store.begin(done);
  await store.commit(done, 1, result('x'), 'me', 1_000);
  const left = await Promise.all([open, done].map((id) => client.pttl(keys.embeds.chunk(id))));
  assert.ok((left[0] ?? 0) > 80_000 && (left[0] ?? 0) <= 90_000);
  assert.ok((left[1] ?? 0) > 0 && (left[1] ?? 0) <= 1_000);
});

test('who waits hears of a commit, and who runs it of a cancellation', async () => {
  const subscriber = createSubscriber(server.url, 'test');
  const heard: string[] = [];
  const both = new Promise<void>((resolve) => {
    subscriber.on('message', (channel: string, id: string) => {
      heard.push(`${channel} ${id}`);
      if (heard.length === 2) resolve();
    });
  });
  await subscriber.subscribe(keys.embeds.done('me'), keys.embeds.cancelled);
  const [a, b] = [ulid(), ulid()];
  await store.open([a, b], KEEP_MS);
  await store.begin(a);
  await store.commit(a, 1, result('x'), 'me', KEEP_MS);
  assert.equal(await store.cancel(a), 'done');
  assert.equal(await store.cancel(b), 'open');
  assert.equal(await store.cancel(b), 'gone');
  await both;
  subscriber.disconnect();
  assert.deepEqual(heard, [`${keys.embeds.done('me')} ${a}`, `${keys.embeds.cancelled} ${b}`]);
});

type Step =
  | { readonly do: 'begin' | 'cancel' | 'expire' | 'drop' }
  | { readonly do: 'commit'; readonly worker: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'begin' } as const) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('commit' as const), worker: fc.nat({ max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ do: 'cancel' } as const, { do: 'expire' } as const, { do: 'drop' } as const),
  },
);

test('whatever workers, cancellation and expiry do in whatever order: one commit at most, by who began last', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const id = ulid();
      await store.open([id], KEEP_MS);
      const model = { state: 'open' as 'open' | 'done' | 'gone', newest: 0, by: -1 };
      /** Epoch of each worker that began, in order. */
      const workers: number[] = [];
      let commits = 0;
      for (const it of steps) {
        if (it.do === 'begin') {
          const epoch = await store.begin(id);
          if (model.state === 'open') {
            assert.ok(typeof epoch === 'number' && epoch > model.newest);
            model.newest = epoch;
            workers.push(epoch);
          } else assert.equal(epoch, model.state);
        } else if (it.do === 'commit') {
          const epoch = workers[it.worker];
          if (epoch === undefined) continue;
          const may = model.state === 'open' && epoch === model.newest;
          assert.equal(await store.commit(id, epoch, result(String(epoch)), 'me', KEEP_MS), may);
          if (may) {
            model.state = 'done';
            model.by = epoch;
            commits++;
          }
        } else if (it.do === 'cancel') {
          assert.equal(await store.cancel(id), model.state);
          if (model.state === 'open') model.state = 'gone';
        } else {
          // Time passes, or the result was read: the record is away either way.
          if (it.do === 'expire') await client.pexpire(keys.embeds.chunk(id), 0);
          else await store.drop(id);
          model.state = 'gone';
        }
        assert.deepEqual(await store.states([id]), [model.state]);
        assert.equal((await store.read(id))?.data.toString(), model.state === 'done' ? String(model.by) : undefined);
      }
      assert.ok(commits <= 1);
      await store.drop(id);
    }),
    { numRuns: 300 },
  );
});

test('of many workers that begin and commit at once exactly one is written', async () => {
  for (let round = 0; round < 20; round++) {
    const id = ulid();
    await store.open([id], KEEP_MS);
    const epochs = await Promise.all(Array.from({ length: 8 }, () => store.begin(id)));
    assert.equal(new Set(epochs).size, 8);
    const written = await Promise.all(
      epochs.map((epoch) => store.commit(id, Number(epoch), result(String(epoch)), 'me', KEEP_MS)),
    );
    assert.deepEqual(
      epochs.filter((_, at) => written[at]),
      [8],
    );
    assert.equal((await store.read(id))?.data.toString(), '8');
  }
});
