import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointEntry, modelEntry, providerEntry } from '../catalog/entries.testing.ts';
import type { EndpointEntry, ModelEntry, ProviderEntry } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import { type EndpointHealth, UNKNOWN_HEALTH } from './endpoint-health.ts';
import type { Plan } from './plan.ts';
import { healthView, NO_FEATURES, planRequest, WELL } from './plan-request.testing.ts';
import { planAttempts } from './planner.ts';
import { perMillion } from './prices.ts';
import type { PlanRequest, RoutingOptions } from './request.ts';

const price = (input: string | null, output: string | null, inputCacheRead: string | null = null) => ({
  pricing: { input, output, inputCacheRead, inputCacheWrite: null },
});

/** `a` is an endpoint `a:x` of the provider a. */
const at = (name: string, given: Partial<EndpointEntry> = {}, provider: Partial<ProviderEntry> = {}): EndpointEntry =>
  endpointEntry(providerEntry(name, provider), 'x', given);
const model = (id: string, names: string, given: Partial<ModelEntry> = {}): ModelEntry =>
  modelEntry(
    id,
    names.split(' ').map((name) => at(name)),
    given,
  );
const ABC = model('m', 'a b c');

/** Providers in the order of the plan. */
const providers = ({ attempts }: Plan): string => attempts.map(({ endpoint }) => endpoint.provider.name).join(' ');
const plan = (models: readonly ModelEntry[], options?: RoutingOptions, health = UNKNOWN_HEALTH): Plan =>
  planAttempts(planRequest(models, options), health);

function refusal(request: PlanRequest): GatewayError {
  try {
    planAttempts(request, UNKNOWN_HEALTH);
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.status, 400);
    return error;
  }
  assert.fail('should be refused');
}

describe('order and filters', () => {
  it('the configured order, when nothing is asked for', () => {
    const { attempts, reasoning, removed, keys } = plan([ABC]);
    assert.deepEqual(keys, ['a:x', 'b:x', 'c:x']);
    assert.ok(attempts.every(({ credentialType, firstTokenBinds }) => credentialType === 'system' && !firstTokenBinds));
    assert.deepEqual(removed, []);
    assert.match(reasoning, /^3 of 3 endpoints eligible; execution order: a:x \(configured order\) -> b:x/);
  });

  it('is made once for a model, and again when a breaker opens', () => {
    const first = plan([ABC]);
    assert.equal(plan([ABC]), first);
    assert.equal(plan([ABC], {}, healthView({ 'b:x': { breaker: 'closed' } })), first);
    assert.equal(providers(plan([ABC], {}, healthView({ 'a:x': { breaker: 'open' } }))), 'b c a');
    assert.equal(plan([ABC]), first);
  });

  it('is made anew when the version of the view has changed, and is no other for a permit that was named once', () => {
    const one = model('m', 'a b');
    let breaker: EndpointHealth['breaker'] = 'half_open';
    const view = { version: 1, now: 1_000, of: (key: string) => (key === 'a:x' ? { ...WELL, breaker } : undefined) };
    assert.deepEqual(plan([one], {}, view).permits, ['a:x']);
    view.version = 2;
    breaker = 'closed';
    const well = plan([one], {}, view);
    assert.deepEqual(well.permits, []);
    assert.equal(providers(well), 'a b');
    view.version = 3;
    breaker = 'open';
    assert.equal(providers(plan([one], {}, view)), 'b a');
  });

  it('named providers first, unknown and repeated names passed over', () => {
    assert.equal(providers(plan([ABC], { order: ['c', 'x', 'b', 'c'] })), 'c b a');
  });

  it('only before order, each fallback model by the same rules', () => {
    const result = plan([ABC, model('n', 'c d b')], { only: ['b', 'c'], order: ['b'] });
    assert.equal(providers(result), 'b c b c');
    assert.deepEqual(
      result.attempts.map((attempt) => attempt.model.id),
      ['m', 'm', 'n', 'n'],
    );
    assert.deepEqual(result.removed, [
      { model: 'm', endpointKey: 'a:x', by: 'only', detail: 'not in the list' },
      { model: 'n', endpointKey: 'd:x', by: 'only', detail: 'not in the list' },
    ]);
  });

  it('names what ruled out whom, and who there is', () => {
    const error = refusal(planRequest([ABC], { only: ['a', 'z'], ignore: ['a'] }));
    assert.equal(error.code, 'no_eligible_provider');
    assert.equal(error.param, 'providerOptions.gateway');
    assert.equal(
      error.message,
      'No provider is eligible for this request (ruled out: only [a, z] rules out b:x (not in the list), c:x (not in the list); ' +
        'ignore [a] rules out a:x (in the list)). Providers that serve the model: a, b, c.',
    );
  });

  it('labels of the operator', () => {
    const labelled = modelEntry('m', [
      at('a', {}, { zeroDataRetention: true }),
      at('b', {}, { noPromptTraining: true }),
      at('c', {}, { zeroDataRetention: true, noPromptTraining: true }),
    ]);
    assert.equal(providers(plan([labelled], { zeroDataRetention: true })), 'a c');
    assert.equal(providers(plan([labelled], { disallowPromptTraining: true, zeroDataRetention: true })), 'c');
    assert.equal(providers(plan([labelled], { zeroDataRetention: false })), 'a b c');
    assert.match(refusal(planRequest([ABC], { zeroDataRetention: true })).message, /zeroDataRetention rules out a:x/);
  });

  it('maxPrice in dollars per million tokens, to the digit; an unknown price is above any', () => {
    const priced = modelEntry('m', [
      at('a', price('0.000003', '0.000015')),
      at('b', price('0.0000001', null)),
      at('c'),
    ]);
    const exact = plan([priced], { maxPrice: { input: 0.1 } });
    assert.equal(providers(exact), 'b');
    assert.match(exact.removed[0]?.detail ?? '', /above 0.1 USD/);
    assert.equal(perMillion('0.0000001'), 0.1, 'not 0.09999999999999999');
    assert.equal(providers(plan([priced], { maxPrice: { input: 3, output: 15 } })), 'a');
    const details = plan([priced], { maxPrice: { input: 2 } }).removed.map(({ detail }) => detail);
    assert.deepEqual(details, ['input price 3 above 2 USD per million tokens', 'input price unknown']);
  });

  it('has: tags, vision by modality, quantizations', () => {
    const models = [
      modelEntry('m', [at('a', { quantization: 'fp8' }), at('b', { quantization: 'fp4' }), at('c')], { tags: ['own'] }),
      model('n', 'd', { inputModalities: ['text', 'image'] }),
    ];
    assert.equal(providers(plan(models, { has: ['vision'] })), 'd');
    assert.equal(providers(plan(models, { has: ['own', 'quantization:fp8'] })), 'a');
    assert.equal(providers(plan(models, { has: ['!quantization:fp4'] })), 'a c d');
    assert.equal(providers(plan(models, { quantizations: ['fp8', 'fp4'] })), 'a b');
    const error = refusal(planRequest(models, { has: ['vision', 'wings'] }));
    assert.equal(error.param, 'providerOptions.gateway.has.1');
    assert.match(error.message, /expected one of vision, implicit-caching, .*got "wings"/);
  });

  it('requireParameters: what is not known to be taken is not there', () => {
    const models = [model('m', 'a', { supportedParameters: ['tools'] }), model('n', 'b')];
    assert.equal(providers(plan(models, { requireParameters: ['tools'] })), 'a');
    assert.match(refusal(planRequest(models, { requireParameters: ['seed'] })).message, /not known to take seed/);
  });

  it('warns of options without effect', () => {
    const { warnings } = plan([ABC], { ignored: ['providerOptions.gateway.speed'] });
    assert.deepEqual(warnings, ['providerOptions.gateway.speed: has no effect in this release']);
  });
});

describe('capabilities', () => {
  const blind = model('blind', 'a b', { inputModalities: ['text'], supportedParameters: ['seed'] });
  const able = model('able', 'c', {
    inputModalities: ['text', 'image', 'audio', 'file'],
    supportedParameters: ['tools'],
  });
  const unknown = model('unknown', 'd');
  const needing = (models: readonly ModelEntry[], features: Partial<PlanRequest['features']>): PlanRequest =>
    planRequest(models, {}, { features: { ...NO_FEATURES, ...features } });
  const left = (models: readonly ModelEntry[], features: Partial<PlanRequest['features']>): string =>
    providers(planAttempts(needing(models, features), UNKNOWN_HEALTH));

  it('images, audio and tools rule out models that are known not to take them', () => {
    for (const feature of ['images', 'audio', 'tools'] as const) {
      assert.equal(left([blind, able, unknown], { [feature]: true }), 'c d');
      const error = refusal(needing([blind], { [feature]: true }));
      assert.equal(error.code, 'unsupported_content');
      assert.equal(error.param, feature === 'tools' ? 'tools' : 'messages');
      assert.match(error.message, new RegExp(`blind cannot take .*does not take ${feature}`));
    }
  });

  it('files and schemas rule out only while another is left', () => {
    assert.equal(left([blind, able], { files: true }), 'c');
    assert.equal(left([blind], { files: true }), 'a b');
    assert.equal(left([blind, unknown], { jsonSchema: true }), 'd');
    assert.equal(left([able], { jsonSchema: true }), 'c');
  });

  it('so does the length', () => {
    const sizes = modelEntry('m', [at('a', { contextWindow: 1_000 }), at('b'), at('c', { contextWindow: 9_000 })]);
    assert.equal(left([sizes], { promptTokens: 900, maxOutputTokens: 100 }), 'a b c');
    assert.equal(left([sizes], { promptTokens: 900, maxOutputTokens: 101 }), 'b c');
    const full = { ...needing([sizes], { promptTokens: 900, maxOutputTokens: 100 }), options: { order: ['c'] } };
    assert.equal(providers(planAttempts(full, UNKNOWN_HEALTH)), 'c a b');
    assert.equal(left([modelEntry('m', [at('a', { contextWindow: 1_000 })])], { promptTokens: 5_000 }), 'a');
  });

  it('a filter together with a capability is no_eligible_provider', () => {
    const request = { ...needing([blind, able], { images: true }), options: { ignore: ['c'] } };
    assert.equal(refusal(request).code, 'no_eligible_provider');
  });
});

describe('sort', () => {
  const priced = modelEntry('m', [
    at('a', price('0.000004', '0.000004')),
    at('b'),
    at('c', price('0.000001', '0.000001')),
  ]);

  it('by cost, the unknown last, with its record', () => {
    const { sort, attempts } = plan([priced], { sort: 'cost' });
    assert.deepEqual(sort, {
      option: 'cost',
      executionOrder: ['c', 'a', 'b'],
      metrics: { a: 4, c: 1 },
      deprioritized: [],
    });
    assert.deepEqual(
      attempts.map(({ reason }) => reason),
      ['sort cost: 1 USD per million tokens', 'sort cost: 4 USD per million tokens', 'sort cost: price unknown'],
    );
  });

  it('a price that is not known is never tried first: asking tells no price', () => {
    for (let seed = 0; seed < 200; seed++) {
      assert.equal(providers(planAttempts(planRequest([priced], { sort: 'cost' }, { seed }), UNKNOWN_HEALTH)), 'c a b');
    }
  });

  it('by time to first token and by speed; order goes first', () => {
    const health = healthView({
      'a:x': { ttftMs: 900, tokensPerSecond: 10 },
      'b:x': { ttftMs: 300, tokensPerSecond: 80 },
      'c:x': { ttftMs: 500, tokensPerSecond: 90 },
    });
    const ttft = plan([ABC], { sort: 'ttft' }, health);
    assert.equal(providers(ttft), 'b c a');
    assert.deepEqual(ttft.sort?.metrics, { a: 0.9, b: 0.3, c: 0.5 });
    assert.equal(providers(plan([ABC], { sort: 'tps' }, health)), 'c b a');
    assert.equal(providers(plan([ABC], { sort: 'tps', order: ['a'] }, health)), 'a c b');
  });

  it('says whom health put back', () => {
    const health = healthView({ 'c:x': { breaker: 'open' } });
    const { sort } = plan([priced], { sort: 'cost' }, health);
    assert.deepEqual(sort?.executionOrder, ['a', 'b', 'c']);
    assert.deepEqual(sort?.deprioritized, ['c']);
  });
});

describe('health', () => {
  const both = [ABC, model('n', 'd')];

  it('open and cooling endpoints go last over the whole plan, never away', () => {
    const result = plan(both, {}, healthView({ 'a:x': { breaker: 'open' }, 'b:x': { coolUntil: 1_001 } }));
    assert.equal(providers(result), 'c d a b');
    assert.match(result.attempts[2]?.reason ?? '', /last: its breaker is open/);
    assert.match(result.attempts[3]?.reason ?? '', /last: it cools down/);
    assert.equal(providers(plan(both, {}, healthView({ 'b:x': { coolUntil: 1_000 } }))), 'a b c d', 'it is over');
  });

  it('order is no reason to ask who is down', () => {
    assert.equal(providers(plan(both, { order: ['b'] }, healthView({ 'b:x': { breaker: 'open' } }))), 'a c d b');
  });

  it('a half-open endpoint keeps its place, and its permit is named where it will be asked', () => {
    const first = plan(both, {}, healthView({ 'a:x': { breaker: 'half_open' } }));
    assert.equal(providers(first), 'a b c d');
    assert.deepEqual(first.permits, ['a:x']);
    const second = plan(both, {}, healthView({ 'b:x': { breaker: 'half_open' } }));
    assert.equal(providers(second), 'a b c d');
    assert.deepEqual(second.permits, [], 'a is well: b will not be asked');
    assert.deepEqual(plan([model('m', 'a')], {}, healthView({ 'a:x': { breaker: 'half_open' } })).permits, ['a:x']);
  });

  it('a permit is wanted for an endpoint that would be asked first and is due', () => {
    const due = { breaker: 'open', probeDue: true } as const;
    assert.deepEqual(plan(both, {}, healthView({ 'a:x': due, 'b:x': due })).wanted, ['a:x', 'b:x']);
    assert.deepEqual(plan(both, {}, healthView({ 'b:x': due })).wanted, []);
    assert.deepEqual(plan(both, {}, healthView({ 'a:x': { breaker: 'open' } })).wanted, []);
    assert.deepEqual(plan([model('m', 'a')], {}, healthView({ 'a:x': due })).wanted, ['a:x']);
  });
});

describe('affinity', () => {
  const cheap = modelEntry('m', [
    at('a', price('0.000001', '0.000002')),
    at('b', price('0.000003', '0.000015', '0.0000003')),
  ]);
  const warm = (models: readonly ModelEntry[], endpointKey: string | null, options: RoutingOptions = {}): PlanRequest =>
    planRequest(models, options, { affinity: { prefix: 7, endpointKey } });
  const outcome = (request: PlanRequest, health = UNKNOWN_HEALTH): string => {
    const result = planAttempts(request, health);
    return `${providers(result)} ${result.affinity}`;
  };

  it('the endpoint that has the prompt cached comes first', () => {
    assert.equal(outcome(warm([ABC], 'c:x')), 'c a b hit');
    assert.equal(outcome(warm([ABC], null)), 'a b c miss');
    assert.equal(outcome(warm([ABC], 'gone:x')), 'a b c miss');
    assert.equal(outcome(planRequest([ABC])), 'a b c null');
    assert.match(planAttempts(warm([ABC], 'c:x'), UNKNOWN_HEALTH).reasoning, /c:x \(has the prompt cached\)/);
  });

  it('has no say where there is no choice, where it is off, or where a sort is asked for', () => {
    assert.equal(outcome(warm([model('m', 'a')], 'a:x')), 'a null');
    assert.equal(outcome(warm([ABC], 'c:x', { affinity: 'off' })), 'a b c null');
    assert.equal(outcome(warm([cheap], 'b:x', { sort: 'cost' })), 'a b null');
  });

  it('stands behind named providers', () => {
    assert.equal(outcome(warm([ABC], 'c:x', { order: ['b'] })), 'b c a miss');
  });

  it('not when it is unwell, crowded, or dearer cached than another is plain', () => {
    assert.equal(outcome(warm([ABC], 'c:x'), healthView({ 'c:x': { coolUntil: 2_000 } })), 'a b c miss');
    assert.equal(outcome(warm([ABC], 'c:x'), healthView({ 'c:x': { inFlight: 9 } })), 'a b c miss');
    assert.equal(outcome(warm([ABC], 'c:x'), healthView({ 'c:x': { inFlight: 8 } })), 'c a b hit');
    const busy = healthView({ 'a:x': { inFlight: 40 }, 'b:x': { inFlight: 40 }, 'c:x': { inFlight: 60 } });
    assert.equal(outcome(warm([ABC], 'c:x'), busy), 'c a b hit');
    assert.equal(outcome(warm([cheap], 'b:x')), 'b a hit');
    const dear = modelEntry('m', [at('a', price('0.000001', null)), at('b', price('0.00002', null, '0.000002'))]);
    assert.equal(outcome(warm([dear], 'b:x')), 'a b miss');
  });

  it('draws the same for the same prefix, whatever the seed, until there is a crowd', () => {
    const weighted = modelEntry(
      'm',
      ['a', 'b', 'c'].map((name) => at(name, { weight: 1 })),
    );
    const drawn = (prefix: number, seed: number, health = UNKNOWN_HEALTH): string =>
      providers(planAttempts(planRequest([weighted], {}, { affinity: { prefix, endpointKey: null }, seed }), health));
    const seeds = Array.from({ length: 50 }, (_, i) => i);
    assert.equal(new Set(seeds.map((seed) => drawn(7, seed))).size, 1);
    assert.ok(new Set(seeds.map((prefix) => drawn(prefix, 7))).size > 3);
    const [favourite = ''] = drawn(7, 0).split(' ');
    const crowd = healthView({ [`${favourite}:x`]: { inFlight: 30 } });
    assert.ok(new Set(seeds.map((seed) => drawn(7, seed, crowd)[0])).size === 3);
  });
});

describe('callers of their own', () => {
  const credential = (apiKey: string, models: Record<string, string> = {}) => ({
    credentials: { apiKey },
    settings: {},
    models,
  });

  it("the caller's credentials in turn, then the gateway's, endpoint by endpoint", () => {
    const { attempts } = plan([ABC], { byok: { b: [credential('k1'), credential('k2', { m: 'mine' })] } });
    assert.deepEqual(
      attempts.map(({ endpoint, credentialType }) => [
        endpoint.key,
        credentialType,
        endpoint.provider.credentials.apiKey,
      ]),
      [
        ['a:x', 'system', undefined],
        ['b:x', 'byok', 'k1'],
        ['b:mine', 'byok', 'k2'],
        ['b:x', 'system', undefined],
        ['c:x', 'system', undefined],
      ],
    );
    assert.equal(attempts[2]?.endpoint.model, 'mine');
    assert.deepEqual(ABC.endpoints[1]?.provider.credentials, {}, "the catalog's entry is as before");
  });

  it("an account abroad is asked abroad, and nothing of the gateway's identity is mixed in", () => {
    const vertex = at(
      'v',
      {},
      {
        dialect: 'vertex',
        baseUrl: 'https://us-east5-aiplatform.googleapis.com',
        settings: { project: 'ours', location: 'us-east5' },
        credentials: { accessToken: 'ours' },
      },
    );
    const account = {
      credentials: { credentials: '{}' },
      settings: { project: 'p', location: 'europe-west1' },
      models: {},
    };
    const [own] = plan([modelEntry('m', [vertex])], { byok: { v: [account] } }).attempts;
    assert.equal(own?.endpoint.provider.baseUrl, 'https://europe-west1-aiplatform.googleapis.com');
    assert.deepEqual(own?.endpoint.provider.settings, account.settings);
    assert.deepEqual(own?.endpoint.provider.credentials, account.credentials);
    const proxied = { ...vertex, provider: { ...vertex.provider, baseUrl: 'http://127.0.0.1:9' } };
    const [there] = plan([modelEntry('m', [proxied])], { byok: { v: [account] } }).attempts;
    assert.equal(there?.endpoint.provider.baseUrl, 'http://127.0.0.1:9', "the operator's own address stays");
  });

  it("a credential that would leave the gateway's own identity to answer is refused", () => {
    for (const dialect of ['vertex', 'bedrock']) {
      const own = modelEntry('m', [at('v', {}, { dialect })]);
      const given = { credentials: { accessKeyId: 'secret-id' }, settings: { project: 'p' }, models: {} };
      const error = refusal(planRequest([own], { byok: { v: [given] } }));
      assert.equal(error.param, 'providerOptions.gateway.byok.v.0');
      assert.doesNotMatch(error.message, /secret-id/);
    }
  });

  it("a cool-down is of the gateway's credential, an open breaker is of the endpoint", () => {
    const byok = { a: [credential('k')] };
    const types = (health = UNKNOWN_HEALTH): string =>
      plan([model('m', 'a b')], { byok }, health)
        .attempts.map(({ endpoint, credentialType }) => `${endpoint.provider.name}-${credentialType}`)
        .join(' ');
    assert.equal(types(healthView({ 'a:x': { coolUntil: 2_000 } })), 'a-byok b-system a-system');
    assert.equal(types(healthView({ 'a:x': { breaker: 'open' } })), 'b-system a-byok a-system');
  });

  it('timeouts of theirs hold for every credential and bind', () => {
    const { attempts } = plan([ABC], { byok: { b: [credential('k')] }, providerTimeouts: { byok: { b: 2_500 } } });
    assert.deepEqual(
      attempts.map(({ endpoint, firstTokenBinds }) => [endpoint.timeouts.firstTokenMs, firstTokenBinds]),
      [
        [1_000, false],
        [2_500, true],
        [2_500, true],
        [1_000, false],
      ],
    );
  });

  it('a provider named as something of every object has no credentials for that', () => {
    assert.equal(
      providers(plan([model('m', 'constructor toString')], { byok: {}, providerTimeouts: { byok: {} } })),
      'constructor toString',
    );
  });
});
