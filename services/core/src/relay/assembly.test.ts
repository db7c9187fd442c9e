import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EventStreamParser, SseParser } from '../upstream/index.ts';
import { assembled, decoded, type Event, type Provider, type Whole } from './assemble.testing.ts';

const OPENAI: Provider = { dialect: 'openai' };
const head = { id: 'up', object: 'chat.completion.chunk', created: 7, model: 'm' };
const chunk = (delta: object, finish_reason: string | null = null, rest: object = {}): Event => [
  { ...head, choices: [{ index: 0, delta, finish_reason }], ...rest },
];
const stop = (rest: object = {}): Event => chunk({}, 'stop', rest);
const messageOf = ({ choices }: Whole): Record<string, unknown> => {
  const { provider_metadata: _, ...message } = choices[0]?.message ?? {};
  return message;
};
const message = (...events: readonly Event[]) => messageOf(assembled(OPENAI, [...events, ['[DONE]']]));

describe('a whole answer out of pieces', () => {
  it('joins texts, and says null where nothing was said', () => {
    assert.deepEqual(
      message(
        chunk({ role: 'assistant', content: '' }),
        chunk({ refusal: 'I ' }),
        chunk({ refusal: 'may not' }),
        stop(),
      ),
      {
        role: 'assistant',
        content: null,
        refusal: 'I may not',
      },
    );
    assert.equal(message(chunk({ content: '' }), stop()).content, '');
    assert.equal(message(stop()).content, null);
  });

  it('joins the arguments of calls of both kinds, whatever order they come in', () => {
    const calls = (...tool_calls: object[]): Event => chunk({ tool_calls });
    const { content, tool_calls } = message(
      calls({ index: 1, id: 'b', type: 'custom', custom: { name: 'g', input: 'x' } }),
      calls({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{"a"' } }),
      calls({ index: 1, custom: { input: 'y' } }, { index: 0, function: { arguments: ':1}' } }),
      calls({
        index: 2,
        id: 'c',
        type: 'function',
        function: { name: 'h', arguments: '' },
        extra_content: { google: {} },
      }),
      chunk({}, 'tool_calls'),
    );
    assert.equal(content, null);
    assert.deepEqual(tool_calls, [
      { id: 'a', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
      { id: 'b', type: 'custom', custom: { name: 'g', input: 'xy' } },
      { id: 'c', type: 'function', function: { name: 'h', arguments: '{}' }, extra_content: { google: {} } },
    ]);
  });

  it('joins the older kind of call, and sound', () => {
    const called = message(
      chunk({ function_call: { name: 'f', arguments: '{' } }),
      chunk({ function_call: { arguments: '}' } }),
      chunk({}, 'function_call'),
    );
    assert.deepEqual(called.function_call, { name: 'f', arguments: '{}' });
    const heard = message(
      chunk({ audio: { id: 'audio_1', transcript: 'Hel' } }),
      chunk({ audio: { data: 'AAAA', transcript: 'lo' } }),
      chunk({ audio: { data: 'BBBB', expires_at: 9 } }),
      stop(),
    );
    assert.deepEqual(heard.audio, { id: 'audio_1', transcript: 'Hello', data: 'AAAABBBB', expires_at: 9 });
  });

  it('joins details of reasoning by index and type', () => {
    const detail = (more: object): Event =>
      chunk({ reasoning_details: [{ type: 'reasoning.text', index: 0, ...more }] });
    const { reasoning_details } = message(
      detail({ text: 'a', format: 'f' }),
      chunk({ reasoning_details: [{ type: 'reasoning.encrypted', index: 1, data: 'x' }] }),
      detail({ text: 'b', signature: 's' }),
      chunk({ content: 'x' }),
      stop(),
    );
    assert.deepEqual(reasoning_details, [
      { type: 'reasoning.text', index: 0, text: 'ab', format: 'f', signature: 's' },
      { type: 'reasoning.encrypted', index: 1, data: 'x' },
    ]);
  });

  it('collects images and citations', () => {
    const image = (url: string): Event => chunk({ images: [{ index: 0, type: 'image_url', image_url: { url } }] });
    const { images, annotations } = message(
      image('data:a'),
      image('data:b'),
      chunk({ annotations: [{ type: 'url_citation', n: 1 }] }),
      chunk({ annotations: [{ type: 'url_citation', n: 2 }] }),
      stop(),
    );
    assert.deepEqual(images, [
      { type: 'image_url', image_url: { url: 'data:a' } },
      { type: 'image_url', image_url: { url: 'data:b' } },
    ]);
    assert.deepEqual(annotations, [
      { type: 'url_citation', n: 1 },
      { type: 'url_citation', n: 2 },
    ]);
  });

  it('keeps what it does not know: the last of it, and null takes nothing back', () => {
    const whole = assembled(OPENAI, [
      chunk({ content: 'x', mood: 'calm', tags: [1] }, null, { citations: ['a'], obfuscation: 'xx', search: null }),
      chunk({ mood: 'glad', tags: [1, 2] }, null, { citations: ['a', 'b'] }),
      chunk({ mood: null }, null, { citations: null, service_tier: 'flex' }),
      stop(),
      ['[DONE]'],
    ]);
    assert.deepEqual(messageOf(whole), { role: 'assistant', content: 'x', refusal: null, mood: 'glad', tags: [1, 2] });
    const { citations, service_tier, search, obfuscation } = whole;
    assert.deepEqual([citations, service_tier, search, obfuscation], [['a', 'b'], 'flex', null, undefined]);
  });

  it('keeps what Azure says of the prompt before its first choice', () => {
    const prompt_filter_results = [{ prompt_index: 0, content_filter_results: {} }];
    const whole = assembled({ dialect: 'azure' }, [
      [{ id: '', object: '', created: 0, model: '', choices: [], prompt_filter_results }],
      chunk({ content: 'x' }),
      stop(),
      ['[DONE]'],
    ]);
    assert.deepEqual([whole.prompt_filter_results, whole.created], [prompt_filter_results, 7]);
  });
});

interface Fixture {
  readonly title: string;
  readonly stream: boolean;
  readonly upstream: { readonly encoding?: BufferEncoding; readonly blocks: readonly string[] };
  readonly expect: {
    readonly text?: string | null;
    readonly finish?: string;
    readonly tools?: readonly { readonly name: string; readonly args: unknown }[];
    readonly usage?: { readonly prompt: number; readonly completion: number; readonly total: number };
  };
}

/** Recordings of whole providers, each with a whole answer and streams. */
const RECORDED: readonly [Provider, whole: string, ...streams: string[]][] = [
  [OPENAI, 'openai-text', 'openai-text-stream', 'openai-text-usage-stream', 'openai-tool-stream'],
  [{ dialect: 'anthropic' }, 'anthropic-text', 'anthropic-text-stream'],
  [{ dialect: 'anthropic' }, 'anthropic-tool', 'anthropic-tool-stream', 'anthropic-tool-no-args-stream'],
  [{ dialect: 'vertex', target: { publisher: 'anthropic' } }, 'vertex-claude-text', 'vertex-claude-text-stream'],
  [{ dialect: 'gemini' }, 'gemini-text', 'gemini-text-stream'],
  [{ dialect: 'gemini' }, 'gemini-tool', 'gemini-tool-stream'],
  [{ dialect: 'bedrock' }, 'bedrock-text', 'bedrock-text-stream', 'bedrock-tool-stream'],
];
const FOLDERS = ['../../../../test/fixtures/', '../../../../../shared/fixtures/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

function recorded(name: string): Fixture | null {
  const file = FOLDERS.map((folder) => `${folder}${name}.json`).find((path) => existsSync(path));
  return file === undefined ? null : (JSON.parse(readFileSync(file, 'utf8')) as Fixture);
}

function eventsOf({ dialect }: Provider, { upstream }: Fixture): Event[] {
  const events: Event[] = [];
  const handler = { onEvent: (data: Buffer, name: string) => void events.push([data.toString(), name]) };
  const parser = dialect === 'bedrock' ? new EventStreamParser(handler) : new SseParser(handler);
  for (const block of upstream.blocks) parser.feed(Buffer.from(block, upstream.encoding));
  return events;
}

describe('recorded streams, put together', () => {
  for (const [provider, wholeName, ...streams] of RECORDED) {
    const twin = recorded(wholeName);
    for (const name of streams) {
      const fixture = recorded(name);
      it(name, { skip: twin && fixture ? false : 'the fixtures are not on this machine' }, () => {
        if (!twin || !fixture) return;
        const whole = assembled(provider, eventsOf(provider, fixture));
        check(whole, fixture);
        check(decoded(provider, twin.upstream.blocks.join('')), twin);
      });
    }
  }

  it('have the members of whole answers, where both were recorded', () => {
    const members = (whole: Whole) => [Object.keys(whole).sort(), Object.keys(whole.choices[0]?.message ?? {}).sort()];
    for (const [provider, wholeName, streamName] of RECORDED) {
      const [twin, fixture] = [recorded(wholeName), recorded(streamName ?? '')];
      // OpenAI's recordings are years apart: members have come and gone.
      if (!twin || !fixture || provider === OPENAI) continue;
      const streamed = assembled(provider, eventsOf(provider, fixture));
      assert.deepEqual(members(streamed), members(decoded(provider, twin.upstream.blocks.join(''))), streamName);
    }
  });
});

function check(whole: Whole, { expect }: Fixture): void {
  const [choice] = whole.choices;
  assert.equal(whole.object, 'chat.completion');
  if (expect.text !== undefined) assert.equal(choice?.message.content ?? null, expect.text || null);
  assert.equal(choice?.finish_reason, expect.finish);
  const calls = (choice?.message.tool_calls ?? []) as { function: { name: string; arguments: string } }[];
  assert.deepEqual(
    calls.map(({ function: { name, arguments: args } }) => ({ name, args: JSON.parse(args) as unknown })),
    (expect.tools ?? []).map(({ name, args }) => ({ name, args })),
  );
  if (!expect.usage) return;
  const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = whole.usage ?? {};
  const { prompt: p, completion: c, total: t } = expect.usage;
  assert.deepEqual([prompt, completion, total], [p, c, t]);
}
