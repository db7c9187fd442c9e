import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { endpointEntry, modelEntry, providerEntry } from '../catalog/entries.testing.ts';
import type { EndpointEntry, ModelEntry } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import type { EndpointHealth, HealthView } from './endpoint-health.ts';
import type { Plan } from './plan.ts';
import { healthView, NO_FEATURES, planRequest } from './plan-request.testing.ts';
import { planAttempts } from './planner.ts';
import { perMillion } from './prices.ts';
import type { PlanRequest, RequestFeatures, RoutingOptions } from './request.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const NOW = 1_000;

const digits = fc.constantFrom('0.000001', '0.000002', '0.000005', '0.00001', null);
const endpointFacts = fc.record({
  provider: fc.constantFrom(...NAMES),
  labelled: fc.boolean(),
  weight: fc.option(fc.integer({ min: 1, max: 5 })),
  contextWindow: fc.constantFrom(0, 1_000, 8_000),
  quantization: fc.constantFrom('', 'fp8', 'fp4'),
  input: digits,
  output: digits,
  cached: digits,
});
const modelFacts = fc.record({
  endpoints: fc.array(endpointFacts, { minLength: 1, maxLength: 5 }),
  inputModalities: fc.constantFrom([], ['text'], ['text', 'image', 'file']),
  supportedParameters: fc.constantFrom([], ['seed'], ['tools', 'response_format']),
  tags: fc.constantFrom([], ['vision'], ['implicit-caching']),
});

const models: fc.Arbitrary<readonly ModelEntry[]> = fc.array(modelFacts, { minLength: 1, maxLength: 3 }).map((list) =>
  list.map(({ endpoints, ...facts }, m) =>
    modelEntry(
      `m${m}`,
      endpoints.map(({ provider, labelled, input, output, cached, ...given }, i) =>
        endpointEntry(
          providerEntry(provider, { zeroDataRetention: labelled, noPromptTraining: labelled }),
          `${m}-${i}`,
          { ...given, pricing: { input, output, inputCacheRead: cached, inputCacheWrite: null } },
        ),
      ),
      facts,
    ),
  ),
);

const names = fc.array(fc.constantFrom(...NAMES, 'unknown'), { maxLength: 4 });
const credential = fc.record({
  credentials: fc.record({ apiKey: fc.constantFrom('k1', 'k2') }),
  settings: fc.constant({}),
  models: fc.constantFrom({}, { m0: 'mine' }),
});
const options: fc.Arbitrary<RoutingOptions> = fc.record(
  {
    order: names,
    only: names,
    ignore: names,
    sort: fc.constantFrom('cost' as const, 'ttft' as const, 'tps' as const),
    has: fc.array(fc.constantFrom('vision', 'implicit-caching', 'quantization:fp8', '!quantization:fp4'), {
      maxLength: 2,
    }),
    maxPrice: fc.record({ input: fc.constantFrom(1, 4, 20), output: fc.constantFrom(2, 20) }, { requiredKeys: [] }),
    zeroDataRetention: fc.boolean(),
    disallowPromptTraining: fc.boolean(),
    byok: fc.dictionary(fc.constantFrom(...NAMES), fc.array(credential, { maxLength: 2 }), { maxKeys: 2 }),
    providerTimeouts: fc.record({ byok: fc.dictionary(fc.constantFrom(...NAMES), fc.constant(2_000), { maxKeys: 2 }) }),
  },
  { requiredKeys: [] },
);
const features: fc.Arbitrary<RequestFeatures> = fc.record({
  images: fc.boolean(),
  files: fc.boolean(),
  audio: fc.constant(false),
  tools: fc.boolean(),
  jsonSchema: fc.boolean(),
  promptTokens: fc.constantFrom(10, 2_000, 20_000),
  maxOutputTokens: fc.constantFrom(null, 500),
});

const endpointHealth: fc.Arbitrary<Partial<EndpointHealth>> = fc.record(
  {
    breaker: fc.constantFrom('closed' as const, 'open' as const, 'half_open' as const),
    probeDue: fc.boolean(),
    coolUntil: fc.constantFrom(0, NOW, NOW + 1),
    ttftMs: fc.option(fc.integer({ min: 1, max: 5_000 })),
    tokensPerSecond: fc.option(fc.integer({ min: 1, max: 200 })),
    inFlight: fc.constantFrom(0, 3, 30),
  },
  { requiredKeys: [] },
);

interface Case {
  readonly request: PlanRequest;
  readonly health: HealthView;
}

const cases: fc.Arbitrary<Case> = models.chain((list) => {
  const keys = list.flatMap(({ endpoints }) => endpoints.map(({ key }) => key));
  const affinity = fc.option(fc.record({ prefix: fc.nat(), endpointKey: fc.option(fc.constantFrom(...keys)) }));
  return fc.record({
    // A clone has ordinary prototypes throughout, as parsed JSON has.
    request: fc
      .record({ models: fc.constant(list), options, features, affinity, seed: fc.double({ noNaN: true }) })
      .map((request): PlanRequest => structuredClone(request)),
    health: fc.dictionary(fc.constantFrom(...keys), endpointHealth).map((known) => healthView(known, NOW)),
  });
});

const check = (property: (one: Case) => void, numRuns = 1_000): void =>
  fc.assert(fc.property(cases, property), { seed: SEED, numRuns });

/** Null when it is refused. */
function tryPlan({ request, health }: Case): Plan | null {
  try {
    return planAttempts(request, health);
  } catch (error) {
    assert.ok(error instanceof GatewayError && error.status === 400);
    assert.ok(error.code === 'no_eligible_provider' || error.code === 'unsupported_content');
    return null;
  }
}

const nameOf = (model: ModelEntry, endpoint: EndpointEntry): string => `${model.id} ${endpoint.key}`;
/** The gateway's own attempts, as the catalog names them. */
const systemNames = ({ attempts }: Plan): string[] =>
  attempts
    .filter(({ credentialType }) => credentialType === 'system')
    .map(({ model, endpoint }) => nameOf(model, endpoint));
const isUnwell = (health: HealthView, key: string): boolean => {
  const known = health.of(key);
  return known !== undefined && (known.breaker === 'open' || known.coolUntil > NOW);
};

/** What the option means, said once more and otherwise: true when it forbids the endpoint. */
const forbids: Readonly<Record<string, (o: RoutingOptions, endpoint: EndpointEntry, model: ModelEntry) => boolean>> = {
  only: (o, { provider }) => o.only !== undefined && !o.only.includes(provider.name),
  ignore: (o, { provider }) => (o.ignore ?? []).includes(provider.name),
  zeroDataRetention: (o, { provider }) => o.zeroDataRetention === true && !provider.zeroDataRetention,
  disallowPromptTraining: (o, { provider }) => o.disallowPromptTraining === true && !provider.noPromptTraining,
  maxPrice: ({ maxPrice }, { pricing }) =>
    (maxPrice?.input !== undefined && (perMillion(pricing?.input) ?? Infinity) > maxPrice.input) ||
    (maxPrice?.output !== undefined && (perMillion(pricing?.output) ?? Infinity) > maxPrice.output),
  has: ({ has = [] }, { quantization }, { tags, inputModalities }) =>
    (has.includes('vision') && !tags.includes('vision') && !inputModalities.includes('image')) ||
    (has.includes('implicit-caching') && !tags.includes('implicit-caching')) ||
    (has.includes('quantization:fp8') && quantization !== 'fp8') ||
    (has.includes('!quantization:fp4') && quantization === 'fp4'),
};

const takes = (list: readonly string[], what: string): boolean => list.length === 0 || list.includes(what);
const strictlyIncapable = (f: RequestFeatures, { inputModalities, supportedParameters }: ModelEntry): boolean =>
  (f.images && !takes(inputModalities, 'image')) || (f.tools && !takes(supportedParameters, 'tools'));
const incapable = (f: RequestFeatures, model: ModelEntry, { contextWindow }: EndpointEntry): boolean =>
  strictlyIncapable(f, model) ||
  (f.files && !takes(model.inputModalities, 'file')) ||
  (f.jsonSchema && !takes(model.supportedParameters, 'response_format')) ||
  (contextWindow > 0 && f.promptTokens + (f.maxOutputTokens ?? 0) > contextWindow);

describe('any plan', () => {
  it('tries every endpoint that is not ruled out once, and once with each credential of the caller', () => {
    check((one) => {
      const plan = tryPlan(one);
      if (plan === null) return;
      const { models: list, options: wish } = one.request;
      const all: string[] = list.flatMap((model) => model.endpoints.map((endpoint) => nameOf(model, endpoint)));
      const removed = plan.removed.map(({ model, endpointKey }) => `${model} ${endpointKey}`);
      assert.deepEqual([...systemNames(plan), ...removed].sort(), [...all].sort());
      for (const name of NAMES) {
        const types: string[] = plan.attempts
          .filter(({ endpoint }) => endpoint.provider.name === name)
          .map(({ credentialType }) => credentialType);
        const system: number = types.filter((type) => type === 'system').length;
        assert.equal(types.length - system, system * (wish.byok?.[name]?.length ?? 0));
      }
    });
  });

  it("asks with the caller's credentials before the gateway's own", () => {
    check((one) => {
      for (const model of one.request.models) {
        for (const { provider } of model.endpoints) {
          // Of a provider's several endpoints, each has its own turn.
          if (model.endpoints.filter((other) => other.provider.name === provider.name).length > 1) continue;
          const types = tryPlan(one)
            ?.attempts.filter((a) => a.model === model && a.endpoint.provider.name === provider.name)
            .map(({ credentialType }) => credentialType);
          if (types?.length) assert.equal(types.indexOf('system'), types.length - 1);
        }
      }
    }, 300);
  });

  it('keeps every filter, and refuses only when filters and content leave nothing', () => {
    check((one) => {
      const plan = tryPlan(one);
      const { models: list, options: wish, features: needs } = one.request;
      const forbidden = (model: ModelEntry, endpoint: EndpointEntry): boolean =>
        Object.values(forbids).some((test) => test(wish, endpoint, model));
      if (plan === null) {
        for (const model of list) {
          for (const e of model.endpoints) assert.ok(forbidden(model, e) || strictlyIncapable(needs, model));
        }
        return;
      }
      for (const { model, endpoint } of plan.attempts) {
        assert.ok(!forbidden(model, endpoint), nameOf(model, endpoint));
        assert.ok(!strictlyIncapable(needs, model), nameOf(model, endpoint));
      }
    });
  });

  it('rules out by what it names, and nothing else', () => {
    check((one) => {
      const { models: list, options: wish, features: needs } = one.request;
      for (const { model: id, endpointKey, by } of tryPlan(one)?.removed ?? []) {
        const model = list.find((m) => m.id === id);
        const endpoint = model?.endpoints.find(({ key }) => key === endpointKey);
        assert.ok(model && endpoint);
        const ruledOut = by === 'capability' ? incapable(needs, model, endpoint) : forbids[by]?.(wish, endpoint, model);
        assert.equal(ruledOut, true, `${endpointKey} by ${by}`);
      }
    });
  });

  it('has the well before the unwell, and each of them in the order of the models', () => {
    check((one) => {
      const plan = tryPlan(one);
      if (plan === null) return;
      const system = plan.attempts.filter(({ credentialType }) => credentialType === 'system');
      const unwell = system.map(({ endpoint }) => isUnwell(one.health, endpoint.key));
      assert.ok(unwell.every((is, i) => is || !unwell.slice(0, i).includes(true)));
      for (const is of [false, true]) {
        const ids = system.filter((_, i) => unwell[i] === is).map(({ model }) => one.request.models.indexOf(model));
        assert.deepEqual(ids, [...ids].sort());
      }
    });
  });

  it('has named providers first and in their order, within a model and among the well', () => {
    check((one) => {
      const plan = tryPlan(one);
      const { order = [] } = one.request.options;
      for (const model of one.request.models) {
        const well = plan?.attempts.filter(
          (attempt) =>
            attempt.model === model &&
            attempt.credentialType === 'system' &&
            !isUnwell(one.health, attempt.endpoint.key),
        );
        const places = (well ?? []).map(({ endpoint }) => {
          const place = order.indexOf(endpoint.provider.name);
          return place < 0 ? order.length : place;
        });
        assert.deepEqual(places, [...places].sort());
      }
    });
  });

  it('by cost rises among what no order names', () => {
    check((one) => {
      const request = { ...one.request, options: { ...one.request.options, sort: 'cost' as const, order: [] } };
      const plan = tryPlan({ ...one, request });
      for (const model of request.models) {
        const costs = (plan?.attempts ?? [])
          .filter((a) => a.model === model && a.credentialType === 'system' && !isUnwell(one.health, a.endpoint.key))
          .map(({ endpoint: { pricing } }) => {
            const [input, output] = [perMillion(pricing?.input), perMillion(pricing?.output)];
            return input === null || output === null ? Infinity : 3 * input + output;
          });
        assert.ok(
          costs.every((cost, i) => i === 0 || cost >= (costs[i - 1] ?? 0) - 1e-9),
          costs.join(' '),
        );
      }
    });
  });

  it('changes nothing that it is given', () => {
    check((one) => {
      const before = structuredClone(one.request);
      tryPlan(one);
      assert.deepEqual(one.request, before);
    });
  });

  it('is the same for the same input, whatever the order of keys and whatever was planned before', () => {
    check((one) => {
      const first = tryPlan(one);
      tryPlan({ ...one, request: { ...one.request, seed: one.request.seed + 1, affinity: null } });
      tryPlan({ ...one, health: healthView() });
      assert.deepEqual(tryPlan(one), first);
      const turned = reversed(one.request) as PlanRequest;
      assert.deepEqual(tryPlan({ ...one, request: turned }), first);
    });
  });
});

/** The same with all keys of all objects in reverse. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

describe('chance', () => {
  const DRAWS = 4_000;
  /** How often each provider comes first, over as many seeds. */
  function firsts(list: readonly ModelEntry[], wish: RoutingOptions, health: HealthView): Map<string, number> {
    const counts = new Map<string, number>();
    for (let i = 0; i < DRAWS; i++) {
      // As the ingress makes them, and as a test might.
      const seed = i % 2 === 0 ? Math.imul(i, 2_654_435_761) >>> 0 : i / DRAWS;
      const { attempts } = planAttempts(planRequest(list, wish, { seed, features: NO_FEATURES }), health);
      const name = attempts[0]?.endpoint.provider.name ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  it('weights hold, in any group and at any place', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(weights, (given) => {
        const model = modelEntry(
          'm',
          given.map((weight, i) => endpointEntry(providerEntry(`p${i}`), 'x', { weight })),
        );
        const total = given.reduce((sum, weight) => sum + weight, 0);
        const counts = firsts([model], {}, healthView());
        given.forEach((weight, i) => {
          const share = weight / total;
          // Five standard deviations.
          const slack = 5 * Math.sqrt((share * (1 - share)) / DRAWS);
          assert.ok(Math.abs((counts.get(`p${i}`) ?? 0) / DRAWS - share) < slack, `${given} ${[...counts]}`);
        });
      }),
      { seed: SEED, numRuns: 12 },
    );
  });

  it('groups do not mix, and what has no weight keeps its place', () => {
    const entry = (name: string, weight: number | null) => endpointEntry(providerEntry(name), 'x', { weight });
    const model = modelEntry('m', [entry('a', 1), entry('b', 1), entry('c', null), entry('d', 1), entry('e', 3)]);
    const orders = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const { attempts } = planAttempts(planRequest([model], {}, { seed }), healthView());
      orders.add(attempts.map(({ endpoint }) => endpoint.provider.name).join(''));
    }
    assert.deepEqual([...orders].sort(), ['abcde', 'abced', 'bacde', 'baced']);
    const { attempts } = planAttempts(planRequest([model], { ignore: ['c'] }, { seed: 3 }), healthView());
    assert.deepEqual(new Set(attempts.slice(0, 2).map(({ endpoint }) => endpoint.provider.name)), new Set(['a', 'b']));
  });

  it('whoever leaves a group moves no other', () => {
    const entries = NAMES.map((name, i) => endpointEntry(providerEntry(name), 'x', { weight: i + 1 }));
    const model = modelEntry('m', entries);
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...NAMES), (seed, gone) => {
        const keys = (wish: RoutingOptions): string[] => [
          ...planAttempts(planRequest([model], wish, { seed }), healthView()).keys,
        ];
        assert.deepEqual(
          keys({ ignore: [gone] }),
          keys({}).filter((key) => key !== `${gone}:x`),
        );
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('an endpoint that was not measured lately is tried first about one time in ten, and so is each of several', () => {
    const model = modelEntry(
      'm',
      NAMES.map((name) => endpointEntry(providerEntry(name), 'x')),
    );
    const health = healthView({ 'a:x': { ttftMs: 100 }, 'b:x': { ttftMs: 200 }, 'c:x': { ttftMs: 300 } });
    const counts = firsts([model], { sort: 'ttft' }, health);
    for (const name of ['d', 'e']) {
      const share = (counts.get(name) ?? 0) / DRAWS;
      assert.ok(share > 0.07 && share < 0.12, `${name} ${share}`);
    }
    assert.equal((counts.get('b') ?? 0) + (counts.get('c') ?? 0), 0, 'the slower ones are known to be slower');
  });
});
