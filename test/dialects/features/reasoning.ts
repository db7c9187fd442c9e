import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import type { Answer } from '../answer.ts';
import type { Ask, Context, Feature } from '../feature.ts';
import { asking, CLAUDES, each, OPENAIS, warns } from '../feature.ts';
import type { ProviderRow } from '../providers.ts';

const user = (content: string) => ({ role: 'user', content }) as const;
const QUESTION = user('How many canals has Mars?');
const WEATHER: OpenAI.ChatCompletionFunctionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Get the current weather',
    parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
  },
};
const WEATHER_LOOP: Ask = {
  messages: [user('What is the weather in Paris?')],
  tools: [WEATHER],
  reasoning: { effort: 'low' },
};

/** Converse counts reasoning among the output and does not say how much of it there was. */
function assertCounted(usage: Answer['usage'], { dialect }: ProviderRow): void {
  const count = usage?.completion_tokens_details?.reasoning_tokens;
  if (dialect === 'bedrock') assert.equal(count, undefined, 'what is not counted is absent');
  else assert.ok((count ?? 0) > 0, 'reasoning is counted');
}

/** Reasoning is counted everywhere; OpenAI’s chat completions do not show it. */
function assertReasoned({ usage, reasoning, details, text }: Answer, { provider }: Context): void {
  assertCounted(usage, provider);
  if (provider.family === 'openai') return;
  assert.ok(reasoning, 'reasoning to be read');
  assert.ok(!text?.includes(reasoning), 'no reasoning in the content');
  assert.equal(details.map((detail) => detail.text ?? '').join(''), reasoning, 'details say the same');
  if (provider.family === 'claude') {
    assert.equal(details[0]?.format, 'anthropic-claude-v1');
    assert.ok(details[0]?.signature, 'the signature');
  }
}

/** Thinking: asked for in each spelling, shown in its own place, sent back unchanged. */
export const REASONING: readonly Feature[] = [
  asking({
    row: '`reasoning_effort`, `reasoning{}`',
    name: 'reasoning_effort',
    ask: { messages: [QUESTION], reasoning_effort: 'low' },
    check: assertReasoned,
  }),
  asking({
    row: '`reasoning_effort`, `reasoning{}`',
    name: 'reasoning.effort',
    ask: { messages: [QUESTION], reasoning: { effort: 'high' } },
    check: assertReasoned,
  }),
  asking({
    row: 'a budget of reasoning tokens',
    name: 'reasoning.max_tokens',
    fates: each([...OPENAIS, 'claude47'], warns('reasoning.max_tokens')),
    ask: { messages: [QUESTION], reasoning: { max_tokens: 2_048 }, max_tokens: 8_000 },
    check: (answer, context) => {
      if (context.provider.family !== 'openai') assertReasoned(answer, context);
    },
  }),
  ...(['reasoning', 'reasoning_content', 'tag'] as const).map((spelling) =>
    asking({
      row: 'reasoning of compatible models, `<think>` too',
      name: `reasoning in the open, spelt ${spelling}`,
      only: ['local'],
      sameAsOpenAi: false,
      ask: { messages: [user(`[[sim think=6 think-as=${spelling}]] How many canals has Mars?`)] },
      check: ({ reasoning, text }) => {
        assert.ok(reasoning && text, 'both reasoning and text');
        assert.ok(!text.includes(reasoning) && !text.includes('<think>'), 'no reasoning in the content');
      },
    }),
  ),
  asking({
    name: 'reasoning switched off',
    // That model always thinks.
    fates: { gemini: warns('reasoning'), gemini3: warns('reasoning') },
    ask: { messages: [QUESTION], reasoning_effort: 'none' },
    check: ({ reasoning }, { fate }) => {
      if (fate.kind === 'works') assert.equal(reasoning, null);
    },
  }),
  asking({
    row: 'hidden reasoning (`exclude`)',
    name: 'reasoning.exclude',
    fates: each(OPENAIS, warns('reasoning.exclude')),
    ask: { messages: [QUESTION], reasoning: { effort: 'low', exclude: true } },
    check: ({ reasoning, usage }, { provider }) => {
      assert.equal(reasoning, null);
      assertCounted(usage, provider);
    },
  }),
  {
    row: 'reasoning sent back, also in a tool loop',
    name: 'signatures reach the provider unchanged in a tool loop',
    async run(context) {
      const { bench, provider } = context;
      for (const first of [await bench.whole(provider, WEATHER_LOOP), await bench.stream(provider, WEATHER_LOOP)]) {
        assert.equal(first.calls.length, 1);
        const ask = followUp(first, first.message);
        const answer = await bench.whole(provider, ask);
        assert.match(answer.text ?? '', /21 degrees/);
        // The simulator refuses signatures that it did not give, and thinking that is missing.
        if (provider.family !== 'openai') assertReasoned(answer, context);
        const signatures = [
          ...first.details.map(({ signature }) => signature),
          ...first.calls.map(({ extra }) => googleSignature(extra)),
        ].filter((signature) => typeof signature === 'string');
        if (provider.family !== 'openai') assert.ok(signatures.length > 0, 'something to send back');
        const received = JSON.stringify(await context.received());
        for (const signature of signatures) assert.ok(received.includes(signature), 'the signature as it was');
      }
    },
  },
  {
    row: 'reasoning sent back, also in a tool loop',
    name: 'redacted thinking goes back as it came',
    only: CLAUDES,
    async run(context) {
      const { bench, provider } = context;
      const redacted = '[[sim think=5 think-as=redacted]] What is the weather in Paris?';
      const ask = { ...WEATHER_LOOP, messages: [user(redacted)] };
      const first = await bench.whole(provider, ask);
      const [detail] = first.details;
      assert.equal(detail?.type, 'reasoning.encrypted');
      assert.equal(first.reasoning, null, 'nothing of it can be read');
      const answer = await bench.whole(provider, followUp(first, first.message, ask));
      assert.match(answer.text ?? '', /21 degrees/);
      assert.ok(JSON.stringify(await context.received()).includes(String(detail.data)), 'the data as it was');
    },
  },
  asking({
    name: 'reasoning beside a forced call',
    fates: each(CLAUDES, warns('reasoning')),
    ask: { ...WEATHER_LOOP, tool_choice: 'required' },
    check: ({ calls }) => assert.equal(calls.length, 1),
  }),
  {
    row: 'reasoning dropped by the client',
    name: 'a client that drops reasoning still gets its answer',
    async run({ bench, provider }) {
      const first = await bench.whole(provider, WEATHER_LOOP);
      const calls = (first.message.tool_calls ?? []).map((call) => ({ ...call, extra_content: undefined }));
      const answer = await bench.whole(
        provider,
        followUp(first, { role: 'assistant', content: null, tool_calls: calls }),
      );
      assert.match(answer.text ?? '', /21 degrees/);
      if (provider.family === 'claude')
        assert.ok(
          answer.warnings.some((warning) => warning.startsWith('reasoning')),
          `a warning that it does not reason, in ${JSON.stringify(answer.warnings)}`,
        );
    },
  },
];

function followUp(first: Answer, message: object, ask = WEATHER_LOOP): Ask {
  const [call] = first.calls;
  assert.ok(call);
  const result = { role: 'tool', tool_call_id: call.id, content: '21 degrees, sunny' } as const;
  return {
    ...ask,
    messages: [...ask.messages, message as OpenAI.ChatCompletionAssistantMessageParam, result],
  };
}

function googleSignature(extra: unknown): unknown {
  return (extra as { google?: { thought_signature?: string } } | null)?.google?.thought_signature;
}
