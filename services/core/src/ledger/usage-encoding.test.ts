import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { CredentialType, UsageBatchSchema, UsageRecordSchema, UsageSource } from '@headgate/proto/usage';
import fc from 'fast-check';
import { UsageBatchEncoder, type UsageEntry } from './usage-encoding.ts';
import { usageEntry } from './usage-entry.testing.ts';

const text = fc.oneof(
  fc.constant(''),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 300 }),
  // Around the border of one byte of length, in one and in two bytes a character.
  fc.tuple(fc.constantFrom('x', 'é', '漢'), fc.integer({ min: 126, max: 129 })).map(([c, times]) => c.repeat(times)),
);
const uint32 = fc.oneof(fc.constant(0), fc.nat(200), fc.nat(2 ** 32 - 1));
const uint64 = fc.oneof(fc.constant(0), fc.nat(200), fc.maxSafeNat());
const optional = fc.option(uint64);

const entries: fc.Arbitrary<UsageEntry> = fc.record({
  generationId: text,
  requestId: text,
  createdAtMs: uint64,
  principalId: text,
  keyName: text,
  group: text,
  user: text,
  tags: fc.array(text, { maxLength: 10 }),
  operation: text,
  requestedModel: text,
  model: text,
  provider: text,
  providerModel: text,
  credentialType: fc.constantFrom(CredentialType.UNSPECIFIED, CredentialType.SYSTEM, CredentialType.BYOK),
  streamed: fc.boolean(),
  status: uint32,
  errorType: text,
  finishReason: text,
  clientAborted: fc.boolean(),
  usageSource: fc.constantFrom(UsageSource.UNSPECIFIED, UsageSource.PROVIDER, UsageSource.ESTIMATED),
  inputTokens: uint64,
  cacheReadTokens: optional,
  cacheWriteTokens: optional,
  outputTokens: uint64,
  reasoningTokens: optional,
  costUsd: text,
  marketCostUsd: text,
  attempts: uint32,
  latencyMs: uint32,
  generationMs: uint32,
  httpReferer: text,
  title: fc.oneof(text, fc.constant('t'.repeat(70_000))),
});

/** What the library makes of it. */
function expected(list: readonly UsageEntry[]): Uint8Array {
  const big = (name: string, value: number | null) => (value === null ? {} : { [name]: BigInt(value) });
  const records = list.map(({ cacheReadTokens, cacheWriteTokens, reasoningTokens, ...rest }) =>
    create(UsageRecordSchema, {
      ...rest,
      tags: [...rest.tags],
      createdAtMs: BigInt(rest.createdAtMs),
      inputTokens: BigInt(rest.inputTokens),
      outputTokens: BigInt(rest.outputTokens),
      ...big('cacheReadTokens', cacheReadTokens),
      ...big('cacheWriteTokens', cacheWriteTokens),
      ...big('reasoningTokens', reasoningTokens),
    }),
  );
  return toBinary(UsageBatchSchema, create(UsageBatchSchema, { records }));
}

test('a batch has the bytes that the library gives the same records', () => {
  const encoder = new UsageBatchEncoder();
  fc.assert(
    fc.property(fc.array(entries, { maxLength: 5 }), (list) => {
      for (const entry of list) encoder.add(entry);
      assert.equal(encoder.count, list.length);
      const bytes = encoder.take();
      assert.equal(encoder.count, 0);
      assert.ok(bytes.equals(expected(list)));
    }),
    { numRuns: 300 },
  );
});

test('a number that is none spoils nothing of the batch', () => {
  const encoder = new UsageBatchEncoder();
  const entry = usageEntry({ generationId: 'gen_1', createdAtMs: 1 });
  for (const inputTokens of [Number.NaN, -3, Number.POSITIVE_INFINITY, 1.5]) encoder.add({ ...entry, inputTokens });
  const as = (inputTokens: number): UsageEntry => ({ ...entry, inputTokens });
  assert.ok(encoder.take().equals(expected([as(0), as(0), as(0), as(1)])));
});
