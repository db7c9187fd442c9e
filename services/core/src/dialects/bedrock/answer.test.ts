import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../errors/index.ts';
import { ANSWER_TOOL } from '../anthropic/structured-output.ts';
import { CLAUDE, frame, frames, NOVA, stream, whole } from './play.testing.ts';

const USAGE = { inputTokens: 10, outputTokens: 5, totalTokens: 15 };
const KIMI = 'moonshot.kimi-k2-thinking';

const answer = (content: readonly object[], stopReason = 'end_turn', usage: object = USAGE) => ({
  output: { message: { role: 'assistant', content } },
  stopReason,
  usage,
  metrics: { latencyMs: 1 },
});

const text = (said: string, contentBlockIndex = 0) => ({
  contentBlockDelta: { contentBlockIndex, delta: { text: said } },
});
const delta = (contentBlockIndex: number, piece: object) => ({
  contentBlockDelta: { contentBlockIndex, delta: piece },
});
const stop = (contentBlockIndex: number) => ({ contentBlockStop: { contentBlockIndex } });
const toolStart = (contentBlockIndex: number, toolUseId: string, name: string, more: object = {}) => ({
  contentBlockStart: { contentBlockIndex, start: { toolUse: { toolUseId, name, ...more } } },
});
const START = { messageStart: { role: 'assistant' } };
const end = (stopReason = 'end_turn', usage: object = USAGE) => [
  { messageStop: { stopReason } },
  { metadata: { usage, metrics: { latencyMs: 1 } } },
];

describe('a stream is the whole answer', () => {
  const pairs: [string, string, object[], Record<string, unknown>[]][] = [
    [
      'thinking, text and parallel calls, interleaved',
      CLAUDE,
      [
        { reasoningContent: { reasoningText: { text: 'hm, so', signature: 'sig' } } },
        { text: 'Let me look.' },
        { toolUse: { toolUseId: 'a', name: 'f', input: { city: 'Zürich' } } },
        { toolUse: { toolUseId: 'b', name: 'g', input: {} } },
      ],
      [
        delta(0, { reasoningContent: { text: 'hm,' } }),
        delta(0, { reasoningContent: { text: ' so' } }),
        delta(0, { reasoningContent: { signature: 'sig' } }),
        stop(0),
        text('Let me ', 1),
        toolStart(2, 'a', 'f'),
        text('look.', 1),
        toolStart(3, 'b', 'g'),
        delta(2, { toolUse: { input: '{"city":' } }),
        delta(3, { toolUse: { input: '' } }),
        delta(2, { toolUse: { input: '"Zürich"}' } }),
        stop(1),
        stop(2),
        stop(3),
      ],
    ],
    [
      'redacted thinking, in pieces of bytes',
      CLAUDE,
      [{ reasoningContent: { redactedContent: 'AAECAwQ=' } }, { text: 'x' }],
      [
        delta(0, { reasoningContent: { redactedContent: 'AAE=' } }),
        delta(0, { reasoningContent: { redactedContent: 'AgME' } }),
        stop(0),
        text('x', 1),
      ],
    ],
    [
      'citations',
      CLAUDE,
      [
        { text: 'As ' },
        {
          citationsContent: {
            content: [{ text: 'said' }],
            citations: [
              {
                title: 'd',
                location: { documentPage: { documentIndex: 0, start: 1, end: 2 } },
                sourceContent: [{ text: 's' }],
              },
              { title: 'w', location: { web: { url: 'https://example.com/', domain: 'example.com' } } },
            ],
          },
        },
        { text: '.' },
      ],
      [
        text('As '),
        delta(1, {
          citation: {
            title: 'd',
            location: { documentPage: { documentIndex: 0, start: 1, end: 2 } },
            sourceContent: [{ text: 's' }],
          },
        }),
        delta(1, {
          citation: { title: 'w', location: { web: { url: 'https://example.com/', domain: 'example.com' } } },
        }),
        text('said', 1),
        text('.', 2),
      ],
    ],
    [
      'an image',
      NOVA,
      [{ image: { format: 'png', source: { bytes: 'AAECAwQ=' } } }],
      [
        { contentBlockStart: { contentBlockIndex: 0, start: { image: { format: 'png' } } } },
        delta(0, { image: { source: { bytes: 'AAE=' } } }),
        delta(0, { image: { source: { bytes: 'AgME' } } }),
        stop(0),
      ],
    ],
    [
      'printed thinking',
      KIMI,
      [{ text: ' <think> hm </think> x' }],
      [text(''), text(' <th'), text('ink> hm </thi'), text('nk> '), text('x')],
    ],
    [
      'a structured answer by a tool',
      CLAUDE,
      [{ toolUse: { toolUseId: 'a', name: ANSWER_TOOL, input: { a: 1 } } }],
      [toolStart(0, 'a', ANSWER_TOOL), delta(0, { toolUse: { input: '{"a":1}' } })],
    ],
    [
      "a tool of the service's own",
      NOVA,
      [
        { toolUse: { toolUseId: 'a', name: 'nova_grounding', input: { q: 1 }, type: 'server_tool_use' } },
        { toolResult: { toolUseId: 'a', content: [] } },
        { text: 'x' },
      ],
      [
        toolStart(0, 'a', 'nova_grounding', { type: 'server_tool_use' }),
        delta(0, { toolUse: { input: '{"q":1}' } }),
        { contentBlockStart: { contentBlockIndex: 1, start: { toolResult: { toolUseId: 'a' } } } },
        delta(1, { toolResult: [{ text: 'r' }] }),
        text('x', 2),
      ],
    ],
  ];
  for (const [what, model, content, events] of pairs) {
    it(what, () => {
      const expected = whole(answer(content), model);
      const bytes = frames([START, ...events, ...end()]);
      for (const cut of [1, 13, bytes.length]) {
        const { progress, ...streamed } = stream(bytes, { model, cuts: [cut] });
        assert.deepEqual(streamed, expected);
        assert.ok(progress.ended);
      }
    });
  }

  it('says what was said', () => {
    const { content, reasoning, details, toolCalls, finish } = whole(answer(pairs[0]?.[2] ?? [], 'tool_use'));
    assert.deepEqual([content, reasoning, finish], ['Let me look.', 'hm, so', 'tool_calls']);
    assert.deepEqual(details, [
      { type: 'reasoning.text', format: 'anthropic-claude-v1', index: 0, text: 'hm, so', signature: 'sig' },
    ]);
    assert.deepEqual(toolCalls, [
      { id: 'a', name: 'f', arguments: '{"city":"Zürich"}' },
      { id: 'b', name: 'g', arguments: '{}' },
    ]);
    const redacted = whole(answer(pairs[1]?.[2] ?? []));
    assert.deepEqual(redacted.details, [
      { type: 'reasoning.encrypted', data: 'AAECAwQ=', format: 'anthropic-claude-v1', index: 0 },
    ]);
    const cited = whole(answer(pairs[2]?.[2] ?? []));
    assert.equal(cited.content, 'As said.');
    assert.deepEqual(cited.annotations[1], {
      type: 'url_citation',
      url_citation: { url: 'https://example.com/', title: 'w', start_index: 0, end_index: 0 },
    });
    assert.deepEqual(whole(answer(pairs[3]?.[2] ?? []), NOVA).images, [
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAECAwQ=' } },
    ]);
    const printed = whole(answer(pairs[4]?.[2] ?? []), KIMI);
    assert.deepEqual([printed.content, printed.reasoning, printed.details[0]?.format], ['x', 'hm', 'unknown']);
    const structured = whole(answer(pairs[5]?.[2] ?? [], 'tool_use'));
    assert.deepEqual([structured.content, structured.toolCalls, structured.finish], ['{"a":1}', [], 'stop']);
    assert.deepEqual(whole(answer(pairs[6]?.[2] ?? []), NOVA).toolCalls, []);
  });
});

describe('stop reasons', () => {
  const known: [string, string][] = [
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['guardrail_intervened', 'content_filter'],
    ['content_filtered', 'content_filter'],
  ];
  for (const [theirs, ours] of known) {
    it(`${theirs} is ${ours}`, () => {
      assert.equal(whole(answer([{ text: 'x' }], theirs)).finish, ours);
      assert.equal(stream(frames([START, text('x'), ...end(theirs)])).finish, ours);
    });
  }
  for (const reason of ['malformed_model_output', 'malformed_tool_use', 'brand_new', 'constructor']) {
    it(`${reason} is an error`, () => {
      assert.throws(() => whole(answer([{ text: 'x' }], reason)), GatewayError);
      assert.throws(() => stream(frames([START, text('x'), ...end(reason)])), GatewayError);
    });
  }

  it('calls end with tool_calls, whatever the service says', () => {
    assert.equal(whole(answer([{ toolUse: { toolUseId: 'a', name: 'f', input: {} } }])).finish, 'tool_calls');
  });
});

describe('the end of a stream', () => {
  const said = [START, text('x'), stop(0)];
  const state = (events: Record<string, unknown>[]) => {
    const { complete, ended } = stream(frames(events)).progress;
    return { complete, ended };
  };

  it('is messageStop and metadata', () => {
    assert.deepEqual(state(said), { complete: false, ended: false });
    assert.deepEqual(state([...said, ...end().slice(0, 1)]), { complete: true, ended: false });
    assert.deepEqual(state([...said, ...end()]), { complete: true, ended: true });
    assert.deepEqual(state([...said, ...end().toReversed()]), { complete: true, ended: true });
    assert.deepEqual(state([...said, ...end().slice(1)]), { complete: false, ended: false });
  });

  it('unknown events are passed over', () => {
    const events = [
      { brandNew: { a: 1 } },
      START,
      delta(0, { brandNew: {} }),
      text('x'),
      { contentBlockStart: {} },
      ...end(),
    ];
    assert.equal(stream(frames(events)).content, 'x');
  });

  it('what comes behind it is not looked at', () => {
    assert.equal(stream(frames([...said, ...end(), text('y')])).content, 'x');
  });

  const exceptions: [string, string][] = [
    ['throttlingException', 'rate_limited'],
    ['modelStreamErrorException', 'overloaded'],
    ['serviceUnavailableException', 'overloaded'],
    ['internalServerException', 'overloaded'],
    ['modelTimeoutException', 'silent'],
    ['validationException', 'bad_request'],
    ['brandNewException', 'overloaded'],
  ];
  for (const [name, failure] of exceptions) {
    it(`${name} is ${failure}`, () => {
      const bytes = Buffer.concat([frames(said), frame(name, { message: 'It says why.' }, 'exception')]);
      assert.throws(
        () => stream(bytes),
        (error: unknown) =>
          error instanceof GatewayError && error.failure === failure && error.message.includes('It says why.'),
      );
    });
  }

  it('an event that is not JSON is an error', () => {
    const broken = frame('contentBlockDelta', 'not an object');
    assert.throws(() => stream(Buffer.concat([frames(said), broken])), GatewayError);
  });
});

describe('whole answers that are none', () => {
  for (const body of ['', 'null', '[]', '{}', '{"message":"x"}', '{"output":{}}', '<html>']) {
    it(JSON.stringify(body), () => assert.throws(() => whole(body), GatewayError));
  }
  it('without an end', () => {
    assert.throws(() => whole({ output: { message: { content: [{ text: 'x' }] } } }), GatewayError);
  });
});

describe('usage', () => {
  it('adds the cache, which inputTokens leaves out', () => {
    const usage = { ...USAGE, cacheReadInputTokens: 100, cacheWriteInputTokens: 20 };
    assert.deepEqual(whole(answer([{ text: 'x' }], 'end_turn', usage)).usage, {
      prompt_tokens: 130,
      completion_tokens: 5,
      total_tokens: 135,
      prompt_tokens_details: { cached_tokens: 100, cache_write_tokens: 20 },
    });
  });

  it('absent is absent', () => {
    assert.equal('prompt_tokens_details' in (whole(answer([{ text: 'x' }])).usage ?? {}), false);
    assert.equal(whole({ ...answer([{ text: 'x' }]), usage: undefined }).usage, undefined);
  });
});

it('laws 1, 4 and 5 hold for any answer, cut anywhere', () => {
  const pieces = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 });
  const name = fc.stringMatching(/^[a-z_]{1,8}$/);
  const block = fc.oneof(
    pieces.map((said) => ({ kind: 'text' as const, said })),
    fc.record({
      kind: fc.constant('thinking' as const),
      said: pieces,
      signature: fc.option(fc.base64String({ minLength: 4 })),
    }),
    fc.record({
      kind: fc.constant('tool' as const),
      name,
      input: fc.dictionary(name, fc.oneof(fc.integer(), fc.string())),
    }),
  );
  const counts = fc.record({
    input: fc.nat(9_999),
    output: fc.nat(9_999),
    read: fc.option(fc.nat(99)),
    write: fc.option(fc.nat(99)),
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 5 }), counts, cuts, (blocks, count, lengths) => {
      const usage = {
        inputTokens: count.input,
        outputTokens: count.output,
        ...(count.read === null ? {} : { cacheReadInputTokens: count.read }),
        ...(count.write === null ? {} : { cacheWriteInputTokens: count.write }),
      };
      const content = blocks.map((one, i) => {
        if (one.kind === 'text') return { text: one.said.join('') };
        if (one.kind === 'tool') return { toolUse: { toolUseId: `t${i}`, name: one.name, input: one.input } };
        return {
          reasoningContent: {
            reasoningText: { text: one.said.join(''), ...(one.signature ? { signature: one.signature } : {}) },
          },
        };
      });
      const events = blocks.flatMap((one, i): Record<string, unknown>[] => {
        if (one.kind === 'text') return [...one.said.map((said) => text(said, i)), stop(i)];
        if (one.kind === 'tool') {
          const json = Object.keys(one.input).length === 0 ? '' : JSON.stringify(one.input);
          const half = Math.floor(json.length / 2);
          const parts = [json.slice(0, half), json.slice(half)];
          return [toolStart(i, `t${i}`, one.name), ...parts.map((input) => delta(i, { toolUse: { input } })), stop(i)];
        }
        const thought = one.said.map((said) => delta(i, { reasoningContent: { text: said } }));
        const signed = one.signature ? [delta(i, { reasoningContent: { signature: one.signature } })] : [];
        return [...thought, ...signed, stop(i)];
      });
      for (const model of [CLAUDE, NOVA]) {
        const expected = whole(answer(content, 'end_turn', usage), model);
        const { progress, ...streamed } = stream(frames([START, ...events, ...end('end_turn', usage)]), {
          model,
          cuts: lengths,
        });
        assert.deepEqual(streamed, expected);
        assert.ok(progress.usage);
        const { uncachedInput, cacheRead, cacheWrite, output, reasoning } = progress.usage;
        assert.deepEqual(
          [uncachedInput, cacheRead, cacheWrite, output, reasoning],
          [count.input, count.read, count.write, count.output, null],
        );
        assert.equal(expected.usage?.prompt_tokens, count.input + (count.read ?? 0) + (count.write ?? 0));
      }
    }),
    { numRuns: 150 },
  );
});
