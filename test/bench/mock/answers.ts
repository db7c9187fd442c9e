/** The bytes the mock sends: OpenAI chat completions, embeddings, models and errors, wrapped in HTTP/1.1. */

const CREATED = 1_700_000_000;
const ID = 'chatcmpl-AbCdEfGhIjKlMnOp';
const SENTENCE = 'The quick brown fox jumps over the lazy dog. ';
const PROMPT_TOKENS = 20;

const CHUNK_BEFORE = `data: {"id":"${ID}","object":"chat.completion.chunk","created":${CREATED},"model":"mock","choices":[{"index":0,"delta":{"content":" t`;
const CHUNK_AFTER = '"},"logprobs":null,"finish_reason":null}]}\n\n';

export const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n' +
  'transfer-encoding: chunked\r\nx-request-id: req_mock\r\n\r\n';

/**
 * One SSE event in its own HTTP chunk. Its delta is ` t<CLOCK_MONOTONIC in microseconds>`: that clock is one for all
 * processes of a host, so the load generator can tell how long each chunk was on its way.
 */
export function streamChunk(): string {
  const now = process.hrtime();
  return httpChunk(`${CHUNK_BEFORE}${now[0] * 1e6 + Math.trunc(now[1] / 1000)}${CHUNK_AFTER}`);
}

/** The finish chunk, the usage chunk, `[DONE]` and the end of the HTTP body. */
export function streamEnd(chunks: number): string {
  const head = `data: {"id":"${ID}","object":"chat.completion.chunk","created":${CREATED},"model":"mock","choices":`;
  const usage = `{"prompt_tokens":${PROMPT_TOKENS},"completion_tokens":${chunks},"total_tokens":${PROMPT_TOKENS + chunks}}`;
  const finish = `${head}[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}\n\n`;
  return `${httpChunk(`${finish}${head}[],"usage":${usage}}\n\ndata: [DONE]\n\n`)}0\r\n\r\n`;
}

const completions = new Map<number, Buffer>();

/** A whole chat completion whose text is `textBytes` long; built once per size. */
export function completion(textBytes: number): Buffer {
  const known = completions.get(textBytes);
  if (known !== undefined) return known;
  const content = SENTENCE.repeat(Math.ceil(textBytes / SENTENCE.length)).slice(0, textBytes);
  const made = json(200, {
    id: ID,
    object: 'chat.completion',
    created: CREATED,
    model: 'mock',
    choices: [
      { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' },
    ],
    usage: {
      prompt_tokens: PROMPT_TOKENS,
      completion_tokens: 30,
      total_tokens: PROMPT_TOKENS + 30,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
    },
    system_fingerprint: 'fp_mock',
  });
  completions.set(textBytes, made);
  return made;
}

export const EMBEDDING = json(200, {
  object: 'list',
  data: [{ object: 'embedding', index: 0, embedding: Array.from({ length: 64 }, (_, i) => i / 64) }],
  model: 'mock',
  usage: { prompt_tokens: 8, total_tokens: 8 },
});

export const MODELS = json(200, {
  object: 'list',
  data: [{ id: 'mock', object: 'model', created: CREATED, owned_by: 'mock' }],
});

/** An error as OpenAI shapes it; 429 carries `retry-after: 1`. */
export function failure(status: number): Buffer {
  const type = status === 429 ? 'rate_limit_error' : 'server_error';
  const error = { message: `mock error ${status}`, type, param: null, code: null };
  return json(status, { error }, status === 429 ? 'retry-after: 1\r\n' : '');
}

/** A JSON answer with its content length. */
export function json(status: number, value: unknown, headers = ''): Buffer {
  const body = Buffer.from(JSON.stringify(value));
  const head =
    `HTTP/1.1 ${status} ${status === 200 ? 'OK' : 'Mock'}\r\ncontent-type: application/json\r\n` +
    `content-length: ${body.length}\r\nx-request-id: req_mock\r\n${headers}\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

const httpChunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
