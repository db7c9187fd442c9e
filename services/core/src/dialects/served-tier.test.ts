import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Target } from './dialect.ts';
import { findDialect } from './index.ts';

type Event = readonly [data: object, name?: string];

const openai = (service_tier?: string) => ({ id: 'x', model: 'm', ...(service_tier ? { service_tier } : {}) });
const message = { role: 'assistant', content: 'x' };
const claude = (service_tier?: string) => ({ input_tokens: 1, output_tokens: 1, service_tier: service_tier ?? null });
const gemini = (usage: object) => ({
  candidates: [{ index: 0, content: { parts: [{ text: 'x' }] }, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 1, ...usage },
});
const bedrock = (type?: string) => ({
  usage: { inputTokens: 1, outputTokens: 1 },
  ...(type ? { serviceTier: { type } } : {}),
});

const openaiAnswers = (tier?: string): [object, Event[]] => [
  { ...openai(tier), choices: [{ index: 0, message, finish_reason: 'stop' }] },
  [
    [{ ...openai(tier), choices: [{ index: 0, delta: message, finish_reason: null }] }],
    [{ ...openai(tier), choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }],
  ],
];
const claudeAnswers = (tier?: string): [object, Event[]] => [
  { id: 'x', model: 'm', content: [{ type: 'text', text: 'x' }], stop_reason: 'end_turn', usage: claude(tier) },
  [
    [{ type: 'message_start', message: { id: 'x', model: 'm', content: [], usage: claude(tier) } }],
    [{ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } }],
    [{ type: 'message_stop' }],
  ],
];
const geminiAnswers = (usage: object): [object, Event[]] => [gemini(usage), [[gemini(usage)]]];
const bedrockAnswers = (tier?: string): [object, Event[]] => [
  { output: { message: { role: 'assistant', content: [{ text: 'x' }] } }, stopReason: 'end_turn', ...bedrock(tier) },
  [
    [{ stopReason: 'end_turn' }, 'messageStop'],
    [bedrock(tier), 'metadata'],
  ],
];

const CASES: [dialect: string, publisher: string, answers: [object, Event[]], tier: string | null][] = [
  ['openai', '', openaiAnswers('priority'), 'priority'],
  ['azure', '', openaiAnswers('default'), 'default'],
  ['openai', '', openaiAnswers(), null],
  ['anthropic', '', claudeAnswers('priority'), 'priority'],
  ['anthropic', '', claudeAnswers('standard'), 'default'],
  ['vertex', 'anthropic', claudeAnswers(), null],
  ['gemini', '', geminiAnswers({ serviceTier: 'flex' }), 'flex'],
  ['gemini', '', geminiAnswers({ serviceTier: 'standard' }), 'default'],
  ['vertex', 'google', geminiAnswers({ trafficType: 'ON_DEMAND_PRIORITY' }), 'priority'],
  ['vertex', 'google', geminiAnswers({ trafficType: 'ON_DEMAND' }), 'default'],
  ['vertex', 'google', geminiAnswers({ trafficType: 'PROVISIONED_THROUGHPUT' }), null],
  ['bedrock', '', bedrockAnswers('flex'), 'flex'],
  ['bedrock', '', bedrockAnswers(), null],
];

describe('the tier that served a request', () => {
  for (const [name, publisher, [body, events], tier] of CASES) {
    it(`${name} ${publisher}: ${tier ?? 'not said'}`, () => {
      const dialect = findDialect(name) ?? assert.fail();
      const target: Target = {
        provider: name,
        model: 'm',
        baseUrl: 'http://127.0.0.1:1',
        credentials: {},
        settings: {},
        maxOutputTokens: 0,
        publisher,
      };
      const context = { generationId: 'gen_1', model: 'a/b', created: 0, target };
      assert.equal(dialect.decodeChat(Buffer.from(JSON.stringify(body)), context).serviceTier, tier);
      const decoder = dialect.streamDecoder({ ...context, includeUsage: false, choices: 1 });
      const nowhere = { bytes: () => undefined, text: () => undefined };
      for (const [data, event = ''] of events) decoder.event(Buffer.from(JSON.stringify(data)), event, nowhere);
      assert.equal(decoder.progress.complete, true);
      assert.equal(decoder.progress.serviceTier, tier);
    });
  }
});
