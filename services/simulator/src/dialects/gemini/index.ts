import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Steered } from '../../faults/steering.ts';
import { playEventStream } from '../../http/eventStream.ts';
import type { Exchange } from '../../http/exchange.ts';
import { sendJson } from '../../http/jsonReply.ts';
import { retryHeaders } from '../../http/retryHeaders.ts';
import { type Bill, billOfInput } from '../../recording/usageLog.ts';
import { measurePrompt } from '../../speech/answer.ts';
import { PrefixCache } from '../../text/prefixCache.ts';
import type { Dialect } from '../dialect.ts';
import { blockedResponse, type GeneratedAnswer, generateAnswer, type Identity } from './answer.ts';
import { embed, isEmbedMethod } from './embed.ts';
import type { EmbedMethod } from './embedFields.ts';
import { ApiError, badRequest, type Host, invalidKey, missingKey, streamError, wantedError } from './errors.ts';
import { isObject } from './proto.ts';
import { readGenerateRequest } from './request.ts';
import { eventOf, generateFrames } from './stream.ts';
import { wholeResponse } from './wholeAnswer.ts';

const methodPath = /^\/v1(?:beta)?\/models\/([^/]+):([A-Za-z]+)$/;

/** Google's Gemini API (AI Studio). */
export function geminiDialect(): Dialect {
  const api = new GeminiApi('studio');
  return {
    name: 'gemini',
    serves: (path) => methodPath.test(path) || path.startsWith('/v1beta/'),
    steered: (path, body) => {
      const [, segment, method] = methodPath.exec(path) ?? [];
      return steeredCall(body, decodedModel(segment), method);
    },
    answer: (exchange, json) =>
      api.refusing(exchange, async () => {
        authorize(exchange);
        await api.call(exchange, methodPath.exec(exchange.path)?.[2], json);
      }),
    reject: (exchange, message) => api.refuse(exchange, badRequest(message)),
  };
}

/** A model's name in a path, which some clients encode. Directives in it may be encoded themselves. */
export function decodedModel(segment = ''): string {
  if (/[+=]/.test(segment)) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** What of a generateContent body may hold directives. */
export function steeredContents(body: unknown, model: string): Steered {
  const texts: string[] = [];
  const gather = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(gather);
    else if (isObject(value)) {
      if (typeof value.text === 'string' && value.thought !== true) texts.push(value.text);
      gather(value.parts);
      const response = value.functionResponse ?? value.function_response;
      if (isObject(response) && isObject(response.response))
        texts.push(...Object.values(response.response).filter((item) => typeof item === 'string'));
    }
  };
  if (isObject(body)) {
    gather(body.systemInstruction ?? body.system_instruction);
    gather(body.contents);
  }
  return { model, texts };
}

/** What of a body for this method may hold directives. */
export function steeredCall(body: unknown, model: string, method: string | undefined): Steered {
  if (!isObject(body) || !/^(batch)?embed|^predict$/i.test(method ?? '')) return steeredContents(body, model);
  const { instances = [], requests = [body] } = body;
  const list: readonly unknown[] = [method === 'predict' ? instances : requests].flat();
  const contents = list.filter(isObject).map(({ content }) => content);
  const parts = contents.flatMap((content) => (isObject(content) ? [content.parts] : [])).flat();
  const texts = method === 'predict' ? contents : parts.map((part) => (isObject(part) ? part.text : part));
  return { model, texts: texts.filter((text) => typeof text === 'string'), items: list.length };
}

function authorize({ request }: Exchange): void {
  const header = request.headers['x-goog-api-key'];
  const key = header ?? queryOf(request.url).get('key') ?? undefined;
  if (key === undefined || key === '') throw missingKey('studio');
  if (key === 'sk-invalid') throw invalidKey('studio');
}

function queryOf(url = ''): URLSearchParams {
  return new URL(url, 'http://simulator').searchParams;
}

/** Answers for both hosts of Gemini. */
export class GeminiApi {
  readonly #host: Host;
  readonly #cache = new PrefixCache();

  constructor(host: Host) {
    this.#host = host;
  }

  /** `method` is what follows the colon of the path. */
  async call(exchange: Exchange, method: string | undefined, json: unknown): Promise<void> {
    const wanted = wantedError(exchange.directives, exchange.model, this.#host);
    if (wanted !== undefined) throw wanted;
    if (method === undefined || exchange.request.method !== 'POST')
      throw new ApiError(404, 'NOT_FOUND', `Requested entity was not found: ${exchange.path}`);
    if (json === undefined) throw badRequest('Invalid JSON payload received. Unexpected end of string.');
    if (method === 'generateContent') await this.#generate(exchange, json, 'json');
    else if (method === 'streamGenerateContent')
      await this.#generate(exchange, json, queryOf(exchange.request.url).get('alt') === 'sse' ? 'sse' : 'array');
    else if (method === 'countTokens') await this.#count(exchange, json);
    else if (isEmbedMethod(method, this.#host)) await this.#embed(exchange, json, method);
    else throw new ApiError(404, 'NOT_FOUND', `The model has no method ${method}.`);
  }

  async #generate(exchange: Exchange, json: unknown, form: 'json' | 'sse' | 'array'): Promise<void> {
    const { directives, model } = exchange;
    const read = readGenerateRequest(json, this.#host, model, directives.lenient === true);
    if (directives.prefill === 'reject' && read.request.contents?.at(-1)?.role === 'model')
      throw badRequest('Please ensure that multiturn requests end with a user turn or a function response.');
    const answer = generateAnswer(read, model, directives, this.#cache);
    const identity: Identity = {
      responseId: randomBytes(16).toString('base64url'),
      modelVersion: model,
      host: this.#host,
    };
    const blocked = directives.error === 'content_filter' ? blockedResponse(identity, answer, directives) : undefined;
    exchange.bill = billOf(answer, blocked !== undefined);
    if (form === 'sse') {
      await playEventStream(exchange, {
        headers: headersOf(exchange),
        frames:
          blocked === undefined
            ? generateFrames(identity, answer, directives)
            : [{ place: 'closing', text: eventOf(blocked, directives) }],
        errorFrame: () => eventOf(streamError(directives).body(), directives),
      });
      return;
    }
    const value = blocked ?? wholeResponse(identity, answer, directives);
    await sendJson(exchange, {
      status: directives.status ?? 200,
      headers: headersOf(exchange),
      value: form === 'array' ? [value] : value,
      tokens: answer.tokens,
    });
  }

  async #embed(exchange: Exchange, json: unknown, method: EmbedMethod): Promise<void> {
    const { directives, model } = exchange;
    if (directives.error === 'content_filter') throw badRequest('The input was blocked by the safety filters.');
    const { value, lists, tokens } = embed(json, { method, model, host: this.#host }, directives);
    exchange.bill = billOfInput(tokens);
    await sendJson(exchange, { status: directives.status ?? 200, headers: headersOf(exchange), value, lists });
  }

  async #count(exchange: Exchange, json: unknown): Promise<void> {
    const wrapped = isObject(json) ? json.generateContentRequest : undefined;
    const read = readGenerateRequest(wrapped ?? json, this.#host, exchange.model, exchange.directives.lenient === true);
    const { tokens } = measurePrompt(read.conversation, new PrefixCache());
    await sendJson(exchange, {
      status: 200,
      headers: headersOf(exchange),
      value: { totalTokens: tokens, promptTokensDetails: [{ modality: 'TEXT', tokenCount: tokens }] },
    });
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
    await sendJson(exchange, {
      status: error.code,
      headers: { ...headersOf(exchange), ...retryHeaders(exchange.directives) },
      value: error.body(),
      ...(body === undefined ? {} : { raw: body }),
    });
  }
}

function billOf({ prompt, cached, thoughts, candidates }: GeneratedAnswer, blocked: boolean): Bill {
  const said = candidates.flatMap(({ parts }) => parts).reduce((sum, { tokens }) => sum + tokens, 0);
  const shown = blocked ? 0 : said;
  return { prompt, cached, completion: blocked ? 0 : said + thoughts, shown, toTheEnd: true };
}

/** The headers that Google sends with every answer. */
function headersOf({ arrivedAt }: Exchange): OutgoingHttpHeaders {
  return {
    server: 'scaffolding on HTTPServer2',
    'server-timing': `gfet4t7; dur=${Math.round(performance.now() - arrivedAt)}`,
    'x-content-type-options': 'nosniff',
  };
}
