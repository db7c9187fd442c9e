import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import type { Answer } from '../answer.ts';
import type { Ask, Context, Feature } from '../feature.ts';
import { asking, CLAUDES, each, GEMINIS, OPENAIS, warns } from '../feature.ts';

type Tool = OpenAI.ChatCompletionFunctionTool;

const WEATHER: Tool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Get the current weather in a given location',
    parameters: {
      type: 'object',
      properties: {
        location: { type: 'string', description: 'The city and state, e.g. San Francisco, CA' },
        unit: { type: 'string', enum: ['celsius', 'fahrenheit'] },
      },
      required: ['location'],
    },
  },
};
const CLOCK: Tool = { type: 'function', function: { name: 'read_clock', description: 'Reads the clock on the wall' } };
const TOOLS = [WEATHER, CLOCK];
const user = (content: string) => ({ role: 'user', content }) as const;

const TWO_CITIES: Ask = { messages: [user('What is the weather in Paris and in Rome?')], tools: TOOLS };

function assertCalls({ calls, finish }: Answer, names: readonly string[]): void {
  assert.deepEqual(
    calls.map(({ name }) => name),
    names,
  );
  assert.equal(new Set(calls.map(({ id }) => id)).size, calls.length, 'every call has an id of its own');
  for (const call of calls) assert.ok(call.id && JSON.parse(call.arguments), 'an id, and JSON');
  assert.equal(finish, names.length > 0 ? 'tool_calls' : 'stop');
}

const calling = (names: readonly string[]) => (answer: Answer) => assertCalls(answer, names);

/** Each call answered, in the order given, behind the assistant's message as it came. */
function loop(ask: Ask, answer: Answer, options: { readonly reversed?: boolean; readonly message?: object } = {}): Ask {
  const results = answer.calls.map(
    ({ id, arguments: text }, i): OpenAI.ChatCompletionToolMessageParam => ({
      role: 'tool',
      tool_call_id: id,
      content: `Result ${i} of ${text}: 21 degrees, sunny.`,
    }),
  );
  if (options.reversed) results.reverse();
  const message = (options.message ?? answer.message) as OpenAI.ChatCompletionAssistantMessageParam;
  return { ...ask, messages: [...ask.messages, message, ...results] };
}

/** Calls, then the answer to the results; from the whole answer and from the stream. */
async function runLoop(context: Context, ask: Ask): Promise<void> {
  const { bench, provider } = context;
  for (const first of [await bench.whole(provider, ask), await bench.stream(provider, ask)]) {
    assertCalls(first, ['get_weather', 'get_weather']);
    const next = loop(ask, first);
    const answer = await bench.whole(provider, next);
    const streamed = await bench.stream(provider, next);
    assertCalls(answer, []);
    assert.equal(streamed.text, answer.text);
    for (const [i, { arguments: text }] of first.calls.entries())
      assert.ok(answer.text?.includes(`Result ${i} of ${text}: 21 degrees`), `result ${i} in ${answer.text}`);
  }
}

const OSLO = {
  id: 'call_1',
  type: 'function',
  function: { name: 'get_weather', arguments: '{"location":"Oslo"}' },
} as const;
const SIGNATURE = Buffer.from('a signature of somebody else').toString('base64');
const thought = (format: string) => [{ type: 'reasoning.text', text: 'Cold.', signature: SIGNATURE, format, index: 0 }];
const OF_CLAUDE = {
  tool_calls: [OSLO],
  reasoning: 'Cold.',
  reasoning_details: thought('anthropic-claude-v1'),
};
const OF_GEMINI = {
  tool_calls: [{ ...OSLO, extra_content: { google: { thought_signature: SIGNATURE } } }],
  reasoning: 'Cold.',
  reasoning_details: thought('google-gemini-v1'),
};

/** Tools, whoever chooses them. */
export const TOOL_FEATURES: readonly Feature[] = [
  asking({
    row: 'tools',
    name: 'a tool call',
    ask: { messages: [user('What is the weather like in San Francisco?')], tools: [WEATHER] },
    check: calling(['get_weather']),
  }),
  asking({
    row: 'parallel tool calls',
    name: 'parallel tool calls',
    ask: TWO_CITIES,
    check: (answer) => {
      assertCalls(answer, ['get_weather', 'get_weather']);
      const places = answer.calls.map(({ arguments: text }) => (JSON.parse(text) as { location: string }).location);
      assert.deepEqual(places, ['Paris', 'Rome']);
    },
  }),
  asking({
    name: 'five parallel calls, cut at every byte',
    ask: { messages: [user('[[sim calls=5 split=1]] What is the weather in Paris and in Rome?')], tools: TOOLS },
    check: calling(Array.from({ length: 5 }, () => 'get_weather')),
  }),
  asking({
    row: '`parallel_tool_calls: false`',
    name: 'parallel_tool_calls false',
    fates: each(GEMINIS, warns('parallel_tool_calls')),
    sameAsOpenAi: false,
    ask: { ...TWO_CITIES, parallel_tool_calls: false },
    check: (answer, { fate }) =>
      assertCalls(answer, fate.kind === 'warns' ? ['get_weather', 'get_weather'] : ['get_weather']),
  }),
  asking({
    row: 'tools without arguments',
    name: 'a tool without parameters',
    ask: { messages: [user('Please read the clock.')], tools: TOOLS },
    check: ({ calls }) => {
      assert.deepEqual(
        calls.map(({ name, arguments: text }) => [name, text]),
        [['read_clock', '{}']],
      );
    },
  }),
  asking({
    row: '`tool_choice`: none, auto, required, a function',
    name: 'tool_choice none',
    ask: { ...TWO_CITIES, tool_choice: 'none' },
    check: calling([]),
  }),
  asking({
    row: '`tool_choice`: none, auto, required, a function',
    name: 'tool_choice auto',
    ask: { ...TWO_CITIES, tool_choice: 'auto' },
    check: calling(['get_weather', 'get_weather']),
  }),
  asking({
    row: '`tool_choice`: none, auto, required, a function',
    name: 'tool_choice required',
    ask: { messages: [user('Hello there.')], tools: [WEATHER], tool_choice: 'required' },
    check: calling(['get_weather']),
  }),
  asking({
    row: '`tool_choice`: none, auto, required, a function',
    name: 'tool_choice of one function',
    ask: {
      messages: [user('What is the weather in Paris?')],
      tools: TOOLS,
      tool_choice: { type: 'function', function: { name: 'read_clock' } },
    },
    check: calling(['read_clock']),
  }),
  {
    row: 'tool loop',
    name: 'the tool loop, the assistant’s message sent back as it came',
    run: (context) => runLoop(context, TWO_CITIES),
  },
  {
    row: 'tool loop',
    name: 'results in another order than the calls, and none of our fields sent back',
    async run(context) {
      const { bench, provider } = context;
      const first = await bench.whole(provider, TWO_CITIES);
      const bare = { role: 'assistant', content: null, tool_calls: first.message.tool_calls };
      const answer = await bench.askBoth(context, loop(TWO_CITIES, first, { reversed: true, message: bare }));
      for (const i of [0, 1]) assert.ok(answer?.text?.includes(`Result ${i} of`), `result ${i} in ${answer?.text}`);
    },
  },
  asking({
    name: 'a history of calls from elsewhere',
    // That model wants the signatures of its own calls.
    fates: { gemini3: warns('messages.1.tool_calls.0.extra_content.google.thought_signature') },
    sameAsOpenAi: false,
    ask: {
      tools: TOOLS,
      messages: [
        user('What is the weather in Oslo?'),
        {
          role: 'assistant',
          content: 'I will look.',
          tool_calls: [
            { id: 'call|1:ä', type: 'function', function: { name: 'get_weather', arguments: '{"location":"Oslo"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call|1:ä', content: [{ type: 'text', text: 'Snow, -5 degrees.' }] },
      ],
    },
    check: ({ text }) => assert.match(text ?? '', /Snow, -5 degrees/),
  }),
  asking({
    row: 'conversations that began at another provider',
    name: 'a history of calls and reasoning from another provider',
    only: [...OPENAIS.filter((name) => name !== 'local'), ...CLAUDES, ...GEMINIS],
    fates: each([...OPENAIS, ...CLAUDES, ...GEMINIS], warns('messages.1.')),
    sameAsOpenAi: false,
    ask: ({ family }) => ({
      tools: TOOLS,
      messages: [
        user('What is the weather in Oslo?'),
        { role: 'assistant', content: null, ...(family === 'gemini' ? OF_CLAUDE : OF_GEMINI) },
        { role: 'tool', tool_call_id: 'call_1', content: 'Snow, -5 degrees.' },
      ],
    }),
    check: ({ text }) => assert.match(text ?? '', /Snow, -5 degrees/),
  }),
  asking({
    row: 'tools with a rich JSON Schema',
    name: 'a rich schema',
    sameAsOpenAi: false,
    ask: { messages: [user('Please book the journey for me.')], tools: [richTool()] },
    check: calling(['book_journey']),
  }),
];

/** What generators of schemas write, and some providers refuse. */
function richTool(): Tool {
  return {
    type: 'function',
    function: {
      name: 'book_journey',
      description: 'Books a journey',
      parameters: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        additionalProperties: false,
        $defs: {
          place: { type: 'object', properties: { city: { type: 'string', minLength: 1 } }, required: ['city'] },
        },
        properties: {
          from: { $ref: '#/$defs/place' },
          to: { $ref: '#/$defs/place' },
          when: { type: 'string', format: 'date-time' },
          class: { anyOf: [{ type: 'string', enum: ['first', 'second'] }, { type: 'null' }] },
          seats: { type: 'integer', minimum: 1, maximum: 9, default: 1 },
          comment: { type: ['string', 'null'] },
        },
        required: ['from', 'to'],
      },
    },
  };
}
