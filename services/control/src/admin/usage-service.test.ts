import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { RollUp } from '@headgate/core/ledger';
import { redisKeys } from '@headgate/core/redis';
import { BudgetMode, BudgetWindow } from '@headgate/proto/api_key';
import { CredentialType, type UsageRecord, UsageRecordSchema } from '@headgate/proto/usage';
import { ulid } from 'ulid';
import { AdminBench, PREFIX, PROTOCOLS } from './admin-bench.testing.ts';

const DAY_MS = 24 * 3_600_000;
const NOON = Date.parse('2026-06-15T12:00:00Z');

let bench: AdminBench;

before(async () => {
  bench = await AdminBench.start();
});
beforeEach(async () => void (await bench.client.flushall()));
after(() => bench.stop());

function generation(
  at: number,
  more: Exclude<MessageInitShape<typeof UsageRecordSchema>, UsageRecord> = {},
): UsageRecord {
  return create(UsageRecordSchema, {
    generationId: `gen_${ulid(at)}`,
    createdAtMs: BigInt(at),
    principalId: 'key_a',
    keyName: 'a',
    model: 'openai/gpt-4o',
    provider: 'openai',
    credentialType: CredentialType.SYSTEM,
    inputTokens: 10n,
    cacheReadTokens: 2n,
    outputTokens: 5n,
    reasoningTokens: 1n,
    costUsd: '0.001',
    marketCostUsd: '0.002',
    ...more,
  });
}

const add = (...records: UsageRecord[]) =>
  new RollUp(bench.client, redisKeys(PREFIX), { generationHours: 72, reportDays: 400 }).add(records);

const june = { startDate: '2026-06-01', endDate: '2026-06-30' };

for (const protocol of PROTOCOLS) {
  test(`what was used, of all keys or one, by ${protocol}`, async () => {
    const usage = bench.usage(protocol);
    const first = generation(NOON, { user: 'ada' });
    await add(first, generation(NOON + DAY_MS, { principalId: 'key_b', keyName: 'b', user: 'bob' }));
    const { record } = await usage.getGeneration({ id: first.generationId });
    assert.deepEqual([record?.user, record?.costUsd, record?.inputTokens], ['ada', '0.001', 10n]);
    const { rows } = await usage.getReport(june);
    assert.deepEqual(
      rows.map(({ group, requestCount }) => [group, requestCount]),
      [
        ['2026-06-15', 1n],
        ['2026-06-16', 1n],
      ],
    );
    const [day] = rows;
    assert.ok(day);
    assert.deepEqual([day.totalCost, day.marketCost], ['0.001', '0.002']);
    assert.deepEqual(
      [day.inputTokens, day.cachedInputTokens, day.outputTokens, day.reasoningTokens],
      [12n, 2n, 6n, 1n],
    );
    const groups = async (request: object) => (await usage.getReport({ ...june, ...request })).rows.map((r) => r.group);
    assert.deepEqual(await groups({ groupBy: 'key' }), ['a', 'b']);
    assert.deepEqual(await groups({ groupBy: 'user', keyId: 'key_b' }), ['bob']);
    assert.deepEqual(await groups({ groupBy: 'key', user: 'ada' }), ['a']);
    assert.deepEqual(await groups({ groupBy: 'key', model: 'x/y' }), []);
    assert.deepEqual(await groups({ groupBy: 'key', provider: 'openai' }), ['a', 'b']);
  });
}

describe('a report that cannot be made is refused with the way out', () => {
  const cases: readonly (readonly [what: string, request: object, words: RegExp])[] = [
    ['no days', {}, /^startDate: found nothing, expected a day such as 2026-01-31; endDate: found nothing/],
    ['30 February', { ...june, startDate: '2026-02-30' }, /^startDate: /],
    ['a time for a day', { ...june, endDate: '2026-06-30T00:00' }, /^endDate: /],
    ['an end before the start', { startDate: '2026-06-02', endDate: '2026-06-01' }, /^endDate: found a day before/],
    ['more than a year', { startDate: '2025-01-01', endDate: '2026-06-01' }, /^endDate: found 517 days, .* 366 days/],
    [
      'hours of months',
      { ...june, startDate: '2026-05-01', groupBy: 'hour' },
      /^endDate: found 61 days, .* 35 days .*hour/,
    ],
    [
      'an unknown grouping',
      { ...june, groupBy: 'colour' },
      /^groupBy: found something else, expected one of day, hour/,
    ],
  ];
  for (const [what, request, words] of cases) {
    test(what, async () => {
      await assert.rejects(bench.usage('gRPC').getReport(request), (error) => {
        assert.ok(error instanceof ConnectError);
        assert.equal(error.code, Code.InvalidArgument);
        assert.match(error.rawMessage, words);
        return true;
      });
    });
  }

  test('a generation that there is not', async () => {
    const code = (of: Code) => (error: unknown) => error instanceof ConnectError && error.code === of;
    await assert.rejects(bench.usage().getGeneration({ id: 'x' }), code(Code.InvalidArgument));
    await assert.rejects(bench.usage().getGeneration({ id: `gen_${ulid()}` }), code(Code.NotFound));
  });
});

test('budgets of keys and groups, with what was spent in the window that runs', async () => {
  const keys = bench.keys();
  const make = async (name: string, window: BudgetWindow) => {
    const { key } = await keys.createKey({ name, group: 'shop', budget: { usd: '10', window } });
    return key?.id ?? '';
  };
  const [daily, total] = [await make('daily', BudgetWindow.DAY), await make('total', BudgetWindow.TOTAL)];
  await keys.createKey({ name: 'without' });
  const now = Date.now();
  await add(
    generation(now, { principalId: daily, group: 'shop', costUsd: '0.000000000000000001' }),
    generation(now, { principalId: daily, group: 'shop', costUsd: '2' }),
    generation(now - DAY_MS, { principalId: daily, group: 'shop', costUsd: '4' }),
    generation(now - 300 * DAY_MS, { principalId: total, group: 'shop', costUsd: '8' }),
    generation(now, { principalId: 'oidc:x', group: 'shop', costUsd: '16' }),
    generation(now, { principalId: 'oidc:x', group: 'other', costUsd: '32' }),
  );
  const { budgets } = await bench.usage().listBudgets({});
  const midnight = new Date(now).setUTCHours(24, 0, 0, 0);
  assert.deepEqual(
    budgets.map(({ subjectKind, subjectId, name, spentUsd, resetsAtMs }) => [
      subjectKind,
      subjectId,
      name,
      spentUsd,
      Number(resetsAtMs),
    ]),
    [
      ['key', daily, 'daily', '2.000000000000000001', midnight],
      ['key', total, 'total', '8', 0],
      ['group', 'shop', 'shop', '18.000000000000000001', midnight],
    ],
  );
  assert.deepEqual([budgets[2]?.budget?.usd, budgets[2]?.budget?.mode], ['50', BudgetMode.SOFT]);
});
