import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Steered } from '../../faults/steering.ts';
import { playEventStream } from '../../http/eventStream.ts';
import type { Exchange } from '../../http/exchange.ts';
import { sendJson } from '../../http/jsonReply.ts';
import { retryHeaders } from '../../http/retryHeaders.ts';
import type { Bill } from '../../recording/usageLog.ts';
import { measurePrompt } from '../../speech/answer.ts';
import { PrefixCache } from '../../text/prefixCache.ts';
import type { Dialect } from '../dialect.ts';
import { answerMessage, type MessageAnswer } from './answer.ts';
import { ApiError, badRequest, errorFrame, errorHeaders, newRequestId, wantedError } from './errors.ts';
import type { requestFields } from './fields.ts';
import { messageOf } from './message.ts';
import { PromptCache } from './promptCache.ts';
import { readMessagesRequest } from './request.ts';
import { isObject } from './shape.ts';
import { messageFrames } from './stream.ts';

const messagesPath = '/v1/messages';
const countPath = '/v1/messages/count_tokens';
/** Anthropic's limit for the Messages API. */
const maxBytes = 32 * 1024 * 1024;

/** Anthropic's Messages API. */
export function anthropicDialect(): Dialect {
  const messages = new MessagesApi();
  return {
    name: 'anthropic',
    serves: (path) => path === messagesPath || path.startsWith(`${messagesPath}/`),
    steered: (_path, body) => steeredMessages(body, isObject(body) ? body.model : undefined),
    answer: (exchange, json) =>
      messages.refusing(exchange, async () => {
        const wanted = wantedError(exchange.directives, exchange.model);
        if (wanted !== undefined) throw wanted;
        route(exchange);
        authorize(exchange);
        const version = versionOf(exchange);
        if (exchange.path === countPath) await messages.count(exchange, json);
        else await messages.create(exchange, json, version);
      }),
    reject: (exchange, message) => messages.refuse(exchange, badRequest(message)),
  };
}

/** What of a Messages body may hold directives. */
export function steeredMessages(body: unknown, model: unknown): Steered {
  const found: string[] = [];
  const gather = (content: unknown): void => {
    if (typeof content === 'string') found.push(content);
    else if (Array.isArray(content)) content.forEach(gather);
    else if (isObject(content)) {
      gather(content.text ?? content.content);
    }
  };
  if (isObject(body)) {
    gather(body.system);
    gather(body.messages);
  }
  return { model: typeof model === 'string' ? model : '', texts: found };
}

function route({ path, request }: Exchange): void {
  if (path !== messagesPath && path !== countPath) throw new ApiError(404, 'not_found_error', 'Not found');
  if (request.method !== 'POST') throw new ApiError(405, 'invalid_request_error', 'Method Not Allowed');
}

function authorize({ request, body }: Exchange): void {
  const { headers } = request;
  const key = headers['x-api-key'] ?? /^Bearer\s+(\S+)/i.exec(headers.authorization ?? '')?.[1];
  if (key === undefined) throw new ApiError(401, 'authentication_error', 'x-api-key header is required');
  if (key === 'sk-invalid') throw new ApiError(401, 'authentication_error', 'invalid x-api-key');
  if (body.length > maxBytes) throw new ApiError(413, 'request_too_large', 'Request exceeds the maximum size');
}

function versionOf({ request }: Exchange): '2023-06-01' | '2026-10-21' {
  const version = request.headers['anthropic-version'];
  if (version === undefined) throw badRequest('anthropic-version: header is required');
  if (version !== '2023-06-01' && version !== '2026-10-21')
    throw badRequest(`anthropic-version: "${String(version)}" is not a valid version`);
  return version;
}

/** Answers for every host of Claude: its own API and Vertex. */
export class MessagesApi {
  readonly #counter = new PrefixCache();
  readonly #cache = new PromptCache();
  readonly #prefix: string;

  /** Distinguishes the ids of hosts, such as `vrtx_`. */
  constructor(prefix = '') {
    this.#prefix = prefix;
  }

  async create(exchange: Exchange, json: unknown, kind: keyof typeof requestFields): Promise<void> {
    const { directives, model } = exchange;
    const request = readMessagesRequest(parsed(json), kind, model, directives.lenient === true);
    if (directives.prefill === 'reject' && request.params.messages.at(-1)?.role === 'assistant')
      throw badRequest(
        'This model does not support assistant message prefill. The conversation must end with a user message.',
      );
    const answer = answerMessage(request, model, directives, this.#counter, this.#cache);
    exchange.bill = billOf(answer, kind === 'vertex');
    const id = `msg_${this.#prefix}01${randomBytes(11).toString('hex')}`;
    const headers = headersOf(newRequestId(`req_${this.#prefix}`));
    if (request.params.stream) {
      await playEventStream(exchange, {
        headers,
        frames: messageFrames(id, model, answer, directives),
        errorFrame: () => errorFrame(directives),
      });
      return;
    }
    await sendJson(exchange, {
      status: directives.status ?? 200,
      headers,
      value: messageOf(id, model, answer, directives),
      compact: true,
      tokens: answer.tokens,
    });
  }

  async count(exchange: Exchange, json: unknown): Promise<void> {
    const { conversation } = readMessagesRequest(
      parsed(json),
      'count_tokens',
      exchange.model,
      exchange.directives.lenient === true,
    );
    const { tokens } = measurePrompt(conversation, new PrefixCache());
    await sendJson(exchange, { status: 200, headers: headersOf(newRequestId()), value: { input_tokens: tokens } });
  }

  /** Runs `answer` and refuses what it throws. */
  async refusing(exchange: Exchange, answer: () => Promise<void>): Promise<void> {
    try {
      await answer();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await this.refuse(exchange, error);
    }
  }

  async refuse(exchange: Exchange, error: ApiError): Promise<void> {
    const { body } = exchange.directives;
    const requestId = newRequestId(`req_${this.#prefix}`);
    await sendJson(exchange, {
      status: error.status,
      headers: { ...headersOf(requestId), ...errorHeaders(error), ...retryHeaders(exchange.directives) },
      value: error.body(requestId),
      compact: true,
      ...(body === undefined ? {} : { raw: body }),
    });
  }
}

function billOf({ usage, tokens }: MessageAnswer, toTheEnd: boolean): Bill {
  const { cache_read_input_tokens: read, cache_creation_input_tokens: written } = usage;
  return {
    prompt: usage.input_tokens + (read ?? 0) + (written ?? 0),
    cached: read ?? 0,
    completion: usage.output_tokens,
    shown: tokens,
    toTheEnd,
  };
}

function parsed(json: unknown): unknown {
  if (json === undefined) throw badRequest('The request body is not valid JSON: expected value at line 1 column 1');
  return json;
}

/** The headers that Anthropic sends with every answer. */
function headersOf(requestId: string): OutgoingHttpHeaders {
  const reset = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000).toISOString().replace('.000Z', 'Z');
  const limits = { requests: 4000, tokens: 480_000, 'input-tokens': 400_000, 'output-tokens': 80_000 };
  const rates = Object.entries(limits).flatMap(([name, limit]) => [
    [`anthropic-ratelimit-${name}-limit`, String(limit)],
    [`anthropic-ratelimit-${name}-remaining`, String(limit - 1)],
    [`anthropic-ratelimit-${name}-reset`, reset],
  ]);
  return {
    'request-id': requestId,
    'anthropic-organization-id': '00000000-0000-4000-8000-000000000000',
    ...Object.fromEntries(rates),
  };
}
