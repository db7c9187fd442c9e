import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { completionTokens, promptTokens, type Usage } from '../../chat/index.ts';
import { decodeOpenAiError } from './error.ts';
import { assemble, GENERATION_ID, METADATA, MODEL, play, TARGET } from './play.testing.ts';
import { decodeOpenAiChat } from './response.ts';

/** Real answers of providers, with what a gateway should make of them; the README beside them says where they come from. */
const FOLDERS = ['../../../../../test/fixtures/', '../../../../../../shared/fixtures/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const NAMES = [
  'openai-text',
  'azure-text',
  'openai-400',
  'openai-text-stream',
  'openai-text-usage-stream',
  'openai-tool-stream',
];

interface Fixture {
  readonly stream: boolean;
  readonly upstream: {
    readonly status: number;
    readonly headers: Record<string, string>;
    readonly blocks: readonly string[];
  };
  readonly expect: {
    readonly text?: string | null;
    readonly tools?: readonly { readonly name: string; readonly id?: string; readonly args: unknown }[];
    readonly finish?: string;
    readonly usage?: { prompt: number; completion: number; total: number; cached?: number; reasoning?: number };
    readonly error?: { readonly status: readonly number[]; readonly type: string; readonly includes: string };
  };
}

for (const name of NAMES) {
  const file = FOLDERS.map((folder) => `${folder}${name}.json`).find((path) => existsSync(path));
  it(`${name}, as recorded`, { skip: file === undefined ? 'the fixtures are not on this machine' : false }, () => {
    const fixture = JSON.parse(readFileSync(file ?? '', 'utf8')) as Fixture;
    const bytes = fixture.upstream.blocks.join('');
    if (fixture.expect.error) checkError(fixture, bytes);
    else if (fixture.stream) for (const cut of [1, 7, 100_000]) checkStream(fixture, bytes, cut);
    else checkAnswer(fixture, bytes);
  });
}

function checkError({ upstream, expect }: Fixture, bytes: string): void {
  const error = decodeOpenAiError({
    status: upstream.status,
    body: Buffer.from(bytes),
    provider: 'openai',
    now: 0,
    header: (header) => upstream.headers[header],
  });
  assert.ok(expect.error?.status.includes(error.status));
  assert.equal(error.type, expect.error?.type);
  assert.ok(error.message.includes(expect.error?.includes ?? '?'));
}

function checkAnswer({ expect }: Fixture, bytes: string): void {
  const answer = decodeOpenAiChat(Buffer.from(bytes), {
    generationId: GENERATION_ID,
    model: MODEL,
    created: 0,
    target: TARGET,
  });
  const { id, model, choices, usage } = JSON.parse(answer.render(METADATA).toString());
  assert.deepEqual([id, model], [GENERATION_ID, MODEL]);
  assert.equal(choices[0].message.content, expect.text);
  assert.equal(choices[0].finish_reason, expect.finish);
  assert.equal(usage.total_tokens, expect.usage?.total);
  checkUsage(answer.usage, expect.usage);
}

function checkStream({ expect }: Fixture, bytes: string, cut: number): void {
  const { chunks, progress } = play(bytes, { includeUsage: true, cuts: [cut] });
  const whole = assemble(chunks);
  assert.equal(progress.ended, true);
  assert.equal(whole.content, expect.text);
  assert.equal(whole.finish_reason, expect.finish);
  assert.deepEqual(
    whole.tool_calls.map(({ id, name, arguments: args }) => ({ name, args: JSON.parse(args), id })),
    expect.tools ?? [],
  );
  checkUsage(progress.usage, expect.usage);
}

function checkUsage(usage: Usage | null, expected: Fixture['expect']['usage']): void {
  if (expected === undefined) return;
  assert.ok(usage);
  assert.deepEqual([promptTokens(usage), completionTokens(usage)], [expected.prompt, expected.completion]);
  if (expected.cached !== undefined) assert.equal(usage.cacheRead, expected.cached);
  if (expected.reasoning !== undefined) assert.equal(usage.reasoning, expected.reasoning);
}
