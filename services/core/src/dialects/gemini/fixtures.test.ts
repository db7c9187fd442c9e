import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Dialect, Target } from '../dialect.ts';
import { vertex } from '../vertex/dialect.ts';
import { gemini } from './dialect.ts';
import { type Answer, stream, TARGET, whole } from './play.testing.ts';

interface Fixture {
  readonly id: string;
  readonly title: string;
  readonly stream: boolean;
  readonly expect: {
    readonly text?: string | null;
    readonly tools?: readonly { readonly name: string; readonly args: unknown }[];
    readonly finish?: string;
    readonly usage?: { prompt: number; completion: number; total: number; reasoning?: number };
    readonly error?: { readonly status: readonly number[] };
  };
  readonly upstream: {
    readonly status: number;
    readonly headers: Record<string, string>;
    readonly blocks: readonly string[];
  };
}

const CLAUDE: Target = { ...TARGET, provider: 'vertex', model: 'claude-sonnet-4-5@20250929' };
const GEMINI_ON_VERTEX: Target = { ...TARGET, provider: 'vertex', publisher: 'google' };

const folder = new URL('./fixtures/', import.meta.url);
const fixtures = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Fixture);

function players({ id }: Fixture): [string, Dialect, Target][] {
  if (id.startsWith('vertex-claude')) return [['vertex', vertex, CLAUDE]];
  return [
    ['gemini', gemini, TARGET],
    ['vertex', vertex, GEMINI_ON_VERTEX],
  ];
}

describe('recorded answers', () => {
  it('has them all', () => assert.equal(fixtures.length, 7));

  for (const fixture of fixtures) {
    for (const [name, dialect, target] of players(fixture)) {
      it(`${name}: ${fixture.title}`, () => check(fixture, dialect, target));
    }
  }
});

function check(fixture: Fixture, dialect: Dialect, target: Target): void {
  const { expect, upstream } = fixture;
  const bytes = Buffer.from(upstream.blocks.join(''));
  if (expect.error) {
    const header = (name: string) => upstream.headers[name];
    const answer = { status: upstream.status, header, body: bytes, provider: target.provider, now: 0 };
    assert.ok(expect.error.status.includes(dialect.decodeError(answer).status));
    return;
  }
  if (fixture.stream) {
    for (const cut of [1, 2, 7, 64, bytes.length]) {
      checkAnswer(stream(dialect, bytes, { cuts: [cut], target }), expect);
    }
  } else checkAnswer(whole(dialect, bytes, target), expect);
}

function checkAnswer({ messages, usage }: Answer, expect: Fixture['expect']): void {
  const [message] = messages;
  assert.ok(message);
  assert.equal(messages.length, 1);
  if (expect.text !== undefined) assert.equal(message.content, expect.text);
  assert.equal(message.finish, expect.finish);
  assert.deepEqual(
    message.toolCalls.map((call) => ({ name: call.name, args: JSON.parse(call.arguments) as unknown })),
    expect.tools ?? [],
  );
  const details = usage?.completion_tokens_details as { reasoning_tokens?: number } | undefined;
  const counted = {
    prompt: usage?.prompt_tokens,
    completion: usage?.completion_tokens,
    total: usage?.total_tokens,
    ...(details ? { reasoning: details.reasoning_tokens } : {}),
  };
  assert.deepEqual(counted, expect.usage);
}
