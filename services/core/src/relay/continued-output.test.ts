import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { joinReasoningDetail } from '../chat/index.ts';
import { findDialect, type StreamDecoder, Transcript } from '../dialects/index.ts';
import { type AttemptOutput, HeldOutput } from './attempt-output.ts';
import { ContinuedOutput } from './continued-output.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { isPlainlyUnfinished } from './unfinished-text.ts';

const SEED = Number(process.env.FC_SEED ?? 20_264);

/** One stretch of an answer, in the order in which a model says them. */
interface Segment {
  readonly kind: 'think' | 'text' | 'call' | 'refusal';
  readonly text: string;
}
type Answer = readonly Segment[];

interface Event {
  readonly name: string;
  readonly data: string;
}

/** One provider's stream. */
interface Stream {
  readonly dialect: 'openai' | 'anthropic';
  /** One a choice; Claude has the first only. */
  readonly answers: readonly Answer[];
  /** Lengths of the pieces in which texts come, over and over. */
  readonly pieces: readonly number[];
  /** Events a read. */
  readonly reads: readonly number[];
  /** It breaks after so many events; modulo what it has. */
  readonly cut: number;
  /** How it breaks: with nothing more, or within an event that says something and then makes no sense. */
  readonly fault: 'cut' | 'unknown finish';
  /** Chunks say `finish_reason: null`; some providers leave it out. */
  readonly nulls: boolean;
}

const split = (whole: string, lengths: readonly number[]): string[] => {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < whole.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    pieces.push(whole.slice(at, at + length));
    at += length;
  }
  return pieces;
};

function openAiEvents({ answers, pieces, nulls }: Stream, id: string): Event[] {
  const chunk = (index: number, delta: object, finish_reason: string | null = null): Event => ({
    name: '',
    data: JSON.stringify({
      id,
      object: 'chat.completion.chunk',
      created: 1,
      model: 'up',
      choices: [{ index, delta, ...(finish_reason === null && !nulls ? {} : { finish_reason }) }],
    }),
  });
  const lists = answers.map((segments, index) => {
    const events = [chunk(index, { role: 'assistant', content: '' })];
    let calls = 0;
    for (const { kind, text } of segments) {
      if (kind === 'call') {
        const opened = { index: calls, id: `${id}${calls}`, type: 'function', function: { name: 'f', arguments: '' } };
        events.push(chunk(index, { tool_calls: [opened] }));
        for (const one of split(text, pieces)) {
          events.push(chunk(index, { tool_calls: [{ index: calls, function: { arguments: one } }] }));
        }
        calls++;
      } else {
        const key = { think: 'reasoning_content', text: 'content', refusal: 'refusal' }[kind];
        for (const one of split(text, pieces)) events.push(chunk(index, { [key]: one }));
      }
    }
    events.push(chunk(index, {}, 'stop'));
    return events;
  });
  const longest = Math.max(...lists.map(({ length }) => length));
  const mixed = Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? [])).flat();
  return [...mixed, { name: '', data: '[DONE]' }];
}

function claudeEvents({ answers, pieces }: Stream, id: string): Event[] {
  const event = (data: { type: string; [key: string]: unknown }): Event => ({
    name: data.type,
    data: JSON.stringify(data),
  });
  const events = [event({ type: 'message_start', message: { id, model: 'up', usage: { input_tokens: 1 } } })];
  (answers[0] ?? []).forEach(({ kind, text }, index) => {
    const delta = (one: object): void => {
      events.push(event({ type: 'content_block_delta', index, delta: one }));
    };
    const start = (content_block: object): void => {
      events.push(event({ type: 'content_block_start', index, content_block }));
    };
    if (kind === 'think') {
      start({ type: 'thinking', thinking: '' });
      for (const thinking of split(text, pieces)) delta({ type: 'thinking_delta', thinking });
      delta({ type: 'signature_delta', signature: `signed ${text}` });
    } else if (kind === 'call') {
      start({ type: 'tool_use', id: `${id}${index}`, name: 'f', input: {} });
      for (const partial_json of split(text, pieces)) delta({ type: 'input_json_delta', partial_json });
    } else {
      start({ type: 'text', text: '' });
      for (const one of split(text, pieces)) delta({ type: 'text_delta', text: one });
    }
    events.push(event({ type: 'content_block_stop', index }));
  });
  events.push(event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } }));
  return [...events, event({ type: 'message_stop' })];
}

interface Call {
  id: string;
  name: string;
  arguments: string;
}

/** What a client has put together of one choice. */
interface Heard {
  roles: number;
  content: string;
  refusal: string;
  reasoning: string;
  details: Record<string, unknown>[];
  calls: Map<number, Call>;
  finishes: number;
}

interface Delta {
  role?: string;
  content?: string | null;
  refusal?: string | null;
  reasoning?: string;
  reasoning_details?: Record<string, unknown>[];
  tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
}

class Client {
  readonly choices = new Map<number, Heard>();
  readonly ids = new Set<string>();
  done = false;

  hear(bytes: Buffer | null): void {
    for (const frame of (bytes ?? '').toString().split('\n\n')) {
      if (frame === '') continue;
      assert.ok(!this.done, 'nothing behind the end');
      if (frame === 'data: [DONE]') this.done = true;
      else this.#chunk(JSON.parse(frame.slice('data: '.length)));
    }
  }

  #chunk(chunk: { id: string; choices: { index: number; delta: Delta; finish_reason?: string | null }[] }): void {
    this.ids.add(chunk.id);
    for (const { index, delta, finish_reason } of chunk.choices) {
      const heard = this.choices.get(index) ?? nothing();
      this.choices.set(index, heard);
      if (delta.role) heard.roles++;
      heard.content += delta.content ?? '';
      heard.refusal += delta.refusal ?? '';
      heard.reasoning += delta.reasoning ?? '';
      for (const detail of delta.reasoning_details ?? []) joinReasoningDetail(heard.details, detail);
      for (const { index: at, id = '', function: called } of delta.tool_calls ?? []) {
        const call = heard.calls.get(at) ?? { id: '', name: '', arguments: '' };
        heard.calls.set(at, call);
        call.id += id;
        call.name += called?.name ?? '';
        call.arguments += called?.arguments ?? '';
      }
      if (finish_reason) heard.finishes++;
    }
  }
}

const nothing = (): Heard => ({
  roles: 0,
  content: '',
  refusal: '',
  reasoning: '',
  details: [],
  calls: new Map(),
  finishes: 0,
});

/** What is taken down is what the client has, to the letter. */
function assertTold(transcript: Transcript, client: Client): void {
  for (const [index, heard] of client.choices) {
    const told = transcript.choices.get(index);
    assert.ok(told);
    assert.deepEqual(
      [told.content, told.refusal, told.reasoning, [...told.calls].map(([at, call]) => [at, { ...call }])],
      [heard.content, heard.refusal, heard.reasoning, [...heard.calls].map(([at, call]) => [at, { ...call }])],
    );
  }
}

const frames = new FrameBuffer();

/** Plays a stream as an attempt and its relay do; true when it came to its end. */
function playOne(stream: Stream, id: string, output: AttemptOutput, client: Client, transcript: Transcript): boolean {
  const all = stream.dialect === 'openai' ? openAiEvents(stream, id) : claudeEvents(stream, id);
  const events = all.slice(0, stream.cut % (all.length + 1));
  const isWhole = events.length === all.length;
  if (!isWhole && stream.dialect === 'openai' && stream.fault === 'unknown finish') {
    const choices = [{ index: 0, delta: { content: 'lost' }, finish_reason: 'insufficient_system_resource' }];
    events.push({ name: '', data: JSON.stringify({ id, created: 1, model: 'up', choices }) });
  }
  const { decoder } = output;
  for (let at = 0, read = 0; at < events.length; read++) {
    frames.reset();
    const size = stream.reads[read % stream.reads.length] ?? 1;
    let broken = false;
    for (const { data, name } of events.slice(at, at + size)) {
      try {
        if (!broken) decoder.event(Buffer.from(data), name, frames);
      } catch {
        broken = true;
      }
    }
    at += size;
    if (decoder.progress.ended && decoder.progress.complete) return finish(output, client);
    if (frames.length > 0) {
      try {
        client.hear(output.take(frames));
      } catch {
        return false;
      }
      if (output.flowing) assertTold(transcript, client);
    }
    if (broken) return false;
  }
  return false;
}

function finish(output: AttemptOutput, client: Client): boolean {
  if ((output.fault?.(frames) ?? null) !== null) return false;
  client.hear(output.end({ json: '{"gateway":{}}', atTop: false }, frames));
  return true;
}

interface Played {
  readonly client: Client;
  /** The stream that came to its end, and those that were heard of. */
  readonly last: Stream | null;
  readonly heard: readonly Stream[];
}

function play(streams: readonly Stream[], choices: number, freeReasoning: boolean): Played {
  const client = new Client();
  let transcript = new Transcript();
  let goesOn = false;
  const heard: Stream[] = [];
  for (const [i, stream] of streams.entries()) {
    if (!goesOn) transcript = new Transcript();
    const decoder = decoderOf(stream, choices, goesOn ? null : transcript);
    const output: AttemptOutput = goesOn
      ? new ContinuedOutput(decoder, transcript, { mode: 'repeat', cutOff: '', freeReasoning })
      : new HeldOutput(decoder, transcript);
    heard.push(stream);
    if (playOne(stream, `call${i}_`, output, client, transcript)) return { client, last: stream, heard };
    goesOn ||= output.flowing;
  }
  return { client, last: null, heard };
}

function decoderOf({ dialect }: Stream, choices: number, transcript: Transcript | null): StreamDecoder {
  const found = findDialect(dialect);
  assert.ok(found);
  return found.streamDecoder({
    generationId: 'gen_1',
    model: 'm',
    created: 1,
    target: {
      provider: 'p',
      model: 'up',
      baseUrl: 'http://127.0.0.1:1',
      credentials: {},
      // Where a model may print its thinking, white space at the beginning waits for what follows.
      settings: { preset: 'openai' },
      maxOutputTokens: 0,
      publisher: '',
    },
    includeUsage: false,
    choices,
    transcript,
  });
}

const contentOf = (answer: Answer, ...kinds: Segment['kind'][]): string =>
  answer
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ text }) => text)
    .join('');

const callsOf = (answer: Answer): string[] =>
  answer.filter(({ kind }) => kind === 'call').map(({ text }) => (text === '' ? '{}' : text));

const said = fc.string({
  unit: fc.constantFrom('a', 'b', ' ', '\n', '"', '\\', 'é', '漢', '😀', '\u2028', 'data: '),
  minLength: 1,
  maxLength: 10,
});
const segment: fc.Arbitrary<Segment> = fc.oneof(
  { arbitrary: said.map((text): Segment => ({ kind: 'text', text })), weight: 3 },
  said.map((text): Segment => ({ kind: 'think', text })),
  fc
    .oneof(
      said.map((x) => JSON.stringify({ x })),
      fc.constant(''),
    )
    .map((text): Segment => ({ kind: 'call', text })),
);
const anyOrder = fc.array(segment, { minLength: 1, maxLength: 5 });
/** Thoughts first, and then the answer. */
const inOrder = anyOrder.map((answer) => [
  ...answer.filter(({ kind }) => kind === 'think').slice(0, 1),
  ...answer.filter(({ kind }) => kind !== 'think'),
]);
const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

const streamOf = (answers: readonly Answer[]): fc.Arbitrary<Stream> =>
  fc.record({
    dialect:
      answers.length > 1 ? fc.constant('openai' as const) : fc.constantFrom('openai' as const, 'anthropic' as const),
    answers: fc.constant(answers),
    pieces: lengths,
    reads: lengths,
    cut: fc.nat(200),
    fault: fc.constantFrom('cut' as const, 'unknown finish' as const),
    nulls: fc.boolean(),
  });

/** Streams of which some say the same and others do not; the last ones come to their end. */
const streamsOf = (answer: fc.Arbitrary<Answer>, choices: number): fc.Arbitrary<Stream[]> => {
  const answers = fc.array(answer, { minLength: choices, maxLength: choices });
  return fc.tuple(answers, answers).chain(([one, another]) => {
    const any = fc.oneof({ arbitrary: streamOf(one), weight: 4 }, streamOf(another));
    const whole = streamOf(one).map((stream) => ({ ...stream, cut: -1 }));
    return fc
      .tuple(fc.array(any, { minLength: 1, maxLength: 4 }), whole)
      .map(([broken, last]) => [...broken, ended(last)]);
  });
};

function ended(stream: Stream): Stream {
  const all = stream.dialect === 'openai' ? openAiEvents(stream, 'x') : claudeEvents(stream, 'x');
  return { ...stream, cut: all.length };
}

/** What is heard of a complete answer is the last stream's, whole: nothing lost, nothing twice. */
function assertWhole({ client, last }: Played): void {
  assert.deepEqual([...client.ids], ['gen_1']);
  assert.ok(client.done && last);
  for (const [index, answer] of last.answers.entries()) {
    const heard = client.choices.get(index);
    assert.ok(heard);
    assert.deepEqual([heard.roles, heard.finishes], [1, 1]);
    assert.equal(heard.content, contentOf(answer, 'text'));
    assert.deepEqual(
      [...heard.calls.values()].map((call) => call.arguments),
      callsOf(answer),
    );
    for (const { id, name } of heard.calls.values()) assert.match(`${id} ${name}`, /^call\d_\d+ f$/);
    for (const { text, signature } of heard.details) {
      if (signature !== undefined) assert.equal(signature, `signed ${String(text ?? '')}`, 'a signature fits its text');
    }
  }
}

describe('ContinuedOutput', () => {
  it('chains of broken streams, the same or others: whole answers are one of them, and what is told is taken down', () => {
    let completed = 0;
    let resumed = 0;
    fc.assert(
      fc.property(streamsOf(inOrder, 1), (streams) => {
        const played = play(streams, 1, false);
        if (!played.last) return;
        completed++;
        if (played.heard.length > 1) resumed++;
        assertWhole(played);
        const { reasoning } = played.client.choices.get(0) ?? nothing();
        const thoughts = played.heard.map(({ answers: [answer = []] }) => contentOf(answer, 'think'));
        assert.ok(thoughts.includes(reasoning), 'thoughts are those of one stream, whole');
      }),
      { seed: SEED, numRuns: 1_500 },
    );
    assert.ok(completed > 500 && resumed > 300, `${completed} complete, ${resumed} of several streams`);
  });

  it('thoughts between texts and calls', () => {
    fc.assert(
      fc.property(streamsOf(anyOrder, 1), fc.boolean(), (streams, free) => {
        const played = play(streams, 1, free);
        if (played.last) assertWhole(played);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  it('several choices', () => {
    fc.assert(
      fc.property(streamsOf(inOrder, 2), (streams) => {
        const played = play(streams, 2, false);
        if (played.last) assertWhole(played);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  it('the same stream again, broken anywhere and as often: always to its end', () => {
    fc.assert(
      fc.property(
        inOrder.chain((answer) => fc.array(streamOf([answer]), { minLength: 2, maxLength: 5 })),
        (streams) => {
          const [first] = streams;
          assert.ok(first);
          // Claude has thoughts signed, and the calls of both have ids of their own: only texts and thoughts must agree.
          const played = play([...streams, ended(first)], 1, false);
          assert.ok(played.last);
          assertWhole(played);
        },
      ),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('given what was said, or made to repeat it, in any order', () => {
    const spaced = fc.string({ unit: fc.constantFrom('a', 'é', '😀', ' ', '\n', '"'), minLength: 1, maxLength: 24 });
    const attempts = fc.array(fc.tuple(streamOf([[]]), fc.boolean()), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(spaced, attempts, (text, list) => {
        const client = new Client();
        let transcript = new Transcript();
        const all = [...list, ...list.slice(0, 1)];
        for (const [i, [stream, continues]] of all.entries()) {
          // What was held back of an attempt that said nothing is gone.
          if (client.choices.size === 0) transcript = new Transcript();
          const said = transcript.choices.get(0)?.content ?? '';
          // Half a sentence with nothing behind it is not believed, but repeated.
          const believed = text.slice(said.length).trim() !== '' || !isPlainlyUnfinished(said);
          const given = continues && believed ? said.trimEnd() : '';
          const answer: Answer = [{ kind: 'text', text: text.slice(given.length) }];
          const asked = { ...stream, answers: [answer], fault: 'cut' as const };
          const output: AttemptOutput =
            said === ''
              ? new HeldOutput(decoderOf(stream, 1, transcript), transcript)
              : new ContinuedOutput(decoderOf(stream, 1, null), transcript, {
                  mode: given === '' ? 'repeat' : 'continue',
                  cutOff: given === '' ? '' : said.slice(given.length),
                  freeReasoning: false,
                });
          const isLast = i === all.length - 1;
          const done = playOne(isLast ? ended(asked) : asked, `call${i}_`, output, client, transcript);
          if (done) break;
          assert.ok(!isLast);
        }
        const heard = client.choices.get(0);
        assert.deepEqual([heard?.content, heard?.roles, client.done], [text, 1, true]);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});
