import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Steered } from '../../faults/steering.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { Dialect } from '../dialect.ts';
import { OpenaiApi } from './api.ts';
import { ApiError, badRequest, wantedError } from './errors.ts';
import { isObject } from './shape.ts';

const chatPath = '/v1/chat/completions';
const embeddingsPath = '/v1/embeddings';
const modelsPath = '/v1/models';

const methods: Readonly<Record<string, string>> = {
  [chatPath]: 'POST',
  [embeddingsPath]: 'POST',
  [modelsPath]: 'GET',
};

/** OpenAI's chat completions, embeddings and models. */
export function openaiDialect(): Dialect {
  const api = new OpenaiApi({ headersOf, completion: (value) => value, frames: (frames) => frames });
  return {
    name: 'openai',
    serves: (path) => path.startsWith('/v1/'),
    steered: (path, body) => steeredBody(body, path === embeddingsPath),
    answer: (exchange, json) => answer(exchange, json, api),
    reject: (exchange, message) => api.refuse(exchange, badRequest(message, null, 'simulator_directive')),
  };
}

/** What of the body of a chat request, or of one for embeddings, may hold directives. */
export function steeredBody(body: unknown, embeds: boolean): Steered {
  if (!isObject(body)) return { model: '', texts: [] };
  const model = typeof body.model === 'string' ? body.model : '';
  if (embeds) return { model, texts: texts(body.input), items: countInput(body.input) };
  const messages: readonly unknown[] = Array.isArray(body.messages) ? body.messages : [];
  return { model, texts: messages.flatMap((message) => (isObject(message) ? texts(message.content) : [])) };
}

/** The strings of a message's content or of an embedding's input. */
function texts(content: unknown): string[] {
  if (typeof content === 'string') return [content];
  if (!Array.isArray(content)) return [];
  return content.flatMap((part: unknown) => {
    if (typeof part === 'string') return [part];
    return isObject(part) && typeof part.text === 'string' ? [part.text] : [];
  });
}

/** A list of numbers is one list of token ids. */
function countInput(input: unknown): number {
  if (!Array.isArray(input)) return input === undefined ? 0 : 1;
  return input.length > 0 && input.every((item) => typeof item === 'number') ? 1 : input.length;
}

async function answer(exchange: Exchange, json: unknown, api: OpenaiApi): Promise<void> {
  try {
    const wanted = wantedError(exchange.directives, exchange.model);
    if (wanted !== undefined) throw wanted;
    authorize(exchange);
    route(exchange);
    if (exchange.path === chatPath) await api.chat(exchange, json);
    else if (exchange.path === embeddingsPath) await api.embeddings(exchange, json);
    else await api.models(exchange, exchange.path.slice(modelsPath.length + 1));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    await api.refuse(exchange, error);
  }
}

function authorize({ request }: Exchange): void {
  const key = /^Bearer\s+(\S+)/i.exec(request.headers.authorization ?? '')?.[1];
  if (key === undefined)
    throw new ApiError(
      401,
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
      {},
    );
  if (key === 'sk-invalid')
    throw new ApiError(
      401,
      'Incorrect API key provided: sk-inva*lid. You can find your API key in your account settings.',
      {
        code: 'invalid_api_key',
      },
    );
}

function route({ path, request }: Exchange): void {
  const method = methods[path] ?? (path.startsWith(`${modelsPath}/`) ? 'GET' : undefined);
  if (method === undefined) throw new ApiError(404, `Invalid URL (${request.method} ${path})`, { code: 'unknown_url' });
  if (method !== request.method)
    throw new ApiError(
      405,
      `Not allowed to ${request.method} on ${path}. (HINT: Perhaps you meant to make this request using a different HTTP method?)`,
      {
        code: 'method_not_supported',
      },
    );
}

/** The headers that OpenAI sends with every answer. */
function headersOf({ arrivedAt }: Exchange): OutgoingHttpHeaders {
  return {
    'x-request-id': `req_${randomBytes(16).toString('hex')}`,
    'openai-organization': 'org-simulator',
    'openai-processing-ms': String(Math.round(performance.now() - arrivedAt)),
    'openai-version': '2020-10-01',
    'x-ratelimit-limit-requests': '10000',
    'x-ratelimit-limit-tokens': '2000000',
    'x-ratelimit-remaining-requests': '9999',
    'x-ratelimit-remaining-tokens': '1999900',
    'x-ratelimit-reset-requests': '6ms',
    'x-ratelimit-reset-tokens': '3ms',
  };
}
