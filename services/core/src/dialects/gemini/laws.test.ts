import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chatRequestSchema } from '../../chat/index.ts';
import { GatewayError } from '../../errors/index.ts';
import { gemini } from './dialect.ts';
import { encode, USER } from './encode.testing.ts';
import { type Message, stream, TARGET, whole } from './play.testing.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);
const runs = { seed: SEED, numRuns: 200 };

type Raw = Record<string, unknown>;

const piece = fc.string({
  unit: fc.constantFrom('a', ' ', '"', '\\', '\n', 'é', '水', '\u{1f600}', '\u2028', 'data: '),
  minLength: 1,
  maxLength: 6,
});
const signature = fc.option(fc.base64String({ minLength: 4, maxLength: 12 }), { nil: undefined });
const signed = (part: Raw, thoughtSignature: string | undefined): Raw =>
  thoughtSignature ? { ...part, thoughtSignature } : part;

const textPart = fc.tuple(piece, signature).map(([text, sign]) => signed({ text }, sign));
const thoughtPart = fc.tuple(piece, signature).map(([text, sign]) => signed({ text, thought: true }, sign));
const callPart = fc
  .tuple(
    fc.constantFrom('f', 'g'),
    fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue(), { maxKeys: 3 }),
    signature,
  )
  .map(([name, args, sign]) => signed({ functionCall: { name, args } }, sign));
const imagePart = fc.constant<Raw>({ inlineData: { mimeType: 'image/png', data: 'AAAA' } });
const loneSignature = fc
  .base64String({ minLength: 4, maxLength: 8 })
  .map((thoughtSignature): Raw => ({ text: '', thoughtSignature }));

interface Said {
  readonly parts: readonly Raw[];
  readonly finishReason: string;
}

const said: fc.Arbitrary<Said> = fc.record({
  parts: fc.array(fc.oneof(thoughtPart, textPart, textPart, callPart, imagePart, loneSignature), { maxLength: 6 }),
  finishReason: fc.constantFrom('STOP', 'MAX_TOKENS', 'SAFETY'),
});
const counts = fc.record({
  prompt: fc.nat(500),
  cached: fc.nat(50),
  output: fc.nat(500),
  thoughts: fc.integer({ min: 1, max: 50 }),
  tools: fc.nat(20),
});
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
const habits = fc.record({
  newline: fc.constantFrom('\n', '\r\n'),
  usage: fc.constantFrom('every chunk', 'last chunk', 'own chunk'),
  finishAlone: fc.boolean(),
  emptyText: fc.boolean(),
});

type Counts = typeof counts extends fc.Arbitrary<infer T> ? T : never;
type Habits = typeof habits extends fc.Arbitrary<infer T> ? T : never;

const usageOf = ({ prompt, cached, output, thoughts, tools }: Counts): Raw => ({
  promptTokenCount: prompt + cached,
  ...(cached > 0 ? { cachedContentTokenCount: cached } : {}),
  ...(output > 0 ? { candidatesTokenCount: output } : {}),
  ...(tools > 0 ? { toolUsePromptTokenCount: tools } : {}),
  thoughtsTokenCount: thoughts,
  totalTokenCount: prompt + cached + output + thoughts + tools,
});

const asWhole = (choices: readonly Said[], usage: Raw): string =>
  JSON.stringify({
    candidates: choices.map(({ parts, finishReason }, index) => ({
      index,
      content: { role: 'model', parts },
      finishReason,
    })),
    usageMetadata: usage,
    responseId: 'r',
  });

/** A text part may come in pieces; its signature comes with the last, or alone. */
function piecesOf(part: Raw): Raw[] {
  const { text, thoughtSignature, ...rest } = part;
  if (typeof text !== 'string' || text.length < 2) return [part];
  const characters = [...text];
  const middle = Math.ceil(characters.length / 2);
  const [first, second] = [characters.slice(0, middle).join(''), characters.slice(middle).join('')];
  const last = thoughtSignature ? [{ ...rest, text: '', thoughtSignature }] : [];
  return [{ ...rest, text: first }, ...(second ? [{ ...rest, text: second }] : []), ...last];
}

function asStream(
  choices: readonly Said[],
  usage: Raw,
  { newline, usage: when, finishAlone, emptyText }: Habits,
): string {
  const chunks: Raw[] = [];
  choices.forEach(({ parts, finishReason }, index) => {
    const pieces = parts.flatMap(piecesOf);
    pieces.forEach((part, i) => {
      const isLast = i === pieces.length - 1 && !finishAlone;
      chunks.push({
        candidates: [{ index, content: { role: 'model', parts: [part] }, ...(isLast ? { finishReason } : {}) }],
      });
    });
    const closing = emptyText ? { content: { role: 'model', parts: [{ text: '' }] } } : {};
    if (finishAlone || pieces.length === 0) chunks.push({ candidates: [{ index, ...closing, finishReason }] });
  });
  if (when === 'own chunk') chunks.push({ usageMetadata: usage });
  return chunks
    .map((chunk, i) => {
      const counted = when === 'every chunk' || (when === 'last chunk' && i === chunks.length - 1);
      return `data: ${JSON.stringify({ ...chunk, responseId: 'r', ...(counted ? { usageMetadata: usage } : {}) })}${newline}${newline}`;
    })
    .join('');
}

/** As clients see it: no text and an empty one are the same. */
const visible = (message: Message) => ({
  ...message,
  content: message.content || null,
  reasoning: message.reasoning || null,
});

describe('the laws of fidelity', () => {
  it('a stream equals the whole answer, at any byte boundary', () => {
    fc.assert(
      fc.property(
        fc.array(said, { minLength: 1, maxLength: 2 }),
        counts,
        habits,
        cuts,
        (choices, counted, habit, lengths) => {
          const usage = usageOf(counted);
          const answer = whole(gemini, asWhole(choices, usage));
          const streamed = stream(gemini, asStream(choices, usage, habit), { cuts: lengths, choices: choices.length });
          assert.deepEqual(streamed.messages.map(visible), answer.messages.map(visible));
          assert.deepEqual(streamed.usage, answer.usage);
        },
      ),
      runs,
    );
  });

  it('usage is a record of disjoint buckets', () => {
    fc.assert(
      fc.property(counts, (counted) => {
        const { usage } = gemini.decodeChat(
          Buffer.from(asWhole([{ parts: [], finishReason: 'STOP' }], usageOf(counted))),
          {
            generationId: 'g',
            model: 'm',
            created: 0,
            target: TARGET,
          },
        );
        const { prompt, cached, output, thoughts, tools } = counted;
        assert.deepEqual(usage, {
          uncachedInput: prompt + tools,
          cacheRead: cached > 0 ? cached : null,
          cacheWrite: null,
          output,
          reasoning: thoughts,
        });
      }),
      runs,
    );
  });

  it('reasoning and signatures come back as they went out', () => {
    fc.assert(
      fc.property(said, ({ parts }) => {
        const [answer] = whole(gemini, asWhole([{ parts, finishReason: 'STOP' }], {})).messages;
        assert.ok(answer);
        const assistant = {
          role: 'assistant',
          content: answer.content,
          reasoning_details: answer.details,
          ...(answer.toolCalls.length > 0
            ? {
                tool_calls: answer.toolCalls.map((call) => ({
                  id: call.id,
                  type: 'function',
                  function: { name: call.name, arguments: call.arguments },
                  extra_content: call.extra,
                })),
              }
            : {}),
        };
        const results = answer.toolCalls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'r' }));
        const target = { ...TARGET, model: 'gemini-2.5-flash' };
        const { body, warnings } = encode(gemini, { messages: [USER, assistant, ...results] }, target);
        const sent = body.contents.filter(({ role }) => role === 'model').flatMap((content) => content.parts ?? []);
        assert.deepEqual(warnings, []);
        const signatures = (list: readonly Raw[]) =>
          list.flatMap(({ thoughtSignature }) => thoughtSignature ?? []).sort();
        assert.deepEqual(signatures(sent as Raw[]), signatures(parts));
        const calls = (list: readonly Raw[]) =>
          list.flatMap(({ functionCall, thoughtSignature }) => {
            const { name, args } = (functionCall ?? {}) as Raw;
            return functionCall ? [{ name, args, thoughtSignature }] : [];
          });
        assert.deepEqual(calls(sent as Raw[]), calls(JSON.parse(JSON.stringify(parts)) as Raw[]));
      }),
      runs,
    );
  });
});

/** One value for each top-level field; more where a field has several fates. */
const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  temperature: [1.5],
  top_p: [0.5],
  n: [2, 100],
  stop: ['x', ['a', 'b', 'c', 'd', 'e', 'f']],
  max_tokens: [10],
  max_completion_tokens: [10],
  frequency_penalty: [1],
  presence_penalty: [2],
  logit_bias: [{ 5: 1 }],
  logprobs: [true],
  top_logprobs: [3],
  seed: [3],
  user: ['u'],
  safety_identifier: ['s'],
  metadata: [{ a: 'b' }],
  store: [true],
  service_tier: ['flex', 'scale'],
  verbosity: ['low'],
  modalities: [['text', 'image'], ['audio']],
  response_format: [{ type: 'json_object' }],
  tools: [[{ type: 'function', function: { name: 'f' } }]],
  tool_choice: ['required'],
  parallel_tool_calls: [false],
  prediction: [{ type: 'content', content: 'x' }],
  web_search_options: [{}],
  audio: [{ voice: 'a' }],
  prompt_cache_key: ['k'],
  prompt_cache_retention: ['24h'],
  moderation: [{}],
  functions: [[{ name: 'f' }]],
  reasoning_effort: ['high'],
  reasoning: [{ max_tokens: 2_000 }],
  something_new: [1],
};

describe('nothing vanishes', () => {
  const plain = JSON.stringify(encode(gemini, {}, TARGET).body);

  for (const [name, values] of Object.entries(FIELDS)) {
    for (const value of values) {
      it(`${name}: ${JSON.stringify(value)} is mapped, warned of or refused`, () => {
        try {
          const { body, warnings } = encode(gemini, { [name]: value }, TARGET);
          const isTold = warnings.some((warning) => warning.startsWith(name));
          assert.ok(isTold || JSON.stringify(body) !== plain, 'it vanished');
        } catch (error) {
          assert.ok(error instanceof GatewayError && error.status === 400);
        }
      });
    }
  }

  it('names every field that the schema knows', () => {
    const ours = new Set(['model', 'messages', 'models', 'provider', 'stream', 'stream_options', 'providerOptions']);
    for (const name of Object.keys(chatRequestSchema.shape)) assert.ok(ours.has(name) || name in FIELDS, name);
  });
});
