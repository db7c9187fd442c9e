import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../errors/index.ts';
import type { Plan } from '../routing/index.ts';
import { type AttemptRecord, type MetadataInput, metadataJson } from './metadata.ts';
import { model, planOf } from './scripted.testing.ts';

const plan = planOf([model('a"x', ['http://127.0.0.1:1', 'http://127.0.0.1:2']), model('b', ['http://127.0.0.1:3'])]);
const record = (i: number, rest: Partial<AttemptRecord> = {}): AttemptRecord => {
  const planned = plan.attempts[i];
  assert.ok(planned);
  return { planned, startTime: 1_000 + i, endTime: 2_000 + i, statusCode: 200, error: null, timeoutMs: null, ...rest };
};
const input = (rest: Partial<MetadataInput>): MetadataInput => ({
  generationId: 'gen_1',
  requestedModel: 'a"x',
  plan,
  attempts: [record(0)],
  costUsd: null,
  warnings: [],
  usageSource: 'provider',
  serviceTier: null,
  simulated: false,
  resumed: false,
  ...rest,
});
const failed = new GatewayError('upstream_error', 'said "no"');

describe('metadataJson', () => {
  it('has the shape of WIRE 2.5', () => {
    const attempts = [
      record(0, { error: failed, statusCode: 500 }),
      record(1, { error: failed, statusCode: null, timeoutMs: 40 }),
      record(2),
    ];
    const { gateway } = JSON.parse(
      metadataJson(
        input({ attempts, costUsd: '0.5', usageSource: 'provider', warnings: ['x: "dropped"'], simulated: true }),
      ),
    );
    const shown = [
      {
        provider: 'a"x0',
        internalModelId: 'a"x0:up',
        providerApiModelId: 'up',
        credentialType: 'system',
        success: false,
        error: 'said "no"',
        statusCode: 500,
        startTime: 1_000,
        endTime: 2_000,
      },
      {
        provider: 'a"x1',
        internalModelId: 'a"x1:up',
        providerApiModelId: 'up',
        credentialType: 'system',
        success: false,
        error: 'PROVIDER_TIMEOUT',
        startTime: 1_001,
        endTime: 2_001,
        providerTimeout: true,
        configuredTimeoutMs: 40,
      },
      {
        provider: 'b0',
        internalModelId: 'b0:up',
        providerApiModelId: 'up',
        credentialType: 'system',
        success: true,
        statusCode: 200,
        startTime: 1_002,
        endTime: 2_002,
      },
    ];
    assert.deepEqual(gateway, {
      routing: {
        originalModelId: 'a"x',
        canonicalSlug: 'b',
        resolvedProvider: 'b0',
        resolvedProviderApiModelId: 'up',
        internalResolvedModelId: 'b0:up',
        fallbacksAvailable: ['a"x0', 'a"x1'],
        planningReasoning: plan.reasoning,
        finalProvider: 'b0',
        attempts: shown,
        modelAttemptCount: 2,
        modelAttempts: [
          {
            modelId: 'a"x',
            canonicalSlug: 'a"x',
            success: false,
            providerAttemptCount: 2,
            providerAttempts: shown.slice(0, 2),
          },
          {
            modelId: 'b',
            canonicalSlug: 'b',
            success: true,
            providerAttemptCount: 1,
            providerAttempts: shown.slice(2),
          },
        ],
        totalProviderAttemptCount: 3,
      },
      cost: '0.5',
      marketCost: '0.5',
      generationId: 'gen_1',
      usageSource: 'provider',
      warnings: ['x: "dropped"'],
      simulated: true,
    });
  });

  it('says nothing of what is not known', () => {
    const { gateway } = JSON.parse(metadataJson(input({})));
    assert.deepEqual(Object.keys(gateway), ['routing', 'generationId', 'usageSource']);
  });

  it('names sort, affinity, a resumed answer and whose credential it was', () => {
    const sort = {
      option: 'ttft' as const,
      executionOrder: ['b0', 'a"x0'],
      metrics: { b0: 0.41 },
      deprioritized: ['a"x1'],
    };
    const sorted = { ...plan, sort, affinity: 'hit' as const, reasoning: 'a"x2 removed by only' };
    const of = (planned: AttemptRecord['planned']) => ({ ...planned, credentialType: 'byok' as const });
    const attempts = [{ ...record(0, { error: failed }), planned: of(record(0).planned) }, record(1)];
    const { gateway } = JSON.parse(metadataJson(input({ plan: sorted, attempts, resumed: true })));
    assert.deepEqual(gateway.routing.sort, sort);
    assert.deepEqual([gateway.affinity, gateway.resumed], ['hit', true]);
    assert.equal(gateway.routing.planningReasoning, 'a"x2 removed by only');
    assert.deepEqual(
      gateway.routing.attempts.map(({ credentialType }: { credentialType: string }) => credentialType),
      ['byok', 'system'],
    );
  });

  it('says what an answer is worth, and that a credential of the caller costs the gateway nothing', () => {
    const costs = (attempts: AttemptRecord[]) => {
      const { gateway } = JSON.parse(metadataJson(input({ attempts, costUsd: '0.5' })));
      return [gateway.cost, gateway.marketCost];
    };
    assert.deepEqual(costs([record(0)]), ['0.5', '0.5']);
    const own = { ...record(0), planned: { ...record(0).planned, credentialType: 'byok' as const } };
    assert.deepEqual(costs([own]), ['0', '0.5']);
  });

  it('of one plan is not told of another', () => {
    const other = planOf([model('a"x', ['http://127.0.0.1:1'])]);
    const attempts = other.attempts.map((planned) => ({ ...record(0), planned }));
    metadataJson(input({}));
    const routing = (of: Plan) => JSON.parse(metadataJson(input({ plan: of, attempts }))).gateway.routing;
    assert.deepEqual(routing(other).fallbacksAvailable, []);
    // The same attempts in a plan that was made for another request.
    const later = {
      ...plan,
      attempts: [...attempts.map(({ planned }) => planned), ...plan.attempts],
      reasoning: 'later',
    };
    assert.deepEqual(routing(later).fallbacksAvailable, ['a"x1', 'b0']);
    assert.equal(routing(later).planningReasoning, 'later');
    assert.deepEqual(routing(other).fallbacksAvailable, []);
  });
});
