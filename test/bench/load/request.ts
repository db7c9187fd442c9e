/** Where a phase sends its load: always a server on this machine. */
export interface Endpoint {
  readonly port: number;
  readonly model: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Root of the server's process tree; absent when it is not measured. */
  readonly pid?: number;
  /** The core that carries the load and the mock. */
  readonly loadCore: number;
}

export interface ChatOptions {
  readonly stream?: boolean;
  /** The directive for the mock, without brackets: `n=50 i=0`. */
  readonly mock?: string;
  /** About how large the body is to be. */
  readonly bytes?: number;
}

export const CHAT_PATH = '/v1/chat/completions';

const SMALL_BODY_BYTES = 300;
const TEXT = 'Tell me a story about a fox and a dog, please make it interesting and long. ';

/** The JSON body of a chat request; about 370 bytes unless more are asked for. */
export function chatBody(endpoint: Endpoint, { stream = false, mock, bytes = 0 }: ChatOptions): string {
  const directive = mock === undefined ? '' : `[[mock ${mock}]]`;
  const padding = 'x'.repeat(Math.max(0, bytes - SMALL_BODY_BYTES));
  return JSON.stringify({
    model: endpoint.model,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    messages: [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: `${TEXT}${directive}${padding}` },
    ],
    temperature: 0.7,
    max_tokens: 200,
  });
}

/** The whole HTTP request for `Connection.send`. */
export function chatRequest(endpoint: Endpoint, options: ChatOptions): Buffer {
  const body = Buffer.from(chatBody(endpoint, options));
  const headers = {
    host: `127.0.0.1:${endpoint.port}`,
    accept: options.stream === true ? 'text/event-stream' : 'application/json',
    'content-length': String(body.length),
    ...requestHeaders(endpoint),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${CHAT_PATH} HTTP/1.1\r\n${lines.join('')}\r\n`), body]);
}

/** The headers that every load generator sends, wrk included. */
export function requestHeaders(endpoint: Endpoint): Record<string, string> {
  return {
    'content-type': 'application/json',
    ...(endpoint.key === undefined ? {} : { authorization: `Bearer ${endpoint.key}` }),
    ...endpoint.headers,
  };
}
