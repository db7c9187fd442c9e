import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bench, GENERATION_ID, REPLAYED } from './bench.ts';

/** A file of test/fixtures; its README says what the members mean. */
interface Fixture {
  readonly id: string;
  readonly title: string;
  readonly stream: boolean;
  readonly includeUsage?: boolean;
  readonly request: Readonly<Record<string, unknown>>;
  readonly upstream: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly encoding: BufferEncoding;
    readonly blocks: readonly string[];
  };
  readonly expect: {
    readonly text?: string | null;
    readonly tools?: readonly { readonly name: string; readonly args: unknown; readonly id?: string }[];
    readonly finish?: string;
    readonly usage?: Readonly<Record<'prompt' | 'completion' | 'total' | 'cached' | 'reasoning', number | undefined>>;
    readonly error?: { readonly status: readonly number[]; readonly type?: string; readonly includes?: string };
  };
}

interface Message {
  role?: string;
  content?: string | null;
  tool_calls?: { index?: number; id?: string; type?: string; function: { name?: string; arguments?: string } }[];
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number };
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number };
}

interface Answer {
  readonly ids: readonly string[];
  readonly models: readonly string[];
  readonly message: Message;
  readonly finish: readonly string[];
  readonly usage: Usage | null;
}

const FOLDER = join(import.meta.dirname, '../../fixtures');
const CUTS_PER_FIXTURE = 6;

/** What real providers have sent comes out as an OpenAI client expects it, however the network cuts it. */
export function recordingTests(bench: () => Bench): void {
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.json'))) {
    const fixture = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Fixture;
    const blocks = fixture.upstream.blocks.map((block) => Buffer.from(block, fixture.upstream.encoding));
    const whole = Buffer.concat(blocks);
    test(`recorded: ${fixture.id}, ${fixture.title.toLowerCase()}, block by block`, () =>
      replay(bench(), fixture, blocks));
    test(`recorded: ${fixture.id}, in one piece`, () => replay(bench(), fixture, [whole]));
    for (let seed = 1; seed <= CUTS_PER_FIXTURE; seed++) {
      test(`recorded: ${fixture.id}, cut anywhere (${seed})`, () => replay(bench(), fixture, cut(whole, seed)));
    }
  }
}

async function replay(bench: Bench, fixture: Fixture, pieces: readonly Buffer[]): Promise<void> {
  const { status, headers } = fixture.upstream;
  bench.replay.answerWith({ status, headers, pieces });
  const plain = { ...fixture.request, model: REPLAYED, ...(fixture.stream ? { stream: true } : {}) };
  if (fixture.expect.error) return checkError(await bench.chat(plain), fixture.expect.error);
  if (!fixture.stream) return check(await jsonAnswer(await bench.chat(plain)), fixture, true);
  check(await streamAnswer(await bench.chat(plain)), fixture, false);
  const asked = await bench.chat({ ...plain, stream_options: { include_usage: true } });
  check(await streamAnswer(asked), fixture, fixture.includeUsage !== false);
}

function check(answer: Answer, { expect }: Fixture, withUsage: boolean): void {
  assert.equal(new Set(answer.ids).size, 1);
  assert.match(answer.ids[0] ?? '', GENERATION_ID);
  assert.deepEqual([...new Set(answer.models)], [REPLAYED]);
  assert.equal(answer.message.role, 'assistant');
  assert.equal(answer.message.content ?? null, expect.text ?? null);
  assert.deepEqual(answer.finish, [expect.finish]);
  const calls = (answer.message.tool_calls ?? []).map((call, i) => ({
    name: call.function.name,
    args: JSON.parse(call.function.arguments ?? ''),
    ...(expect.tools?.[i]?.id === undefined ? {} : { id: call.id }),
  }));
  assert.deepEqual(calls, expect.tools ?? []);
  if (!withUsage) {
    assert.equal(answer.usage, null);
    return;
  }
  const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details, completion_tokens_details } =
    answer.usage ?? assert.fail('no usage');
  const { prompt, completion, total, cached, reasoning } = expect.usage ?? assert.fail('no usage expected');
  assert.deepEqual([prompt_tokens, completion_tokens, total_tokens], [prompt, completion, total]);
  if (cached !== undefined) assert.equal(prompt_tokens_details?.cached_tokens, cached);
  if (reasoning !== undefined) assert.equal(completion_tokens_details?.reasoning_tokens, reasoning);
}

async function checkError(response: Response, expected: NonNullable<Fixture['expect']['error']>): Promise<void> {
  assert.ok(expected.status.includes(response.status), String(response.status));
  const { error } = (await response.json()) as { error: Record<string, unknown> };
  assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
  if (expected.type !== undefined) assert.equal(error.type, expected.type);
  if (expected.includes !== undefined) assert.ok(String(error.message).includes(expected.includes));
}

async function jsonAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const { id, model, choices, usage } = JSON.parse(text);
  const [{ message, finish_reason }] = choices;
  return { ids: [id], models: [model], message, finish: [finish_reason], usage: usage ?? null };
}

/** Put together by hand, not by an SDK, so that nothing is forgiven. */
async function streamAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const frames = text.split('\n\n');
  assert.equal(frames.pop(), '');
  assert.equal(frames.pop(), 'data: [DONE]');
  const chunks = frames.map((frame) => {
    assert.ok(frame.startsWith('data: '), frame);
    return JSON.parse(frame.slice('data: '.length));
  });
  const message: Message = {};
  for (const { delta } of chunks.flatMap(({ choices }) => choices)) add(message, delta);
  return {
    ids: chunks.map(({ id }) => id),
    models: chunks.map(({ model }) => model),
    message,
    finish: chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? []),
    usage: chunks.at(-1)?.usage ?? null,
  };
}

function add(message: Message, delta: Message): void {
  if (delta.role !== undefined) message.role = delta.role;
  if (typeof delta.content === 'string') message.content = (message.content ?? '') + delta.content;
  for (const { index = 0, id, function: called } of delta.tool_calls ?? []) {
    message.tool_calls ??= [];
    const call = message.tool_calls[index] ?? { function: { arguments: '' } };
    message.tool_calls[index] = call;
    if (id !== undefined) call.id = id;
    if (called.name !== undefined) call.function.name = called.name;
    call.function.arguments += called.arguments ?? '';
  }
}

/** Cuts at places that the seed decides, inside letters and line ends, too; many small pieces and a few large ones. */
function cut(bytes: Buffer, seed: number): Buffer[] {
  let state = seed * 2_654_435_761;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random(random(4) === 0 ? 400 : 40);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}
