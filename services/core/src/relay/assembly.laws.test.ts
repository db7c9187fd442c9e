import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assembled, decoded, type Event, type Provider } from './assemble.testing.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

/** What a model says, in pieces; each provider writes it down in its own way. */
interface Said {
  readonly thought: readonly string[];
  readonly signature: string;
  readonly text: readonly string[];
  readonly calls: readonly { readonly id: string; readonly name: string; readonly args: readonly string[] }[];
  readonly isCut: boolean;
  readonly tokens: { readonly input: number; readonly cached: number; readonly output: number };
}

const piece = fc.string({
  unit: fc.constantFrom('a', ' ', '"', '\\', '\n', '\n\n', 'é', '水', '\u{1f600}', '\u2028', 'data: ', '[DONE]'),
  maxLength: 6,
});
const pieces = fc.array(piece, { maxLength: 4 });
const args = fc.oneof(
  fc.constant(['{}']),
  fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue(), { maxKeys: 3 }).chain((value) => {
    const text = JSON.stringify(value);
    return fc.nat(text.length).map((at) => [text.slice(0, at), text.slice(at)]);
  }),
);
const call = fc.record({ id: fc.constant(''), name: fc.constantFrom('f', 'look-up'), args });
const said: fc.Arbitrary<Said> = fc.record({
  thought: pieces,
  signature: fc.base64String({ minLength: 4, maxLength: 8 }),
  text: pieces,
  calls: fc.array(call, { maxLength: 3 }).map((calls) => calls.map((one, i) => ({ ...one, id: `call_${i}` }))),
  isCut: fc.boolean(),
  tokens: fc.record({ input: fc.nat(500), cached: fc.nat(50), output: fc.nat(500) }),
});
const reads = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });

const whole = (list: readonly string[]): string => list.join('');
const filled = (list: readonly string[]): readonly string[] => list.filter((text) => text !== '');
const parsed = ({ args: list }: Said['calls'][number]): unknown => JSON.parse(whole(list));

/** How one provider tells the same answer: whole, and as events. */
interface Writer extends Provider {
  json(what: Said): unknown;
  stream(what: Said): readonly Event[];
}

const anthropic: Omit<Writer, 'dialect'> = {
  json: (what) => ({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude',
    content: [
      ...(whole(what.thought) === ''
        ? []
        : [{ type: 'thinking', thinking: whole(what.thought), signature: what.signature }]),
      ...(whole(what.text) === '' ? [] : [{ type: 'text', text: whole(what.text) }]),
      ...what.calls.map((one) => ({ type: 'tool_use', id: one.id, name: one.name, input: parsed(one) })),
    ],
    stop_reason: anthropicReason(what),
    usage: anthropicUsage(what),
  }),
  stream(what) {
    const blocks: { start: object; deltas: object[] }[] = [];
    if (whole(what.thought) !== '') {
      const deltas = what.thought.map((thinking) => ({ type: 'thinking_delta', thinking }));
      const signature = { type: 'signature_delta', signature: what.signature };
      blocks.push({ start: { type: 'thinking', thinking: '', signature: '' }, deltas: [...deltas, signature] });
    }
    if (whole(what.text) !== '') {
      blocks.push({
        start: { type: 'text', text: '' },
        deltas: what.text.map((text) => ({ type: 'text_delta', text })),
      });
    }
    for (const { id, name, args: list } of what.calls) {
      const deltas = list.map((partial_json) => ({ type: 'input_json_delta', partial_json }));
      blocks.push({ start: { type: 'tool_use', id, name, input: {} }, deltas });
    }
    const { output_tokens, ...before } = anthropicUsage(what);
    const message = { id: 'msg_1', model: 'claude', content: [], usage: { ...before, output_tokens: 0 } };
    return [
      [{ type: 'message_start', message }],
      ...blocks.flatMap(({ start, deltas }, index): Event[] => [
        [{ type: 'content_block_start', index, content_block: start }],
        [{ type: 'ping' }],
        ...deltas.map((delta): Event => [{ type: 'content_block_delta', index, delta }]),
        [{ type: 'content_block_stop', index }],
      ]),
      [{ type: 'message_delta', delta: { stop_reason: anthropicReason(what) }, usage: { output_tokens } }],
      [{ type: 'message_stop' }],
    ];
  },
};
const anthropicReason = ({ isCut, calls }: Said): string =>
  isCut ? 'max_tokens' : calls.length > 0 ? 'tool_use' : 'end_turn';
const anthropicUsage = ({ tokens }: Said) => ({
  input_tokens: tokens.input,
  cache_read_input_tokens: tokens.cached,
  output_tokens: tokens.output,
});

const gemini: Omit<Writer, 'dialect'> = {
  json: (what) => ({
    candidates: [{ index: 0, content: { role: 'model', parts: geminiParts(what) }, finishReason: geminiReason(what) }],
    usageMetadata: geminiUsage(what),
    responseId: 'r',
  }),
  stream: (what) => [
    ...geminiParts(what, true).map(
      (part): Event => [{ candidates: [{ index: 0, content: { role: 'model', parts: [part] } }], responseId: 'r' }],
    ),
    [
      {
        candidates: [{ index: 0, finishReason: geminiReason(what) }],
        usageMetadata: geminiUsage(what),
        responseId: 'r',
      },
    ],
  ],
};
function geminiParts(what: Said, apart = false): object[] {
  const inPieces = (list: readonly string[]): readonly string[] => filled(apart ? list : [whole(list)]);
  return [
    ...inPieces(what.thought).map((text) => ({ text, thought: true })),
    ...inPieces(what.text).map((text) => ({ text })),
    ...what.calls.map((one) => ({
      functionCall: { name: one.name, args: parsed(one) },
      thoughtSignature: what.signature,
    })),
    { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
  ];
}
const geminiReason = ({ isCut }: Said): string => (isCut ? 'MAX_TOKENS' : 'STOP');
const geminiUsage = ({ tokens }: Said) => ({
  promptTokenCount: tokens.input + tokens.cached,
  cachedContentTokenCount: tokens.cached,
  candidatesTokenCount: tokens.output,
  totalTokenCount: tokens.input + tokens.cached + tokens.output,
});

const bedrock: Omit<Writer, 'dialect'> = {
  json: (what) => ({
    output: {
      message: {
        role: 'assistant',
        content: [
          ...(whole(what.thought) === ''
            ? []
            : [{ reasoningContent: { reasoningText: { text: whole(what.thought), signature: what.signature } } }]),
          ...(whole(what.text) === '' ? [] : [{ text: whole(what.text) }]),
          ...what.calls.map((one) => ({ toolUse: { toolUseId: one.id, name: one.name, input: parsed(one) } })),
        ],
      },
    },
    stopReason: anthropicReason(what),
    usage: bedrockUsage(what),
  }),
  stream(what) {
    const deltas = [
      ...(whole(what.thought) === ''
        ? []
        : [
            [
              ...what.thought.map((text) => ({ reasoningContent: { text } })),
              { reasoningContent: { signature: what.signature } },
            ],
          ]),
      ...(whole(what.text) === '' ? [] : [what.text.map((text) => ({ text }))]),
    ];
    const calls = what.calls.flatMap(({ id, name, args: list }, i): Event[] => {
      const contentBlockIndex = deltas.length + i;
      return [
        [{ contentBlockIndex, start: { toolUse: { toolUseId: id, name } } }, 'contentBlockStart'],
        ...list.map((input): Event => [{ contentBlockIndex, delta: { toolUse: { input } } }, 'contentBlockDelta']),
        [{ contentBlockIndex }, 'contentBlockStop'],
      ];
    });
    return [
      [{ role: 'assistant' }, 'messageStart'],
      ...deltas.flatMap((list, contentBlockIndex): Event[] => [
        ...list.map((delta): Event => [{ contentBlockIndex, delta }, 'contentBlockDelta']),
        [{ contentBlockIndex }, 'contentBlockStop'],
      ]),
      ...calls,
      [{ stopReason: anthropicReason(what) }, 'messageStop'],
      [{ usage: bedrockUsage(what) }, 'metadata'],
    ];
  },
};
const bedrockUsage = ({ tokens }: Said) => ({
  inputTokens: tokens.input,
  cacheReadInputTokens: tokens.cached,
  outputTokens: tokens.output,
});

const openai: Omit<Writer, 'dialect'> = {
  json: (what) => ({
    ...openaiHead,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: whole(what.text) || (what.calls.length > 0 ? null : ''),
          refusal: null,
          ...(whole(what.thought) === '' ? {} : { reasoning_content: whole(what.thought) }),
          ...(what.calls.length === 0
            ? {}
            : {
                tool_calls: what.calls.map(({ id, name, args: list }) => ({
                  id,
                  type: 'function',
                  function: { name, arguments: whole(list) },
                })),
              }),
        },
        logprobs: logprobs(filled(what.text)),
        finish_reason: openaiReason(what),
        content_filter_results: { hate: { filtered: false } },
      },
    ],
    usage: openaiUsage(what),
  }),
  stream(what) {
    const deltas: [object, unknown?][] = [
      [{ role: 'assistant', content: '', refusal: null }],
      ...what.thought.map((reasoning_content): [object] => [{ reasoning_content }]),
      ...filled(what.text).map((content): [object, unknown] => [{ content }, logprobs([content])]),
      ...what.calls.flatMap(({ id, name, args: list }, index): [object][] => [
        [{ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }],
        ...list.map((text): [object] => [{ tool_calls: [{ index, function: { arguments: text } }] }]),
      ]),
    ];
    const head = { ...openaiHead, object: 'chat.completion.chunk', obfuscation: 'xyz' };
    const chunk = (delta: object, scored: unknown, finish_reason: string | null): Event => {
      const choice = {
        index: 0,
        delta,
        logprobs: scored,
        finish_reason,
        content_filter_results: { hate: { filtered: false } },
      };
      return [{ ...head, choices: [choice], usage: null }];
    };
    return [
      ...deltas.map(([delta, scored]) => chunk(delta, scored ?? null, null)),
      chunk({}, null, openaiReason(what)),
      [{ ...head, choices: [], usage: openaiUsage(what) }],
      ['[DONE]'],
    ];
  },
};
const openaiHead = {
  id: 'chatcmpl-1',
  created: 1_755_000_000,
  model: 'gpt',
  system_fingerprint: 'fp_1',
  service_tier: 'default',
};
const logprobs = (tokens: readonly string[]): object | null =>
  tokens.length === 0 ? null : { content: tokens.map(logprob), refusal: null };
const logprob = (token: string) => ({ token, logprob: -0.25, bytes: null, top_logprobs: [{ token, logprob: -0.25 }] });
const openaiReason = ({ isCut, calls }: Said): string => (isCut ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop');
const openaiUsage = ({ tokens }: Said) => ({
  prompt_tokens: tokens.input + tokens.cached,
  completion_tokens: tokens.output,
  total_tokens: tokens.input + tokens.cached + tokens.output,
  prompt_tokens_details: { cached_tokens: tokens.cached },
});

const WRITERS: readonly [string, Writer][] = [
  ['OpenAI', { dialect: 'openai', ...openai }],
  ['a compatible provider', { dialect: 'openai', target: { provider: 'mine' }, ...openai }],
  ['Azure', { dialect: 'azure', ...openai }],
  ['Anthropic', { dialect: 'anthropic', ...anthropic }],
  ['Claude on Vertex', { dialect: 'vertex', target: { publisher: 'anthropic' }, ...anthropic }],
  ['Gemini', { dialect: 'gemini', ...gemini }],
  ['Gemini on Vertex', { dialect: 'vertex', target: { publisher: 'google' }, ...gemini }],
  ['Bedrock', { dialect: 'bedrock', target: { model: 'anthropic.claude-sonnet-4-v1:0' }, ...bedrock }],
];

describe('law 1 (DESIGN 5): a stream that the gateway puts together is the JSON answer, member for member', () => {
  for (const [name, writer] of WRITERS) {
    it(name, () => {
      fc.assert(
        fc.property(said, reads, fc.boolean(), (what, lengths, atTop) => {
          const metadata = { json: '{"gateway":{"cost":"0.1"}}', atTop };
          assert.deepEqual(
            assembled(writer, writer.stream(what), { metadata, reads: lengths }),
            decoded(writer, writer.json(what), metadata),
          );
        }),
        { seed: SEED, numRuns: 150 },
      );
    });
  }
});
