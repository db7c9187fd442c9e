import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { endpointEntry, modelEntry, providerEntry } from '../catalog/entries.testing.ts';
import type { ModelEntry } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import { planAttempts } from './plan.ts';
import type { RoutingOptions } from './request.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);
const NAMES = ['a', 'b', 'c', 'd'];

function model(id: string, providers: readonly string[]): ModelEntry {
  return modelEntry(
    id,
    providers.map((name, i) => endpointEntry(providerEntry(name), `${id}-${i}`)),
  );
}

const names = fc.array(fc.constantFrom(...NAMES, 'unknown'), { maxLength: 5 });
const options: fc.Arbitrary<RoutingOptions> = fc.record(
  { order: names, only: names, ignore: names },
  { requiredKeys: [] },
);
const models = fc
  .array(fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 })
  .map((list) => list.map((providers, i) => model(`m${i}`, providers)));

describe('planAttempts', () => {
  it('takes the eligible endpoints, each once, models in their order, named providers first', () => {
    fc.assert(
      fc.property(models, options, (list, wish) => {
        const { order = [], only = NAMES, ignore = [] } = wish;
        const allowed = (name: string): boolean => only.includes(name) && !ignore.includes(name);
        const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
        const expected = list.flatMap((one) =>
          one.endpoints
            .map((endpoint, i) => ({ endpoint, i }))
            .filter(({ endpoint }) => allowed(endpoint.provider.name))
            .sort((x, y) => place(x.endpoint.provider.name) - place(y.endpoint.provider.name) || x.i - y.i)
            .map(({ endpoint }) => endpoint.key),
        );
        if (expected.length === 0) {
          assert.throws(() => planAttempts(list, wish), { code: 'no_eligible_provider', status: 400 });
          return;
        }
        const plan = planAttempts(list, wish);
        assert.deepEqual(
          plan.attempts.map(({ endpoint }) => endpoint.key),
          expected,
        );
        assert.deepEqual(plan.keys, expected);
        assert.ok(plan.attempts.every(({ model: of, endpoint }) => of.endpoints.includes(endpoint)));
        assert.deepEqual(planAttempts(list, wish), plan, 'the same again');
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('does not change the model', () => {
    const one = model('m', ['a', 'b', 'c']);
    const before = one.endpoints.map(({ key }) => key);
    planAttempts([one], { order: ['c', 'a'] });
    assert.deepEqual(
      one.endpoints.map(({ key }) => key),
      before,
    );
  });

  it('says why', () => {
    const plan = planAttempts([model('m', ['a', 'b', 'c'])], { order: ['c'], ignore: ['a'] });
    assert.equal(
      plan.reasoning,
      '2 of 3 endpoints eligible; execution order by providerOptions.gateway.order [c]: c:m-2 -> b:m-1',
    );
    assert.match(planAttempts([model('m', ['a'])], {}).reasoning, /^1 of 1 .* configured order: a:m-0$/);
  });

  it('names the providers that there are when none of them is eligible', () => {
    const list = [model('m', ['a', 'b']), model('n', ['b', 'c'])];
    assert.throws(
      () => planAttempts(list, { only: ['x', 'y'], ignore: ['a'] }),
      (error: unknown) =>
        error instanceof GatewayError &&
        /only: x, y; ignore: a.*a, b, c\.$/.test(error.message) &&
        error.param === 'providerOptions.gateway',
    );
  });

  it('keeps data with providers that the operator has labelled, and says when there is none', () => {
    const plain = model('m', ['a', 'b', 'c']);
    const labelled: ModelEntry = {
      ...plain,
      endpoints: plain.endpoints.map((endpoint) => ({
        ...endpoint,
        provider: {
          ...endpoint.provider,
          zeroDataRetention: endpoint.provider.name !== 'a',
          noPromptTraining: endpoint.provider.name !== 'b',
        },
      })),
    };
    const keys = (wish: RoutingOptions): readonly string[] => planAttempts([labelled], wish).keys;
    assert.deepEqual(keys({ zeroDataRetention: true }), ['b:m-1', 'c:m-2']);
    assert.deepEqual(keys({ zeroDataRetention: true, disallowPromptTraining: true }), ['c:m-2']);
    assert.deepEqual(keys({ zeroDataRetention: false }), ['a:m-0', 'b:m-1', 'c:m-2']);
    assert.throws(
      () => planAttempts([plain], { zeroDataRetention: true }),
      (error) =>
        error instanceof GatewayError &&
        error.code === 'no_eligible_provider' &&
        /zeroDataRetention/.test(error.message),
    );
  });

  it('says which options have no effect', () => {
    const { warnings } = planAttempts([model('m', ['a'])], { sort: 'cost', order: ['a'] });
    assert.deepEqual(warnings, ['providerOptions.gateway.sort: has no effect in this release']);
    assert.deepEqual(planAttempts([model('m', ['a'])], {}).warnings, []);
  });
});
