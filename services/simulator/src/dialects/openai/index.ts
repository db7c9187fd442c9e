import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Steered } from '../../faults/steering.ts';
import { playEventStream } from '../../http/eventStream.ts';
import type { Exchange } from '../../http/exchange.ts';
import { sendJson } from '../../http/jsonReply.ts';
import { retryHeaders } from '../../http/retryHeaders.ts';
import { PrefixCache } from '../../text/prefixCache.ts';
import type { Dialect } from '../dialect.ts';
import { composeAnswer, visibleTokens } from './chatAnswer.ts';
import { type ChatIdentity, chatCompletion } from './chatJson.ts';
import { readChatRequest } from './chatRequest.ts';
import { chatFrames } from './chatStream.ts';
import { embed } from './embeddings.ts';
import { ApiError, badRequest, streamError, wantedError } from './errors.ts';
import { describeModel, listModels } from './models.ts';
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
  const cache = new PrefixCache();
  return {
    name: 'openai',
    serves: (path) => path.startsWith('/v1/'),
    steered,
    answer: (exchange, json) => answer(exchange, json, cache),
    reject: (exchange, message) => sendError(exchange, badRequest(message, null, 'simulator_directive')),
  };
}

function steered(path: string, body: unknown): Steered {
  if (!isObject(body)) return { model: '', texts: [] };
  const model = typeof body.model === 'string' ? body.model : '';
  if (path === embeddingsPath) return { model, texts: texts(body.input) };
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

async function answer(exchange: Exchange, json: unknown, cache: PrefixCache): Promise<void> {
  try {
    const wanted = wantedError(exchange.directives, exchange.model);
    if (wanted !== undefined) throw wanted;
    authorize(exchange);
    route(exchange);
    if (exchange.path === chatPath) await answerChat(exchange, json, cache);
    else if (exchange.path === embeddingsPath) await answerEmbeddings(exchange, json);
    else await answerModels(exchange);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    await sendError(exchange, error);
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

function parsed(json: unknown): unknown {
  if (json === undefined)
    throw badRequest(
      "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload.)",
    );
  return json;
}

async function answerChat(exchange: Exchange, json: unknown, cache: PrefixCache): Promise<void> {
  const { directives } = exchange;
  const request = readChatRequest(parsed(json), exchange.model, directives.lenient === true);
  if (directives.prefill === 'reject' && request.turns.at(-1)?.role === 'assistant')
    throw badRequest(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
      'messages',
    );
  const composed = composeAnswer(request, directives, cache);
  const identity: ChatIdentity = {
    id: `chatcmpl-${randomBytes(15).toString('hex')}`,
    created: Math.floor(Date.now() / 1000),
    model: exchange.model,
  };
  if (request.params.stream) {
    await playEventStream(exchange, {
      headers: headersOf(exchange),
      frames: chatFrames(identity, request, composed, directives),
      errorFrame: () => `data: ${JSON.stringify(streamError(directives).body())}\n\n`,
    });
    return;
  }
  await sendJson(exchange, {
    status: directives.status ?? 200,
    headers: headersOf(exchange),
    value: chatCompletion(identity, request, composed, directives),
    tokens: composed.choices.reduce((sum, choice) => sum + visibleTokens(choice), 0),
  });
}

async function answerEmbeddings(exchange: Exchange, json: unknown): Promise<void> {
  const value = embed(parsed(json), exchange.model, exchange.directives.lenient === true);
  await sendJson(exchange, {
    status: exchange.directives.status ?? 200,
    headers: headersOf(exchange),
    value,
    compact: true,
  });
}

async function answerModels(exchange: Exchange): Promise<void> {
  const name = exchange.path.slice(modelsPath.length + 1);
  const value = name === '' ? listModels() : describeModel(decodeURIComponent(name));
  await sendJson(exchange, { status: 200, headers: headersOf(exchange), value });
}

async function sendError(exchange: Exchange, error: ApiError): Promise<void> {
  const { body } = exchange.directives;
  await sendJson(exchange, {
    status: error.status,
    headers: { ...headersOf(exchange), ...retryHeaders(exchange.directives) },
    value: error.body(),
    ...(body === undefined ? {} : { raw: body }),
  });
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
