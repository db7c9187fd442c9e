import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../../errors/index.ts';
import { gemini } from './dialect.ts';
import { type Answer, type Message, stream, whole } from './play.testing.ts';

type Raw = Record<string, unknown>;

const body = (candidate: Raw, more: Raw = {}): string =>
  JSON.stringify({ candidates: [{ index: 0, finishReason: 'STOP', ...candidate }], responseId: 'r-1', ...more });
const parts = (...list: Raw[]): Raw => ({ content: { role: 'model', parts: list } });
const event = (value: unknown): string => `data: ${JSON.stringify(value)}\r\n\r\n`;

/** The one choice of an answer, which says the same whole and as a stream of one event. */
function told(text: string): Message {
  const answer = whole(gemini, text);
  const { progress: _, ...streamed } = stream(gemini, `data: ${text}\n\n`);
  assert.deepEqual(streamed, answer);
  const [message] = answer.messages;
  assert.ok(message);
  return message;
}

function failure(act: () => unknown): GatewayError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    return error;
  }
  assert.fail('nothing failed');
}

describe('what an answer says', () => {
  it('keeps thoughts, their signatures and the text apart', () => {
    const message = told(
      body(
        parts({ text: 'hm', thought: true }, { text: ' so', thought: true }, { text: 'Hi', thoughtSignature: 'c2ln' }),
      ),
    );
    assert.equal(message.content, 'Hi');
    assert.equal(message.reasoning, 'hm so');
    assert.deepEqual(message.details, [
      { type: 'reasoning.text', text: 'hm so', format: 'google-gemini-v1', index: 0 },
      { type: 'reasoning.encrypted', data: 'c2ln', format: 'google-gemini-v1', index: 1 },
    ]);
  });

  it('gives every call an id of its own, and keeps those that Google gives', () => {
    const { toolCalls, finish } = told(
      body(
        parts(
          { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'c2ln' },
          { functionCall: { name: 'f' } },
          { functionCall: { name: 'g', args: {}, id: 'given' } },
        ),
      ),
    );
    assert.equal(finish, 'tool_calls');
    assert.deepEqual(toolCalls, [
      { id: 'call_r-1_0_0', name: 'f', arguments: '{"a":1}', extra: { google: { thought_signature: 'c2ln' } } },
      { id: 'call_r-1_0_1', name: 'f', arguments: '{}', extra: undefined },
      { id: 'given', name: 'g', arguments: '{}', extra: undefined },
    ]);
  });

  it('has made-up ids that OpenAI takes back', () => {
    const text = body(parts({ functionCall: { name: 'f' } }), { responseId: `${'x'.repeat(80)}/+` });
    assert.ok((told(text).toolCalls[0]?.id.length ?? 99) <= 40);
  });

  it('shows images, but not those of its thoughts', () => {
    const image = { inlineData: { mimeType: 'image/png', data: 'AAAA' } };
    const { images, content } = told(body(parts({ text: 'See:' }, { ...image, thought: true }, image)));
    assert.deepEqual(images, [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }]);
    assert.equal(content, 'See:');
  });

  it('cites its sources, by characters', () => {
    const { annotations } = told(
      body({
        ...parts({ text: 'Å 😀 rain' }),
        groundingMetadata: {
          groundingChunks: [{ web: { uri: 'https://a.example', title: 'A' } }, { web: { uri: 'https://b.example' } }],
          groundingSupports: [{ segment: { startIndex: 3, endIndex: 12 }, groundingChunkIndices: [0] }],
        },
        citationMetadata: { citationSources: [{ uri: 'https://c.example', startIndex: 0, endIndex: 2 }] },
      }),
    );
    const cited = (url: string, title: string, start: number, end: number) => ({
      type: 'url_citation',
      url_citation: { url, title, start_index: start, end_index: end },
    });
    assert.deepEqual(annotations, [
      cited('https://a.example', 'A', 2, 8),
      cited('https://b.example', '', 0, 0),
      cited('https://c.example', '', 0, 1),
    ]);
  });

  it('tells several candidates apart', () => {
    const text = JSON.stringify({
      candidates: [
        { index: 1, ...parts({ text: 'b' }), finishReason: 'MAX_TOKENS' },
        { index: 0, ...parts({ text: 'a' }), finishReason: 'STOP' },
      ],
    });
    const said = ({ messages }: Answer) => messages.map(({ content, finish }) => [content, finish]);
    const expected = [
      ['a', 'stop'],
      ['b', 'length'],
    ];
    assert.deepEqual(said(whole(gemini, text)), expected);
    assert.deepEqual(said(stream(gemini, `data: ${text}\n\n`, { choices: 2 })), expected);
  });

  it('passes over what it does not know', () => {
    const { content } = told(
      body(
        { ...parts({ text: 'a' }, { somethingNew: {} }, { executableCode: { code: '1' } }), newField: 1 },
        { other: {} },
      ),
    );
    assert.equal(content, 'a');
  });

  it('reads an array of chunks, as a stream without SSE has it', () => {
    const chunks = [{ candidates: [parts({ text: 'a' })] }, JSON.parse(body(parts({ text: 'b' })))];
    assert.equal(whole(gemini, JSON.stringify(chunks)).messages[0]?.content, 'ab');
  });
});

describe('how an answer ends', () => {
  const ends: [string, string | null][] = [
    ['STOP', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['CONTINUATION', 'length'],
    ['SAFETY', 'content_filter'],
    ['RECITATION', 'content_filter'],
    ['LANGUAGE', 'content_filter'],
    ['BLOCKLIST', 'content_filter'],
    ['PROHIBITED_CONTENT', 'content_filter'],
    ['SPII', 'content_filter'],
    ['IMAGE_SAFETY', 'content_filter'],
    ['IMAGE_PROHIBITED_CONTENT', 'content_filter'],
    ['IMAGE_RECITATION', 'content_filter'],
    ['NO_IMAGE', 'stop'],
    ['MALFORMED_FUNCTION_CALL', null],
    ['MALFORMED_RESPONSE', null],
    ['UNEXPECTED_TOOL_CALL', null],
    ['TOO_MANY_TOOL_CALLS', null],
    ['IMAGE_OTHER', null],
    ['OTHER', null],
    ['FINISH_REASON_UNSPECIFIED', null],
    ['SOMETHING_NEW', null],
    ['toString', null],
  ];
  for (const [reason, expected] of ends) {
    it(`${reason}: ${expected ?? 'an error'}`, () => {
      const text = body({ ...parts({ text: 'a' }), finishReason: reason, finishMessage: 'because' });
      if (expected === null) {
        const error = failure(() => whole(gemini, text));
        assert.deepEqual([error.status, error.failure, error.code], [502, 'overloaded', 'invalid_provider_response']);
        assert.ok(error.message.includes(reason) && error.message.includes('because'));
      } else assert.equal(told(text).finish, expected);
    });
  }

  it('is a refusal when the prompt was blocked', () => {
    const text = JSON.stringify({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 5 } });
    const message = told(text);
    assert.deepEqual([message.finish, message.content], ['content_filter', null]);
    assert.equal(message.refusal, 'The prompt was blocked: SAFETY.');
    assert.equal(stream(gemini, `data: ${text}\n\n`, { choices: 2 }).messages.length, 2);
  });

  it('is a refusal when the answer was held back, with what Google says of it', () => {
    const message = told(body({ finishReason: 'SAFETY', finishMessage: 'Not this.' }));
    assert.deepEqual([message.finish, message.content, message.refusal], ['content_filter', null, 'Not this.']);
  });

  it('is not proved without a finish reason', () => {
    assert.equal(failure(() => whole(gemini, JSON.stringify({ candidates: [parts({ text: 'a' })] }))).status, 502);
    assert.throws(() => stream(gemini, event({ candidates: [parts({ text: 'a' })] })), /has not finished every choice/);
  });

  it("waits for the response's end, for usage may come behind the finish reason", () => {
    const { usage, progress } = stream(
      gemini,
      event(JSON.parse(body(parts({ text: 'a' })))) +
        event({ usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 } }),
    );
    assert.deepEqual(usage, { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 });
    assert.ok(progress.complete && !progress.ended);
  });
});

describe('usage', () => {
  const usage = (counts: Raw) => whole(gemini, body(parts({ text: 'a' }), { usageMetadata: counts })).usage;

  it('has disjoint buckets', () => {
    assert.deepEqual(
      usage({
        promptTokenCount: 100,
        cachedContentTokenCount: 60,
        candidatesTokenCount: 20,
        thoughtsTokenCount: 30,
        toolUsePromptTokenCount: 5,
        totalTokenCount: 155,
      }),
      {
        prompt_tokens: 105,
        completion_tokens: 50,
        total_tokens: 155,
        prompt_tokens_details: { cached_tokens: 60 },
        completion_tokens_details: { reasoning_tokens: 30 },
      },
    );
  });

  it('knows thoughts that the candidates include', () => {
    const counted = usage({
      promptTokenCount: 10,
      candidatesTokenCount: 50,
      thoughtsTokenCount: 30,
      totalTokenCount: 60,
    });
    assert.deepEqual([counted?.completion_tokens, counted?.total_tokens], [50, 60]);
  });

  it('takes the later number, and no missing one', () => {
    const chunks = [
      { usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 1, cachedContentTokenCount: 4 } },
      { ...JSON.parse(body(parts({ text: 'a' }))), usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 7 } },
    ];
    const { usage } = stream(gemini, chunks.map(event).join(''));
    assert.deepEqual(usage, {
      prompt_tokens: 9,
      completion_tokens: 7,
      total_tokens: 16,
      prompt_tokens_details: { cached_tokens: 4 },
    });
  });

  it('is absent when nothing is said of it', () => assert.equal(usage({}), undefined));
});

describe('errors', () => {
  const decode = (status: number, content: unknown, headers: Record<string, string> = {}) =>
    gemini.decodeError({
      status,
      header: (name) => headers[name],
      body: Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)),
      provider: 'gemini',
      now: 0,
    });
  const status = (code: number, message: string, details: Raw[] = []) => ({
    error: { code, message, status: 'S', details },
  });

  const classes: [number, unknown, string, number][] = [
    [400, status(400, 'Invalid JSON payload received.'), 'bad_request', 400],
    [400, status(400, 'API key not valid. Please pass a valid API key.'), 'auth', 502],
    [400, status(400, 'no', [{ '@type': 'x', reason: 'API_KEY_INVALID' }]), 'auth', 502],
    [400, status(400, 'User location is not supported for the API use.'), 'auth', 502],
    [
      400,
      status(400, 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).'),
      'context_length',
      400,
    ],
    [402, status(402, 'pay'), 'auth', 502],
    [403, status(403, 'denied'), 'auth', 502],
    [404, status(404, 'models/x is not found'), 'bad_request', 404],
    [429, status(429, 'quota'), 'rate_limited', 429],
    [500, status(500, 'internal'), 'overloaded', 502],
    [503, [status(503, 'The model is overloaded.')], 'overloaded', 503],
    [504, '<html>', 'overloaded', 504],
    [400, '', 'bad_request', 400],
  ];
  for (const [code, content, expected, seen] of classes) {
    it(`${code} ${JSON.stringify(content).slice(0, 90)}: ${expected}`, () => {
      const error = decode(code, content);
      assert.deepEqual([error.failure, error.status], [expected, seen]);
    });
  }

  it('say how long to wait', () => {
    const content = status(429, 'quota', [{ '@type': 'x' }, { '@type': 'RetryInfo', retryDelay: '34.07s' }]);
    assert.equal(decode(429, content).retryAfterMs, 34_070);
    assert.equal(decode(429, content, { 'retry-after': '2' }).retryAfterMs, 2_000);
  });

  it('keep the words of the provider, but none about its key', () => {
    assert.equal(decode(400, status(400, 'temperature is wrong')).message, 'temperature is wrong');
    assert.ok(!decode(400, status(400, 'API key not valid: AIzaSyA-secret-secret')).message.includes('AIza'));
  });

  it('end a stream, and stand for a whole answer', () => {
    const overloaded = status(503, 'The model is overloaded.');
    const first = event({ candidates: [parts({ text: 'a' })] });
    for (const act of [
      () => stream(gemini, first + event(overloaded)),
      () => stream(gemini, first + event([overloaded])),
      () => whole(gemini, JSON.stringify(overloaded)),
    ]) {
      const error = failure(act);
      assert.deepEqual([error.failure, error.status, error.message], ['overloaded', 503, 'The model is overloaded.']);
    }
  });

  it('are unreadable bodies and events', () => {
    for (const act of [
      () => whole(gemini, 'nonsense'),
      () => whole(gemini, '1'),
      () => whole(gemini, '{}'),
      () => stream(gemini, 'data: {"candidates":[\n\n'),
      () => stream(gemini, 'data: null\n\n'),
    ]) {
      assert.equal(failure(act).code, 'invalid_provider_response');
    }
  });
});
