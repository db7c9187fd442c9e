import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { completionTokens, promptTokens } from '../../chat/index.ts';
import { type Assembled, assemble, GENERATION_ID, METADATA, MODEL, type Played, play, TARGET } from './play.testing.ts';
import { decodeOpenAiChat } from './response.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);
const runs = { seed: SEED, numRuns: 150 };

/** What a model says, and how a provider writes it down. */
interface Said {
  readonly choices: readonly SaidChoice[];
  readonly usage: Record<string, unknown> | null;
}

interface SaidChoice {
  readonly content: readonly string[];
  readonly reasoning: readonly string[];
  readonly refusal: readonly string[];
  readonly calls: readonly { readonly id: string; readonly name: string; readonly args: readonly string[] }[];
  readonly finish: string;
}

/** A provider's habits in streaming. */
interface Habits {
  readonly rolesEverywhere: boolean;
  readonly rolesAtAll: boolean;
  readonly lastPieceInFinishChunk: boolean;
  readonly repeatsCallHeads: boolean;
  readonly usage: 'own chunk' | 'finish chunk' | 'every chunk';
  readonly nullUsage: boolean;
  readonly newline: '\n' | '\r\n' | '\r';
  readonly space: boolean;
  readonly comments: boolean;
  readonly lines: boolean;
  readonly byteOrderMark: boolean;
  readonly done: boolean;
}

const piece = fc.string({
  unit: fc.constantFrom('a', ' ', '"', '\\', '\n', 'é', '水', '\u{1f600}', '\u2028', 'data: ', ',"usage":null}'),
  maxLength: 6,
});
const pieces = fc.array(piece, { maxLength: 4 });
const call = fc.record({
  id: fc.constant(''),
  name: fc.constantFrom('get_weather', 'look-up'),
  args: fc.oneof(
    fc.constant([]),
    fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue(), { maxKeys: 3 }).chain((value) => {
      const text = JSON.stringify(value);
      return fc.nat(text.length).map((at) => [text.slice(0, at), text.slice(at)]);
    }),
  ),
});
const choice: fc.Arbitrary<SaidChoice> = fc.record({
  content: pieces,
  reasoning: fc.oneof(fc.constant([]), pieces),
  refusal: fc.oneof(fc.constant([]), pieces),
  calls: fc.array(call, { maxLength: 3 }).map((list) => list.map((one, i) => ({ ...one, id: `call_${i}` }))),
  finish: fc.constantFrom('stop', 'length', 'tool_calls', 'content_filter'),
});
const usage = fc
  .record({ input: fc.nat(500), cached: fc.nat(50), output: fc.nat(500), reasoning: fc.nat(50) })
  .map((count) => ({
    prompt_tokens: count.input + count.cached,
    completion_tokens: count.output + count.reasoning,
    total_tokens: count.input + count.cached + count.output + count.reasoning,
    prompt_tokens_details: { cached_tokens: count.cached },
    completion_tokens_details: { reasoning_tokens: count.reasoning },
  }));
const said: fc.Arbitrary<Said> = fc.record({
  choices: fc.array(choice, { minLength: 1, maxLength: 3 }),
  usage: fc.option(usage),
});
const habits: fc.Arbitrary<Habits> = fc.record({
  rolesEverywhere: fc.boolean(),
  rolesAtAll: fc.boolean(),
  lastPieceInFinishChunk: fc.boolean(),
  repeatsCallHeads: fc.boolean(),
  usage: fc.constantFrom('own chunk', 'finish chunk', 'every chunk'),
  nullUsage: fc.boolean(),
  newline: fc.constantFrom('\n', '\r\n', '\r'),
  space: fc.boolean(),
  comments: fc.boolean(),
  lines: fc.boolean(),
  byteOrderMark: fc.boolean(),
  done: fc.boolean(),
});
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

/** The answer as one JSON body. */
function asJson({ choices, usage: counted }: Said): Buffer {
  const joined = (list: readonly string[]): string | null => (list.join('') === '' ? null : list.join(''));
  return Buffer.from(
    JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_755_000_000,
      model: 'gpt-4o-2024',
      choices: choices.map(({ content, reasoning, refusal, calls, finish }, index) => ({
        index,
        message: {
          role: 'assistant',
          content: joined(content),
          ...(reasoning.length > 0 ? { reasoning_content: joined(reasoning) } : {}),
          refusal: joined(refusal),
          ...(calls.length > 0
            ? {
                tool_calls: calls.map(({ id, name, args }) => ({
                  id,
                  type: 'function',
                  function: { name, arguments: args.join('') },
                })),
              }
            : {}),
        },
        finish_reason: finish,
      })),
      ...(counted === null ? {} : { usage: counted }),
    }),
  );
}

/** The same answer as a stream, the choices in turn. */
function asStream({ choices, usage: counted }: Said, how: Habits): string {
  const chunks: { index: number; delta: Record<string, unknown>; finish: string | null }[] = [];
  for (const [index, one] of choices.entries()) {
    const deltas: Record<string, unknown>[] = [
      ...one.reasoning.map((reasoning_content) => ({ reasoning_content })),
      ...one.content.map((content) => ({ content })),
      ...one.refusal.map((refusal) => ({ refusal })),
      ...one.calls.flatMap(({ id, name, args }, at) => {
        const head = { id, type: 'function', function: { name } };
        return ['', ...args].map((part, i) => {
          const full = i === 0 || how.repeatsCallHeads;
          return {
            tool_calls: [
              { index: at, ...(full ? head : {}), function: { ...(full ? { name } : {}), arguments: part } },
            ],
          };
        });
      }),
    ];
    deltas.forEach((delta, i) => {
      chunks.push({
        index,
        delta: how.rolesAtAll && (i === 0 || how.rolesEverywhere) ? { role: 'assistant', ...delta } : delta,
        finish: null,
      });
    });
    const last = chunks.at(-1);
    if (how.lastPieceInFinishChunk && last?.index === index) last.finish = one.finish;
    else chunks.push({ index, delta: {}, finish: one.finish });
  }
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_755_000_000, model: 'gpt-4o-2024' };
  const bodies: unknown[] = chunks.map(({ index, delta, finish }, i) => ({
    ...head,
    choices: [{ index, delta, finish_reason: finish }],
    ...(how.nullUsage ? { usage: null } : {}),
    ...(counted !== null && (how.usage === 'every chunk' || (how.usage === 'finish chunk' && i === chunks.length - 1))
      ? { usage: counted }
      : {}),
  }));
  if (counted !== null && how.usage === 'own chunk') bodies.push({ ...head, choices: [], usage: counted });
  const { newline } = how;
  const events = bodies.map((body) => {
    const lines = JSON.stringify(body, null, how.lines ? 1 : 0).split('\n');
    const data = lines.map((line) => `data:${how.space ? ' ' : ''}${line}${newline}`).join('');
    return `${how.comments ? `: ping${newline}${newline}` : ''}${data}${newline}`;
  });
  return `${how.byteOrderMark ? '\ufeff' : ''}${events.join('')}${how.done ? `data: [DONE]${newline}${newline}` : ''}`;
}

interface Completion {
  readonly id: string;
  readonly model: string;
  readonly usage?: unknown;
  readonly choices: readonly { readonly message: Record<string, unknown>; readonly finish_reason: string }[];
}

function fromJson(body: Buffer): {
  completion: Completion;
  answer: ReturnType<typeof decodeOpenAiChat>;
  assembled: Assembled[];
} {
  const answer = decodeOpenAiChat(body, { generationId: GENERATION_ID, model: MODEL, created: 0, target: TARGET });
  const completion = JSON.parse(answer.render(METADATA).toString()) as Completion;
  const assembled = completion.choices.map(({ message, finish_reason }): Assembled => {
    const textOf = (field: string): string | null => (typeof message[field] === 'string' ? message[field] : null);
    const calls = (message.tool_calls ?? []) as {
      id: string;
      type: string;
      function: { name: string; arguments: string };
    }[];
    return {
      role: textOf('role') ?? '',
      content: textOf('content'),
      refusal: textOf('refusal'),
      reasoning: textOf('reasoning'),
      tool_calls: calls.map(({ id, type, function: { name, arguments: args } }) => ({
        id,
        type,
        name,
        arguments: args,
      })),
      finish_reason,
    };
  });
  return { completion, answer, assembled };
}

describe('the laws of DESIGN 5', () => {
  it('1: the stream, put together, is the whole answer', () => {
    fc.assert(
      fc.property(said, habits, fc.boolean(), (what, how, includeUsage) => {
        const { completion, answer, assembled } = fromJson(asJson(what));
        const streamed = play(asStream(what, how), { includeUsage, choices: what.choices.length });
        assert.deepEqual(
          what.choices.map((_, i) => assemble(streamed.chunks, i)),
          assembled,
        );
        for (const { id, model } of [completion, ...streamed.chunks])
          assert.deepEqual([id, model], [GENERATION_ID, MODEL]);
        assert.deepEqual(streamed.progress.usage, answer.usage);
        assert.equal(streamed.progress.hasContent, answer.hasContent);
        const told = streamed.chunks.filter((chunk) => chunk.usage);
        assert.deepEqual(
          told.map((chunk) => chunk.usage),
          includeUsage && what.usage ? [completion.usage] : [],
        );
      }),
      runs,
    );
  });

  it('3: without its end a stream is never complete, wherever it is cut', () => {
    fc.assert(
      fc.property(
        said,
        habits,
        fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1 })),
        (what, how, missing) => {
          const bytes = Buffer.from(asStream({ ...what, usage: null }, { ...how, done: false }));
          const cut = bytes.subarray(0, bytes.length - (1 + ((missing - 1) % bytes.length)));
          // The CR of the last CRLF has ended the last event already.
          const whole = how.newline === '\r\n' && cut.length === bytes.length - 1;
          assert.equal(play(cut, { choices: what.choices.length }).progress.complete, whole);
        },
      ),
      runs,
    );
  });

  it('4: usage is told in buckets that add up to what the provider counted', () => {
    fc.assert(
      fc.property(said, habits, (what, how) => {
        const { usage: buckets } = play(asStream(what, how), { choices: what.choices.length }).progress;
        assert.equal(buckets && promptTokens(buckets), what.usage?.prompt_tokens ?? null);
        assert.equal(buckets && completionTokens(buckets), what.usage?.completion_tokens ?? null);
      }),
      runs,
    );
  });

  it('5: a stream cut into pieces anywhere decodes the same', () => {
    const essence = ({ text, progress }: Played) => [text, progress.complete, progress.ended, progress.usage];
    fc.assert(
      fc.property(said, habits, cuts, (what, how, lengths) => {
        const bytes = asStream(what, how);
        const options = { includeUsage: true, choices: what.choices.length };
        assert.deepEqual(essence(play(bytes, { ...options, cuts: lengths })), essence(play(bytes, options)));
        assert.deepEqual(essence(play(bytes, { ...options, cuts: [1] })), essence(play(bytes, options)));
      }),
      { ...runs, numRuns: 60 },
    );
  });
});
