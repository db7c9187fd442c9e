import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { type Answer, stream, whole } from './play.testing.ts';

interface Fixture {
  readonly title: string;
  readonly stream: boolean;
  readonly expect: {
    readonly text: string;
    readonly tools?: readonly { readonly name: string; readonly args: unknown }[];
    readonly finish: string;
    readonly usage: { readonly prompt: number; readonly completion: number; readonly total: number };
  };
  readonly upstream: { readonly encoding: BufferEncoding; readonly blocks: readonly string[] };
}

const folder = new URL('./fixtures/', import.meta.url);
const fixtures = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Fixture);

it('has all recordings', () => assert.equal(fixtures.length, 3));

for (const fixture of fixtures) {
  it(`${fixture.title}, as recorded`, () => {
    const { blocks, encoding } = fixture.upstream;
    const bytes = Buffer.concat(blocks.map((block) => Buffer.from(block, encoding)));
    if (!fixture.stream) check(whole(bytes.toString()), fixture);
    else for (const cut of [1, 2, 7, 64, bytes.length]) check(stream(bytes, { cuts: [cut] }), fixture);
  });
}

function check(answer: Answer, { expect }: Fixture): void {
  assert.equal(answer.content, expect.text);
  assert.equal(answer.finish, expect.finish);
  assert.deepEqual(
    answer.toolCalls.map(({ name, arguments: args }) => ({ name, args: JSON.parse(args) as unknown })),
    expect.tools ?? [],
  );
  assert.ok(answer.toolCalls.every(({ id }) => id !== ''));
  const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = answer.usage ?? {};
  assert.deepEqual({ prompt, completion, total }, expect.usage);
}
