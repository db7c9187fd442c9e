import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../../errors/index.ts';
import { assemble, chunk, DONE, event, GENERATION_ID, MODEL, play } from './play.testing.ts';

const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const finish = event(chunk({}, 'stop'));
const role = event(chunk({ role: 'assistant', content: '' }));
const text = (content: string): string => event(chunk({ content }));
const calls = (...tool_calls: unknown[]): string => event(chunk({ tool_calls }));

describe('OpenAiStream: what passes', () => {
  it("the provider's bytes, with id and model rewritten", () => {
    const odd =
      '{ "id": "x", "created":1, "model": "m","system_fingerprint": null, "choices":[{"index":0,"delta":{"role":"assistant","content":"\\u0041 1.0"},"finish_reason":null}], "extra": 1e3}';
    const { text: out } = play(event(odd) + finish + DONE);
    assert.equal(
      out.split('\n\n')[0],
      `data: ${odd.replace('"x"', `"${GENERATION_ID}"`).replace('"m"', `"${MODEL}"`)}`,
    );
  });

  it('id and model of every chunk, wherever they stand and whatever they are', () => {
    const chunks = [
      chunk({ role: 'assistant', content: 'a' }),
      chunk({ content: 'b' }, null, { id: 'another' }),
      { choices: [{ index: 0, delta: { content: 'c' } }], id: 'behind', model: 'behind' },
      { choices: [{ index: 0, delta: { content: 'd' } }] },
    ];
    const duplicate =
      '{"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"e"}}],"model":"last","id":"last"}';
    const escaped = '{"id":"x","mod\\u0065l":"m","choices":[{"index":0,"delta":{"content":"f"}}],"model":"q"}';
    const { chunks: sent, text: out } = play([...chunks, duplicate, escaped].map(event).join('') + finish + DONE);
    assert.equal(assemble(sent).content, 'abcdef');
    for (const one of sent) {
      assert.equal(one.id, GENERATION_ID);
      assert.equal(one.model, MODEL);
    }
    assert.doesNotMatch(out, /"x"|"m"|"q"|last|behind|gpt-4o-2024|chatcmpl/);
  });

  it('a chunk written over several lines, as one line', () => {
    const lines = JSON.stringify(chunk({ role: 'assistant', content: 'a' }), null, 1).split('\n');
    const { chunks } = play(`${lines.map((line) => `data: ${line}`).join('\n')}\n\n${text('b')}${finish}${DONE}`);
    assert.equal(assemble(chunks).content, 'ab');
  });

  it('a chunk with spaces behind it', () => {
    const { chunks } = play(
      `${event(`${JSON.stringify(chunk({ role: 'assistant', content: 'a' }))}  `)}${finish}${DONE}`,
      { includeUsage: true },
    );
    assert.equal(assemble(chunks).content, 'a');
    assert.equal(chunks[0]?.usage, null);
  });

  it("not Azure's first chunk, which has no choices: clients index them", () => {
    const first = { ...chunk({}), id: '', model: '', choices: [], prompt_filter_results: [{ prompt_index: 0 }] };
    for (const includeUsage of [false, true]) {
      const { chunks } = play(
        event(first) + role + text('a') + finish + event({ ...chunk({}), choices: [], usage }) + DONE,
        { includeUsage },
      );
      assert.equal(chunks.filter(({ choices }) => choices.length === 0).length, includeUsage ? 1 : 0);
    }
  });

  it('nothing behind [DONE]', () => {
    const { chunks } = play(role + text('a') + finish + DONE + text('b') + event('not json'));
    assert.equal(assemble(chunks).content, 'a');
  });
});

describe('OpenAiStream: what is put right', () => {
  it('the role on the first delta of each choice', () => {
    const both = (a: object, b: object, reason: string | null): string =>
      event({
        ...chunk({}),
        choices: [
          { index: 0, delta: a, finish_reason: reason },
          { index: 1, delta: b, finish_reason: reason },
        ],
      });
    for (const given of [{}, { role: null }, { role: '' }]) {
      const { chunks } = play(both({ ...given, content: 'a' }, { content: 'b' }, null) + both({}, {}, 'stop') + DONE, {
        choices: 2,
      });
      assert.deepEqual([assemble(chunks, 0).role, assemble(chunks, 1).role], ['assistant', 'assistant']);
      assert.equal(chunks[0]?.choices[0]?.delta.role, 'assistant');
    }
  });

  it('a choice without index, delta, or with an empty finish reason', () => {
    const bare = { ...chunk({}), choices: [{ delta: { content: 'a' }, finish_reason: '' }] };
    const { chunks, progress } = play(
      event(bare) + event({ ...chunk({}), choices: [{ finish_reason: 'stop' }] }) + DONE,
    );
    assert.deepEqual([assemble(chunks).content, assemble(chunks).finish_reason], ['a', 'stop']);
    assert.equal(progress.complete, true);
  });

  it('content in the finish chunk: first the content, then the finish', () => {
    const { chunks, early } = play(role + event(chunk({ content: 'all' }, 'stop')) + DONE);
    assert.equal(assemble(early).content, 'all');
    assert.equal(assemble(early).finish_reason, null);
    assert.deepEqual(assemble(chunks), { ...assemble(early), finish_reason: 'stop' });
  });

  it('whatever else a finish chunk says: nothing of it is lost', () => {
    const said = {
      annotations: [{ type: 'url_citation' }],
      reasoning_details: [{ type: 'reasoning.text', text: 'hm' }],
    };
    const { chunks } = play(role + text('a') + event(chunk(said, 'stop')) + DONE);
    assert.deepEqual(chunks[2]?.choices[0]?.delta, said);
  });

  it('finish_reason stop with tool calls', () => {
    const call = { index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
    assert.equal(assemble(play(role + calls(call) + finish + DONE).chunks).finish_reason, 'tool_calls');
    assert.equal(assemble(play(role + calls(call) + event(chunk({}, 'length')) + DONE).chunks).finish_reason, 'length');
    assert.equal(
      assemble(play(role + event(chunk({ tool_calls: [call] }, 'stop')) + DONE).chunks).finish_reason,
      'tool_calls',
    );
    assert.equal(
      assemble(play(role + event(chunk({ tool_calls: [] })) + text('a') + finish + DONE).chunks).finish_reason,
      'stop',
    );
  });
});

describe('OpenAiStream: tool calls', () => {
  const toolCalls = (stream: string) =>
    assemble(play(role + stream + event(chunk({}, 'tool_calls')) + DONE).chunks).tool_calls;
  const named = (name: string, args: string): object => ({ function: { name, arguments: args } });
  const more = (args: unknown): object => ({ function: { arguments: args } });

  it('in fragments, in parallel', () => {
    const stream =
      calls({ index: 0, id: 'a', type: 'function', ...named('f', '') }) +
      calls({ index: 0, ...more('{"x"') }) +
      calls({ index: 1, id: 'b', type: 'function', ...named('g', '{') }, { index: 0, ...more(':1}') }) +
      calls({ index: 1, ...more('}') });
    assert.deepEqual(toolCalls(stream), [
      { id: 'a', type: 'function', name: 'f', arguments: '{"x":1}' },
      { id: 'b', type: 'function', name: 'g', arguments: '{}' },
    ]);
  });

  it('with id, type and name repeated in every fragment', () => {
    const fragment = (args: string): string => calls({ index: 0, id: 'a', type: 'function', ...named('f', args) });
    assert.deepEqual(toolCalls(fragment('{"x"') + fragment(':1}')), [
      { id: 'a', type: 'function', name: 'f', arguments: '{"x":1}' },
    ]);
  });

  it('with index 0 for all of several parallel calls', () => {
    const stream =
      calls({ index: 0, id: 'a', type: 'function', ...named('f', '{"x":1}') }) +
      calls({ index: 0, id: 'b', type: 'function', ...named('f', '{"x":') }) +
      calls({ index: 0, ...more('2}') });
    assert.deepEqual(
      toolCalls(stream).map((call) => [call.id, call.arguments]),
      [
        ['a', '{"x":1}'],
        ['b', '{"x":2}'],
      ],
    );
  });

  it('without index: a new id or name opens a call', () => {
    const byId =
      calls({ id: 'a', type: 'function', ...named('f', '{') }) +
      calls(more('}')) +
      calls({ id: 'b', type: 'function', ...named('f', '{}') });
    assert.deepEqual(
      toolCalls(byId).map((call) => [call.id, call.arguments]),
      [
        ['a', '{}'],
        ['b', '{}'],
      ],
    );
    const atOnce = calls(named('f', '{"x":1}'), named('f', '{"x":2}'));
    assert.deepEqual(
      toolCalls(atOnce).map((call) => [call.name, call.arguments]),
      [
        ['f', '{"x":1}'],
        ['f', '{"x":2}'],
      ],
    );
    const byName = calls(named('f', '{}')) + calls(named('g', '{')) + calls(more('}'));
    assert.deepEqual(
      toolCalls(byName).map((call) => [call.name, call.arguments]),
      [
        ['f', '{}'],
        ['g', '{}'],
      ],
    );
    const again =
      calls({ id: 'a', type: 'function', ...named('f', '{') }) +
      calls({ id: 'b', type: 'function', ...named('g', '{}') }) +
      calls({ id: 'a', ...more('}') });
    assert.deepEqual(
      toolCalls(again).map((call) => [call.id, call.arguments]),
      [
        ['a', '{}'],
        ['b', '{}'],
      ],
    );
  });

  it('without id: a made-up one, different for each call and each answer', () => {
    const made = toolCalls(calls({ index: 0, ...named('f', '{}') }) + calls({ index: 1, id: '', ...named('g', '{}') }));
    assert.deepEqual(
      made.map(({ id }) => id),
      ['call_01K8KPJ0FZA7172X6CSGNZGDWY_0_0', 'call_01K8KPJ0FZA7172X6CSGNZGDWY_0_1'],
    );
    assert.ok(made.every(({ id, type }) => id.length <= 40 && type === 'function'));
  });

  it('without arguments, or with odd ones: they add up to JSON text', () => {
    for (const args of [undefined, null, '']) {
      assert.equal(
        toolCalls(calls({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: args } }))[0]
          ?.arguments,
        '{}',
      );
    }
    assert.equal(
      toolCalls(calls({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: { x: 1 } } }))[0]
        ?.arguments,
      '{"x":1}',
    );
    const late =
      calls({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: null } }) +
      calls({ index: 0, ...more('{}') });
    assert.equal(toolCalls(late)[0]?.arguments, '{}');
  });

  it('of the custom kind get no arguments', () => {
    const custom = { index: 0, id: 'a', type: 'custom', custom: { name: 'sql', input: 'select' } };
    const { text: out } = play(role + calls(custom) + event(chunk({}, 'tool_calls')) + DONE);
    assert.doesNotMatch(out, /arguments/);
    assert.match(out, /"input":"select"/);
  });
});

describe('OpenAiStream: usage', () => {
  const openAi = (given: unknown): string => event({ ...chunk({}), choices: [], usage: given });
  const streams: [name: string, stream: string, has: boolean][] = [
    ['never sent', role + text('a') + finish + DONE, false],
    [
      'null in every chunk, then in a chunk of its own',
      event(chunk({ role: 'assistant', content: 'a' }, null, { usage: null })) +
        event(chunk({}, 'stop', { usage: null })) +
        openAi(usage) +
        DONE,
      true,
    ],
    ['only in a chunk of its own', role + text('a') + finish + openAi(usage) + DONE, true],
    ['in the finish chunk', role + text('a') + event(chunk({}, 'stop', { usage })) + DONE, true],
    [
      'growing in every chunk',
      event(chunk({ role: 'assistant' }, null, { usage: { prompt_tokens: 5, completion_tokens: 0 } })) +
        event(chunk({ content: 'a' }, null, { usage: { prompt_tokens: 5, completion_tokens: 1 } })) +
        event(chunk({}, 'stop', { usage })) +
        DONE,
      true,
    ],
    [
      'with the null before other members',
      event(chunk({ role: 'assistant', content: 'a' }, null, { usage: null, obfuscation: 'xy' })) +
        finish +
        openAi(usage) +
        DONE,
      true,
    ],
    ['once, then an empty object', role + text('a') + finish + openAi(usage) + openAi({}) + DONE, true],
  ];
  for (const [name, stream, has] of streams) {
    it(`${name}: given when asked for, and only then`, () => {
      const asked = play(stream, { includeUsage: true });
      const [last, ...others] = [...asked.chunks].reverse();
      assert.deepEqual(last?.usage, has ? usage : null);
      assert.equal(last?.choices.length, has ? 0 : 1);
      assert.ok(others.every((one) => one.usage === null && one.choices.length > 0));
      assert.equal(assemble(asked.chunks).content, 'a');

      const notAsked = play(stream);
      assert.ok(notAsked.chunks.every((one) => !('usage' in one) && one.choices.length > 0));
      assert.equal(assemble(notAsked.chunks).content, 'a');
      for (const { progress } of [asked, notAsked]) assert.equal(progress.usage?.output, has ? 2 : undefined);
    });
  }
});

describe('OpenAiStream: the end', () => {
  it('is proved by the finish reasons of all choices, and by nothing less', () => {
    const incomplete = [
      '',
      role,
      role + text('a'),
      role + text('a') + DONE,
      DONE,
      role + text('a') + event({ ...chunk({}), choices: [], usage }),
    ];
    for (const stream of incomplete) assert.equal(play(stream).progress.complete, false, JSON.stringify(stream));
    const one = event({ ...chunk({}), choices: [{ index: 1, delta: {}, finish_reason: 'stop' }] });
    assert.equal(play(role + finish, { choices: 2 }).progress.complete, false);
    assert.equal(play(role + finish + one, { choices: 2 }).progress.complete, true);
    assert.equal(play(role + text('a') + finish).progress.complete, true);
    assert.equal(play(role + text('a') + finish).progress.ended, false);
    assert.equal(play(role + text('a') + finish + DONE).progress.ended, true);
  });

  it('of fewer choices than asked for is told by [DONE], when all that began have finished', () => {
    assert.equal(play(role + text('a') + finish + DONE, { choices: 3 }).progress.complete, true);
    const second = event({ ...chunk({}), choices: [{ index: 1, delta: { content: 'b' }, finish_reason: null }] });
    assert.equal(play(role + second + finish + DONE, { choices: 3 }).progress.complete, false);
  });

  it('holds finish reasons back until it is proved', () => {
    const { early, chunks } = play(role + text('a') + finish + DONE);
    assert.ok(early.every(({ choices }) => choices.every(({ finish_reason }) => !finish_reason)));
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'stop');
  });

  it('carries the metadata on a late chunk, also at the top where asked for', () => {
    const metadata = { json: '{"gateway":{"generationId":"g"}}', atTop: true };
    const { chunks } = play(role + text('a') + finish + DONE, { metadata });
    const carrying = chunks.filter(({ choices }) => choices[0]?.delta.provider_metadata !== undefined);
    assert.equal(carrying.length, 1);
    assert.deepEqual(carrying[0]?.choices[0]?.delta, { provider_metadata: JSON.parse(metadata.json) });
    assert.deepEqual(carrying[0]?.provider_metadata, JSON.parse(metadata.json));
    assert.equal(carrying[0]?.created, 1_755_000_000);
  });

  it('tells what was said, and by whom', () => {
    const { progress } = play(role + text('a') + finish + DONE);
    assert.deepEqual(
      [progress.hasContent, progress.responseId, progress.responseModel, progress.finishReasons],
      [true, 'chatcmpl-1', 'gpt-4o-2024', ['stop']],
    );
    assert.equal(play(role + finish + DONE).progress.hasContent, false);
    for (const delta of [
      { refusal: 'no' },
      { reasoning_content: 'hm' },
      { reasoning_details: [{}] },
      { tool_calls: [{ index: 0 }] },
    ]) {
      assert.equal(play(event(chunk(delta))).progress.hasContent, true, JSON.stringify(delta));
    }
    for (const delta of [{ content: '' }, { content: null }, { tool_calls: [] }, { tool_calls: null }, {}]) {
      assert.equal(play(event(chunk(delta))).progress.hasContent, false, JSON.stringify(delta));
    }
  });
});

describe('OpenAiStream: what is an error', () => {
  const thrownBy = (stream: string): GatewayError => {
    try {
      play(stream);
    } catch (error) {
      assert.ok(error instanceof GatewayError, String(error));
      return error;
    }
    assert.fail('an error was expected');
  };

  it('a chunk that is no JSON, no object, or has an unknown finish reason', () => {
    for (const bad of ['{"choices":[', 'hello', '5', 'null', JSON.stringify(chunk({}, 'because'))]) {
      const error = thrownBy(role + event(bad));
      assert.deepEqual(
        [error.type, error.failure, error.code],
        ['response_error', 'stream_broken', 'invalid_provider_response'],
      );
    }
  });

  it('an error in the stream, however it is told', () => {
    const told = [
      event({ error: { message: 'too many', type: 'rate_limit_error', code: null } }),
      event({ error: { message: 'too many', code: 429 } }),
      event({ object: 'error', message: 'too many', code: '429' }),
      `event: error\n${event({ message: 'too many', type: 'rate_limit_error' })}`,
      event({ ...chunk({}), choices: [], error: { message: 'too many', code: 'rate_limit_exceeded' } }),
    ];
    for (const stream of told) {
      const error = thrownBy(role + text('a') + stream);
      assert.deepEqual([error.failure, error.message], ['rate_limited', 'too many'], stream);
    }
    assert.equal(thrownBy(event({ error: 'broken' })).message, 'broken');
    assert.equal(thrownBy(event({ error: {} })).failure, 'overloaded');
    assert.equal(play(event(chunk({ content: 'a' }, null, { error: null })) + finish + DONE).progress.complete, true);
  });
});
