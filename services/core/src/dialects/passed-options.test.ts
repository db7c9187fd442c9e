import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ChatRequest, readChatRequest } from '../chat/index.ts';
import { HEADROOM } from '../json/index.ts';
import type { Target } from './dialect.ts';
import { findDialect } from './index.ts';

type Raw = Record<string, unknown>;

function read(gateway: Raw, fields: Raw): ChatRequest {
  const body = { model: 'a/b', messages: [{ role: 'user', content: 'Hi' }], providerOptions: { gateway }, ...fields };
  const bytes = Buffer.from(JSON.stringify(body));
  const store = Buffer.concat([Buffer.alloc(HEADROOM), bytes, Buffer.alloc(HEADROOM)]);
  return readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
}

function encode([dialect, target]: To, gateway: Raw, fields: Raw = {}) {
  const { body, headers, warnings } =
    findDialect(dialect)?.encodeChat(read(gateway, fields), { ...TARGET, provider: dialect, ...target }, new Map()) ??
    assert.fail();
  return { body: JSON.parse(body.toString()) as Raw, headers, warnings };
}

const TARGET: Target = {
  provider: '',
  model: 'm',
  baseUrl: 'http://127.0.0.1:1',
  credentials: {},
  settings: { project: 'p', location: 'global' },
  maxOutputTokens: 0,
  publisher: '',
};

type To = readonly [dialect: string, target?: Partial<Target>];
const preset = (name: string): To => ['openai', { settings: { preset: name } }];
const OPENAI: To = ['openai'];
const AZURE: To = ['azure'];
const ANTHROPIC: To = ['anthropic'];
const GEMINI: To = ['gemini'];
const VERTEX: To = ['vertex', { publisher: 'google' }];
const CLAUDE: To = ['vertex', { publisher: 'anthropic' }];
const BEDROCK: To = ['bedrock'];

describe('providerOptions.gateway.serviceTier', () => {
  /** What is sent of it; null: nothing, and a warning says so. */
  const places: [To, 'flex' | 'priority', Raw | null][] = [
    [OPENAI, 'flex', { service_tier: 'flex' }],
    [AZURE, 'priority', { service_tier: 'priority' }],
    [preset('openrouter'), 'flex', { service_tier: 'flex' }],
    [preset('groq'), 'flex', { service_tier: 'flex' }],
    [preset('groq'), 'priority', null],
    [preset('fireworks'), 'priority', { service_tier: 'priority' }],
    [preset('mistral'), 'priority', null],
    [preset('ollama'), 'flex', null],
    [ANTHROPIC, 'priority', { service_tier: 'auto' }],
    [ANTHROPIC, 'flex', null],
    [CLAUDE, 'priority', null],
    [GEMINI, 'flex', { serviceTier: 'flex' }],
    [GEMINI, 'priority', { serviceTier: 'priority' }],
    [BEDROCK, 'flex', { serviceTier: { type: 'flex' } }],
    [BEDROCK, 'priority', { serviceTier: { type: 'priority' } }],
  ];
  for (const [to, serviceTier, sent] of places) {
    it(`${serviceTier} at ${JSON.stringify(to)}: ${sent === null ? 'a warning' : JSON.stringify(sent)}`, () => {
      const { body, warnings } = encode(to, { serviceTier });
      const { service_tier, serviceTier: own } = body;
      assert.deepEqual(
        { service_tier, serviceTier: own },
        { service_tier: undefined, serviceTier: undefined, ...sent },
      );
      const named = warnings.filter((warning) => warning.startsWith('providerOptions.gateway.serviceTier: '));
      assert.equal(named.length, sent === null ? 1 : 0);
      assert.equal(warnings.length, named.length);
    });
  }

  it('overrides the tier that is asked of the provider in its own words, and says so', () => {
    for (const [to, own, sent] of [
      [OPENAI, { service_tier: 'flex' }, { service_tier: 'priority' }],
      [ANTHROPIC, { service_tier: 'standard_only' }, { service_tier: 'auto' }],
      [GEMINI, { serviceTier: 'flex' }, { serviceTier: 'priority' }],
      [BEDROCK, { serviceTier: { type: 'flex' } }, { serviceTier: { type: 'priority' } }],
    ] as const) {
      const [dialect] = to;
      const gateway = { serviceTier: 'priority' };
      const { body, warnings } = encode(to, gateway, { providerOptions: { gateway, [dialect]: own } });
      const [name] = Object.keys(own);
      assert.deepEqual({ [name ?? '']: body[name ?? ''] }, sent);
      assert.deepEqual(warnings, [
        `providerOptions.${dialect}.${name}: overridden by providerOptions.gateway.serviceTier, dropped`,
      ]);
    }
  });

  it('goes to Vertex in a header, as OpenAI’s field does', () => {
    for (const tier of ['flex', 'priority']) {
      for (const [gateway, fields] of [
        [{ serviceTier: tier }, {}],
        [{}, { service_tier: tier }],
      ]) {
        const { body, headers, warnings } = encode(VERTEX, gateway ?? {}, fields);
        assert.equal(headers[headers.indexOf('x-vertex-ai-llm-shared-request-type') + 1], tier);
        assert.deepEqual([body.serviceTier, warnings], [undefined, []]);
      }
    }
    assert.equal(
      encode(VERTEX, {}, { service_tier: 'default' }).headers.includes('x-vertex-ai-llm-shared-request-type'),
      false,
    );
  });

  it('stands in place of service_tier', () => {
    const both = (to: To): Raw => encode(to, { serviceTier: 'flex' }, { service_tier: 'priority' }).body;
    assert.equal(both(OPENAI).service_tier, 'flex');
    assert.equal(both(GEMINI).serviceTier, 'flex');
    assert.deepEqual(both(BEDROCK).serviceTier, { type: 'flex' });
  });

  it('leaves service_tier in its place where it cannot be had', () => {
    const { body } = encode(preset('groq'), { serviceTier: 'priority' }, { service_tier: 'flex' });
    assert.equal(body.service_tier, 'flex');
  });
});

describe('providerOptions.gateway.safetyIdentifier', () => {
  const places: [To, Raw | null][] = [
    [OPENAI, { safety_identifier: 'u-1' }],
    [AZURE, { safety_identifier: 'u-1' }],
    [preset('mistral'), null],
    [ANTHROPIC, { metadata: { user_id: 'u-1' } }],
    [CLAUDE, { metadata: { user_id: 'u-1' } }],
    [GEMINI, null],
    [VERTEX, null],
    [BEDROCK, null],
  ];
  for (const [to, sent] of places) {
    it(`${JSON.stringify(to)}: ${sent === null ? 'a warning' : JSON.stringify(sent)}`, () => {
      const { body, warnings } = encode(to, { safetyIdentifier: 'u-1' });
      for (const [name, value] of Object.entries(sent ?? {})) assert.deepEqual(body[name], value);
      assert.equal(JSON.stringify(body).includes('u-1'), sent !== null);
      assert.equal(warnings.length, sent === null ? 1 : 0);
      if (sent === null) assert.match(warnings[0] ?? '', /^providerOptions\.gateway\.safetyIdentifier: not taken by /);
    });
  }

  it('stands in place of what the fields say', () => {
    const fields = { safety_identifier: 'u-2', user: 'u-3' };
    const { safety_identifier, user } = encode(OPENAI, { safetyIdentifier: 'u-1' }, fields).body;
    assert.deepEqual([safety_identifier, user], ['u-1', 'u-3']);
    const { body, warnings } = encode(ANTHROPIC, { safetyIdentifier: 'u-1' }, fields);
    assert.deepEqual(body.metadata, { user_id: 'u-1' });
    assert.deepEqual(warnings, ['user: replaced by providerOptions.gateway.safetyIdentifier']);
  });
});
