import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { createRequestClient, type RedisClient } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { type Bucket, msUntil, refilled } from './bucket.ts';
import { ACQUIRE } from './subject-state.ts';
import { windowAt } from './units.ts';

let server: RedisServer;
let client: RedisClient;
let serial = 0;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'acquire-test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
after(async () => {
  client.disconnect();
  await server.stop();
});

interface Ask {
  readonly give?: number;
  readonly want?: number;
  readonly all?: number;
  readonly wish?: number;
  readonly hint?: number;
  readonly extra?: number;
  readonly hand?: number;
  readonly reserved?: number;
}

/** One call for one unit. */
async function acquire(
  subject: string,
  [kind, capacity, period]: readonly [string, number, number | string],
  { give = 0, want = 0, all = want, wish = 0, hint = -1, extra = 0, hand = 0, reserved = 0 }: Ask = {},
  { replica = 'a', replicas = 1, revision = 0, epoch = '', server = '' } = {},
) {
  const keys = [`{${subject}}:buckets`, `{${subject}}:slots`];
  const args = [
    replica,
    replicas,
    600_000,
    revision,
    epoch,
    server,
    1,
    'u',
    kind,
    capacity,
    period,
    give,
    want,
    all,
    wish,
    hint,
    extra,
    hand,
    reserved,
  ];
  const reply = (await ACQUIRE.run(client, keys, args)) as unknown[];
  const [now = 0, seen = 0] = reply.map(Number);
  const [granted = 0, left = 0, wait = 0, ends = 0] = reply.slice(4).map(Number);
  return { now, revision: seen, epoch: String(reply[2]), server: String(reply[3]), granted, left, wait, ends };
}

const fresh = (): string => `s${serial++}`;

describe('a bucket in Redis', () => {
  test('does the arithmetic of bucket.ts', async () => {
    const step = fc.record({ give: fc.integer({ min: -50, max: 50 }), want: fc.nat(60), wish: fc.nat(200) });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 100_000 }),
        fc.constantFrom(1_000, 60_000),
        fc.array(step, { maxLength: 12 }),
        async (capacity, window, steps) => {
          const subject = fresh();
          let bucket: Bucket | null = null;
          for (const { give, want, wish } of steps) {
            const { now, granted, left, wait } = await acquire(subject, ['bucket', capacity, window], {
              give,
              want,
              wish,
            });
            const before: Bucket = bucket
              ? refilled(bucket, capacity, window, now)
              : { units: capacity, part: 0, at: now };
            const units = Math.min(capacity, before.units + give);
            const given: Bucket = { units, part: units === capacity ? 0 : before.part, at: before.at };
            const fair = Math.floor(units / 2);
            const expected = units <= 0 || units < want ? 0 : Math.max(want, Math.min(wish, fair));
            assert.equal(granted, expected);
            assert.equal(left, units - granted);
            const until = msUntil(given, want, capacity, window);
            if (granted < want) assert.equal(wait, Number.isFinite(until) ? until : -1);
            bucket = { ...given, units: units - granted };
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('gives all that wait what they need, but keeps the rest for others', async () => {
    const subject = fresh();
    const unit = ['bucket', 100, 86_400_000] as const;
    assert.equal((await acquire(subject, unit, { want: 1, all: 60 }, { replicas: 4 })).granted, 60);
    assert.equal((await acquire(subject, unit, { wish: 40 }, { replicas: 4 })).granted, 5);
    assert.equal((await acquire(subject, unit, { want: 20, all: 50 }, { replicas: 4 })).granted, 35);
    assert.equal((await acquire(subject, unit, { want: 1 })).granted, 0);
  });

  test('says that it may come back at any moment while callers hold, or have reserved, enough of it', async () => {
    const subject = fresh();
    const unit = ['bucket', 100, 86_400_000] as const;
    const other = { replica: 'b' };
    assert.equal((await acquire(subject, unit, { want: 80 })).granted, 80);
    assert.equal((await acquire(subject, unit, { want: 60 }, other)).wait, -2, 'in hand of another one');
    assert.equal(
      (await acquire(subject, unit, { want: 60, reserved: 70, hand: 10 })).wait,
      -2,
      'reserved by its own requests',
    );
    // Of its own only what is reserved: what it has in hand is not wanted on top.
    assert.ok((await acquire(subject, unit, { want: 60, hand: 80 })).wait > 1_000);
    await acquire(subject, unit, { hand: 5, reserved: 20 });
    assert.equal((await acquire(subject, unit, { want: 45 }, other)).wait, -2);
    assert.ok((await acquire(subject, unit, { want: 46 }, other)).wait > 1_000, 'all the others have is too little');
    await acquire(subject, unit);
    assert.ok((await acquire(subject, unit, { want: 60 }, other)).wait > 1_000, 'it was spent');
    const fields = await client.hkeys(`{${subject}}:buckets`);
    assert.deepEqual(
      fields.filter((field) => field.includes('held')),
      [],
    );
  });

  test('does not count for ever on who says nothing any more', async () => {
    const subject = fresh();
    const unit = ['bucket', 100, 86_400_000] as const;
    await acquire(subject, unit, { want: 80 });
    const key = `{${subject}}:buckets`;
    const [amount = '', until = ''] = (await client.hget(key, 'u:held:a'))?.split(':') ?? [];
    assert.equal(amount, '80');
    const inMs = Number(until) - Date.now();
    assert.ok(inMs > 590_000 && inMs < 610_000, `${inMs}`);
    await client.hset(key, 'u:held:a', `80:${Date.now() - 1}`);
    assert.ok((await acquire(subject, unit, { want: 60 }, { replica: 'b' })).wait > 1_000);
    assert.equal(await client.hexists(key, 'u:held:a'), 0);
  });

  test('keeps back what others may owe', async () => {
    const subject = fresh();
    const unit = ['bucket', 100, 86_400_000] as const;
    assert.equal((await acquire(subject, unit, { want: 30, extra: 80 })).granted, 0);
    assert.equal((await acquire(subject, unit, { want: 20, extra: 80 })).granted, 20);
    assert.equal((await acquire(subject, unit, { want: 30 })).granted, 30);
  });

  describe('of which Redis has lost what was written', () => {
    const unit = ['bucket', 100, 86_400_000] as const;

    test('believes whoever saw the newest of it, in whatever order they come', async () => {
      const subject = fresh();
      const seen = await acquire(subject, unit, { want: 60 });
      const latest = await acquire(subject, unit, { want: 30 });
      assert.equal(latest.left, 10);
      await client.del(`{${subject}}:buckets`);
      const first = await acquire(subject, unit, { hint: 40, give: -3 }, seen);
      assert.equal(first.left, 37, 'not a full one');
      const again = await acquire(subject, unit, { hint: 37, give: 1 }, first);
      assert.equal(again.left, 38);
      const second = await acquire(subject, unit, { hint: 10, give: -1 }, latest);
      assert.equal(second.left, 10 - 3 + 1 - 1, 'this one knew more, and what was told since counts, too');
      const late = await acquire(subject, unit, { hint: 0 }, seen);
      assert.equal(late.left, 7, 'and this one less');
    });

    test('takes back what was given out to somebody who knew nothing', async () => {
      const subject = fresh();
      const seen = await acquire(subject, unit, { want: 80 });
      await client.del(`{${subject}}:buckets`);
      assert.equal((await acquire(subject, unit, { want: 15 })).left, 85);
      const told = await acquire(subject, unit, { hint: 20 }, seen);
      assert.equal(told.left, 5);
      assert.notEqual(told.epoch, seen.epoch);
    });

    test('finds it out by the server, when an older state is there again', async () => {
      const subject = fresh();
      const old = await acquire(subject, unit, { want: 20 });
      const stored = await client.hgetall(`{${subject}}:buckets`);
      const latest = await acquire(subject, unit, { want: 50 });
      assert.equal(latest.left, 30);
      await client.del(`{${subject}}:buckets`);
      await client.hset(`{${subject}}:buckets`, stored);
      // As many calls as were lost, from somebody who saw none of those.
      const other = { ...old, server: 'another' };
      const moved = await acquire(subject, unit, { hint: 80, give: -1 }, other);
      assert.deepEqual([moved.left, moved.server], [79, 'another']);
      assert.equal((await acquire(subject, unit, { hint: 79, give: -1 }, moved)).left, 78);
      const told = await acquire(subject, unit, { hint: 30 }, { ...latest, server: 'another' });
      assert.equal(told.left, 28);
      assert.equal(told.epoch, moved.epoch);
    });

    test('nothing that came back is forgotten when all is there', async () => {
      const subject = fresh();
      const a = await acquire(subject, unit, { want: 80 });
      const b = await acquire(subject, unit, { give: 70 });
      assert.equal(b.left, 90);
      const moved = { ...b, server: 'another' };
      assert.equal((await acquire(subject, unit, { hint: 90 }, moved)).left, 90);
      assert.equal((await acquire(subject, unit, { hint: 20 }, { ...a, server: 'another' })).left, 90);
    });
  });

  test('is kept no longer than anybody needs it', async () => {
    const subject = fresh();
    await acquire(subject, ['bucket', 10, 60_000], { want: 1 });
    const ttl = await client.pttl(`{${subject}}:buckets`);
    assert.ok(ttl > 0 && ttl <= 600_000, String(ttl));
  });
});

describe('slots in Redis', () => {
  const unit = ['slots', 10, 4_000] as const;

  test('are counted over all replicas, those in use above all', async () => {
    const subject = fresh();
    assert.equal((await acquire(subject, unit, { want: 7 }, { replica: 'a' })).granted, 7);
    const b = await acquire(subject, unit, { want: 5 }, { replica: 'b' });
    assert.deepEqual([b.granted, b.left], [0, 3]);
    assert.equal((await acquire(subject, unit, { want: 3 }, { replica: 'b' })).granted, 3);
    // Those that run are counted, whatever others have been given meanwhile.
    const a = await acquire(subject, unit, { give: 9 }, { replica: 'a' });
    assert.deepEqual([a.granted, a.left], [9, -2]);
    assert.equal((await acquire(subject, unit, { give: 1, want: 1 }, { replica: 'b' })).granted, 1);
    assert.equal((await acquire(subject, unit, { give: 0 }, { replica: 'a' })).granted, 0);
    assert.equal((await acquire(subject, unit, { give: 1, want: 9 }, { replica: 'b' })).granted, 10);
  });

  test('that others may use unheard are kept back, as far as they hold none', async () => {
    const subject = fresh();
    const of = (replica: string) => ({ replica, replicas: 3 });
    assert.equal((await acquire(subject, unit, { want: 1, all: 10, extra: 3 }, of('a'))).granted, 4);
    assert.equal((await acquire(subject, unit, { want: 1, all: 2, extra: 3 }, of('b'))).granted, 2);
    const a = await acquire(subject, unit, { give: 4, want: 1, all: 10, extra: 3 }, of('a'));
    assert.equal(a.granted, 4, 'three are kept for the third, and one for the second');
  });

  test('of a replica that says nothing any more are free again', async () => {
    const subject = fresh();
    const short = ['slots', 1, 30] as const;
    assert.equal((await acquire(subject, short, { want: 1 }, { replica: 'a' })).granted, 1);
    assert.equal((await acquire(subject, short, { want: 1 }, { replica: 'b' })).granted, 0);
    await new Promise((done) => setTimeout(done, 40));
    assert.equal((await acquire(subject, short, { want: 1 }, { replica: 'b' })).granted, 1);
  });
});

describe('a budget in Redis', () => {
  test('has the calendar of UTC', async () => {
    const [, calendar = ''] = /(-- Days since the epoch[\s\S]*?)\nlocal function budget/.exec(ACQUIRE.text) ?? [];
    const script = `local now = tonumber(ARGV[1])\nlocal DAY = 86400000\n${calendar}
      return { string.format('%.0f', windowEnd('day')), string.format('%.0f', windowEnd('week')),
        string.format('%.0f', windowEnd('month')), string.format('%.0f', windowEnd('total')) }`;
    const times = fc.oneof(
      fc
        .date({ min: new Date('1970-01-01'), max: new Date('2400-01-01'), noInvalidDate: true })
        .map((d) => d.getTime()),
      fc
        .constantFrom(
          '2024-02-29T23:59:59.999Z',
          '2100-02-28T12:00:00Z',
          '2026-12-31T23:59:59Z',
          '2027-01-01T00:00:00Z',
        )
        .map(Date.parse),
    );
    await fc.assert(
      fc.asyncProperty(times, async (now) => {
        const ends = ((await client.eval(script, 0, now)) as string[]).map(Number);
        const expected = (['day', 'week', 'month'] as const).map((window) => windowAt(window, now).endMs);
        assert.deepEqual(ends, [...expected, 0]);
      }),
      { numRuns: 300 },
    );
  });

  test('begins anew in a new window; nothing comes back to an old one', async () => {
    const subject = fresh();
    const unit = ['budget', 1_000, 'month'] as const;
    const first = await acquire(subject, unit, { want: 900 });
    assert.deepEqual([first.granted, first.left], [900, 100]);
    assert.ok(first.ends > first.now);
    assert.equal((await acquire(subject, unit, { want: 200 })).granted, 0);
    assert.equal((await acquire(subject, unit, { give: 300, extra: first.ends, want: 200 })).granted, 200);
    // As if what is stored were of last month.
    await client.hset(`{${subject}}:buckets`, 'u:ends', first.ends - 1);
    const next = await acquire(subject, unit, { give: 300, extra: first.ends - 1, want: 0 });
    assert.equal(next.left, 1_000, 'nothing of last month counts');
    assert.equal((await acquire(subject, unit, { give: -50, extra: first.ends - 1 })).left, 950, 'what was owed does');
  });

  test('that was lost is not given out a second time', async () => {
    const subject = fresh();
    const unit = ['budget', 1_000, 'total'] as const;
    const seen = await acquire(subject, unit, { want: 900 });
    await client.del(`{${subject}}:buckets`);
    assert.equal((await acquire(subject, unit, { want: 500, hint: 100 }, seen)).granted, 0);
  });
});
