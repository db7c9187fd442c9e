import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { CredentialType, type UsageRecord, UsageRecordSchema } from '@headgate/proto/usage';
import fc from 'fast-check';
import { ulid } from 'ulid';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { fromDecimal, toDecimal } from './cost.ts';
import { type Grouping, Reports, RollUp, StreamReader, UsageWriter, usd } from './index.ts';
import { usageEntry } from './usage-entry.testing.ts';

const SEED = Number(process.env.FC_SEED ?? 20_261);
const KEYS = redisKeys('test');
const RETENTION = { generationHours: 72, reportDays: 400 };
const NOON = Date.parse('2026-06-15T12:00:00Z');
const DAY_MS = 24 * 3_600_000;

let server: RedisServer;
let client: RedisClient;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'ledger-test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
after(async () => {
  client.disconnect();
  await server.stop();
});
beforeEach(async () => void (await client.flushall()));

interface Given {
  readonly at?: number;
  readonly principalId?: string;
  readonly user?: string;
  readonly model?: string;
  readonly provider?: string;
  readonly tags?: string[];
  readonly byok?: boolean;
  readonly input?: number;
  readonly output?: number;
  readonly reasoning?: number;
  readonly cacheRead?: number;
  readonly cost?: string;
}

function generation(given: Given = {}): UsageRecord {
  const at = given.at ?? NOON;
  return create(UsageRecordSchema, {
    generationId: `gen_${ulid(at)}`,
    createdAtMs: BigInt(at),
    principalId: given.principalId ?? 'key_a',
    keyName: 'checkout',
    user: given.user ?? '',
    model: given.model ?? 'openai/gpt-4o',
    provider: given.provider ?? 'openai',
    tags: given.tags ?? [],
    credentialType: given.byok ? CredentialType.BYOK : CredentialType.SYSTEM,
    inputTokens: BigInt(given.input ?? 10),
    outputTokens: BigInt(given.output ?? 5),
    ...(given.reasoning === undefined ? {} : { reasoningTokens: BigInt(given.reasoning) }),
    ...(given.cacheRead === undefined ? {} : { cacheReadTokens: BigInt(given.cacheRead) }),
    costUsd: given.byok ? '0' : (given.cost ?? '0.001'),
    marketCostUsd: given.cost ?? '0.001',
  });
}

const written = () => usageEntry({ generationId: `gen_${ulid(NOON)}`, createdAtMs: NOON });
const rollUp = (): RollUp => new RollUp(client, KEYS, RETENTION);
const reports = (): Reports => new Reports(client, KEYS);
const month = (groupBy: Grouping, more: object = {}) =>
  reports().report({ principalId: 'key_a', startDate: '2026-06-01', endDate: '2026-06-30', groupBy, ...more });

describe('what was used', () => {
  test('is added up once, however often it is told', async () => {
    const records = [generation(), generation({ reasoning: 7, cacheRead: 3 })];
    assert.equal(await rollUp().add(records), 2);
    assert.equal(await rollUp().add([...records, generation()]), 1);
    assert.equal(await rollUp().add([records[0] as UsageRecord, records[0] as UsageRecord]), 0);
    const total = await reports().total('key_a');
    assert.deepEqual(
      { ...total, cost: usd(total.cost), marketCost: usd(total.marketCost) },
      {
        requests: 3,
        inputTokens: 33,
        outputTokens: 22,
        cacheReadTokens: 3,
        cacheWriteTokens: 0,
        reasoningTokens: 7,
        cost: '0.003',
        marketCost: '0.003',
      },
    );
  });

  test('is exact to the last digit', async () => {
    const cost = fc
      .tuple(fc.nat(9_999_999), fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }))
      .map(([whole, rest]) => toDecimal(BigInt(whole) * 10n ** 18n + rest));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cost, fc.nat(2 ** 40)), { minLength: 1, maxLength: 60 }), async (list) => {
        const principalId = `key_${ulid()}`;
        await rollUp().add(list.map(([price, input]) => generation({ principalId, cost: price, input })));
        const total = await reports().total(principalId);
        assert.equal(
          total.cost,
          list.reduce((sum, [price]) => sum + fromDecimal(price), 0n),
        );
        assert.equal(
          total.inputTokens,
          list.reduce((sum, [, input]) => sum + input, 0),
        );
      }),
      { seed: SEED, numRuns: 20 },
    );
  });

  test('by days, hours, users, models, providers, tags and credentials', async () => {
    await rollUp().add([
      generation({ user: 'ada', tags: ['b', 'a'] }),
      generation({ user: 'ada', model: 'anthropic/x', provider: 'vertex', tags: ['a'], byok: true }),
      generation({ at: NOON + DAY_MS, user: 'bob' }),
      generation({ principalId: 'key_b', user: 'eve' }),
    ]);
    const rows = async (groupBy: Grouping, more: object = {}) =>
      Object.fromEntries((await month(groupBy, more)).map(({ name, sums }) => [name, sums.requests]));
    assert.deepEqual(await rows('day'), { '2026-06-15': 2, '2026-06-16': 1 });
    assert.deepEqual(await rows('hour', { startDate: '2026-06-15', endDate: '2026-06-15' }), { '2026-06-15T12': 2 });
    assert.deepEqual(await rows('user'), { ada: 2, bob: 1 });
    assert.deepEqual(await rows('model'), { 'anthropic/x': 1, 'openai/gpt-4o': 2 });
    assert.deepEqual(await rows('provider', { user: 'ada' }), { openai: 1, vertex: 1 });
    assert.deepEqual(await rows('tag'), { a: 2, b: 1 });
    assert.deepEqual(await rows('user', { tags: ['b'] }), { ada: 1 });
    assert.deepEqual(await rows('credential_type'), { byok: 1, system: 2 });
    assert.deepEqual(await rows('model', { credentialType: 'byok' }), { 'anthropic/x': 1 });
    assert.deepEqual(await rows('user', { principalId: null }), { ada: 2, bob: 1, eve: 1 });
    const [byok] = await month('credential_type');
    assert.deepEqual([usd(byok?.sums.cost ?? 1n), usd(byok?.sums.marketCost ?? 0n)], ['0', '0.001']);
  });

  test('of one generation is told to its own key, and to no other', async () => {
    const record = generation();
    await rollUp().add([record]);
    assert.equal((await reports().generation(record.generationId, 'key_a'))?.model, 'openai/gpt-4o');
    assert.notEqual(await reports().generation(record.generationId, null), null);
    assert.equal(await reports().generation(record.generationId, 'key_b'), null);
    for (const id of ['gen_x', '', `gen_${ulid()}`, '../../x'])
      assert.equal(await reports().generation(id, null), null);
  });

  test('is kept for as long as was said', async () => {
    const record = generation();
    await rollUp().add([record]);
    for (const key of await client.keys('*')) {
      const ttl = await client.ttl(key);
      if (key === KEYS.ledger.total('key_a')) assert.equal(ttl, -1);
      else assert.ok(ttl > 70 * 3_600 && ttl <= 400 * 24 * 3_600, `${key}: ${ttl}`);
    }
  });

  test('of more dimensions than there is room for is added up under another name', async () => {
    const many = Array.from({ length: 10_050 }, (_, i) => generation({ user: `user ${i}` }));
    await rollUp().add(many);
    const rows = await month('user');
    assert.equal(rows.length, 10_001);
    assert.equal(rows.find(({ name }) => name === '(other)')?.sums.requests, 50);
    assert.equal((await reports().total('key_a')).requests, 10_050);
  });
});

describe('the way into the ledger', () => {
  const reader = (name: string, abandonedMs?: number): StreamReader =>
    new StreamReader(client, KEYS, rollUp(), name, log, abandonedMs);

  test('takes few commands, and leaves nothing behind', async () => {
    const writer = new UsageWriter(client, KEYS, log);
    for (let i = 0; i < 1_000; i++) writer.write(written());
    await writer.stop();
    const entries = await client.xlen(KEYS.ledger.stream);
    assert.ok(entries <= 3, `${entries} entries`);
    assert.equal(await reader('one').drain(), 1_000);
    assert.equal(await client.xlen(KEYS.ledger.stream), 0);
    assert.equal((await reports().total('key_a')).requests, 1_000);
  });

  test('is shared by several readers, and goes on where one died', async () => {
    const writer = new UsageWriter(client, KEYS, log);
    writer.write(written());
    await writer.stop();
    await reader('one').drain();
    writer.write(written());
    await writer.stop();
    // Takes the entry and dies.
    const taken = await client.xreadgroup('GROUP', 'roll-up', 'dead', 'STREAMS', KEYS.ledger.stream, '>');
    assert.notEqual(taken, null);
    const [a, b] = await Promise.all([reader('one').drain(), reader('two').drain()]);
    assert.equal(a + b, 0, 'not yet: it may be busy');
    assert.equal(await reader('three', 0).drain(), 1);
    assert.equal((await reports().total('key_a')).requests, 2);
  });

  test('waits while Redis is away, in order, without losing any', async () => {
    const own = await startRedisServer();
    const away = createRequestClient(own.url, 'ledger-away');
    const writer = new UsageWriter(away, KEYS, log);
    try {
      await new Promise<void>((ready) => away.once('ready', () => ready()));
      await own.halt();
      for (let i = 0; i < 700; i++) writer.write(written());
      const ready = new Promise<void>((done) => away.once('ready', () => done()));
      await own.startAgain();
      await ready;
      await writer.stop();
      assert.deepEqual([writer.waiting, writer.dropped], [0, 0]);
      const there = new RollUp(away, KEYS, RETENTION);
      assert.equal(await new StreamReader(away, KEYS, there, 'one', log).drain(), 700);
    } finally {
      away.disconnect();
      await own.stop();
    }
  });

  test('has bounded memory', async () => {
    const away = createRequestClient('redis://127.0.0.1:1', 'ledger-nowhere');
    const writer = new UsageWriter(away, KEYS, log);
    const entry = written();
    for (let i = 0; i < 60_000; i++) writer.write(entry);
    assert.ok(writer.waiting <= 50_000);
    assert.equal(writer.waiting + writer.dropped, 60_000);
    away.disconnect();
    await writer.stop();
  });

  test('an entry that cannot be read is told and left out', async () => {
    const told: string[] = [];
    await client.xadd(KEYS.ledger.stream, '*', 'batch', Buffer.from([0xff, 0xff]));
    const loud = { error: (message: string) => void told.push(message) };
    assert.equal(await new StreamReader(client, KEYS, rollUp(), 'one', loud).drain(), 0);
    assert.equal(told.length, 1);
    assert.equal(await client.xlen(KEYS.ledger.stream), 0);
  });
});
