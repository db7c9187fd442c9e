import { randomUUID } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Steered } from '../../faults/steering.ts';
import { playEventStream } from '../../http/eventStream.ts';
import type { Exchange } from '../../http/exchange.ts';
import { sendJson } from '../../http/jsonReply.ts';
import { retryHeaders } from '../../http/retryHeaders.ts';
import { type Bill, billOfInput } from '../../recording/usageLog.ts';
import type { Dialect } from '../dialect.ts';
import { answerConverse, type ConverseAnswer } from './answer.ts';
import { errorHeaders, modelRefused, ServiceException, unreadable, validation, wantedError } from './errors.ts';
import { invocationHeaders, invokeModel, steeredInvoke } from './invoke.ts';
import { PromptCache } from './promptCache.ts';
import { readConverse } from './request.ts';
import { converseResponse } from './response.ts';
import { isObject } from './shape.ts';
import { authorize } from './sigv4.ts';
import { converseFrames, exceptionFrame } from './stream.ts';

const eventStreamType = 'application/vnd.amazon.eventstream';
/** Bedrock's limit for the body of a request. */
const maxBytes = 25 * 1024 * 1024;

/** Amazon Bedrock's Converse and ConverseStream, and InvokeModel of embedding models. */
export function bedrockDialect(): Dialect {
  const cache = new PromptCache();
  return {
    name: 'bedrock',
    serves: (path) => path.startsWith('/model/'),
    steered,
    answer: (exchange, json) => answer(exchange, json, cache),
    reject: (exchange, message) => refuse(exchange, validation(message)),
  };
}

interface Operation {
  readonly model: string;
  readonly verb: 'converse' | 'converse-stream' | 'invoke';
}

const verbs = ['converse', 'converse-stream', 'invoke'] as const;

/** The model id is one segment of the path: what it holds of `:` and `/` is percent-encoded. */
function operationOf(path: string): Operation | undefined {
  const [, id = '', name] = /^\/model\/([^/]+)\/([a-z-]+)$/.exec(path) ?? [];
  const verb = verbs.find((candidate) => candidate === name);
  if (verb === undefined) return undefined;
  try {
    return { model: decodeURIComponent(id), verb };
  } catch {
    return undefined;
  }
}

function steered(path: string, body: unknown): Steered {
  const operation = operationOf(path);
  if (operation?.verb === 'invoke') return steeredInvoke(body, operation.model);
  const texts: string[] = [];
  const gather = (content: unknown): void => {
    if (!Array.isArray(content)) return;
    for (const block of content.filter(isObject)) {
      if (typeof block.text === 'string') texts.push(block.text);
      if (isObject(block.toolResult)) gather(block.toolResult.content);
    }
  };
  if (isObject(body)) {
    gather(body.system);
    if (Array.isArray(body.messages)) for (const message of body.messages.filter(isObject)) gather(message.content);
  }
  return { model: operation?.model ?? '', texts };
}

async function answer(exchange: Exchange, json: unknown, cache: PromptCache): Promise<void> {
  try {
    const wanted = wantedError(exchange.directives);
    if (wanted !== undefined) throw wanted;
    const { verb } = route(exchange);
    const { request, body } = exchange;
    authorize({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }, Date.now());
    if (verb === 'invoke') await invoke(exchange, json);
    else await converse(exchange, json, verb === 'converse-stream', cache);
  } catch (error) {
    if (!(error instanceof ServiceException)) throw error;
    await refuse(exchange, error);
  }
}

function route({ path, request, model, body }: Exchange): Operation {
  const operation = operationOf(path);
  if (operation === undefined || request.method !== 'POST')
    throw new ServiceException(404, 'UnknownOperationException', 'The requested operation is not recognized.');
  if (!/^(?:arn:aws(-[a-z]+)*:bedrock:[a-z0-9-]{1,20}:(?:\d{12})?:[a-z-]+\/[\w.:/-]+|[\w.:-]+)$/.test(model))
    throw validation('The provided model identifier is invalid.');
  if (body.length > maxBytes)
    throw new ServiceException(413, 'RequestEntityTooLargeException', 'The request body is too large.');
  return operation;
}

async function converse(exchange: Exchange, json: unknown, stream: boolean, cache: PromptCache): Promise<void> {
  const { directives, model } = exchange;
  if (json === undefined) throw unreadable('Unexpected end of JSON input');
  const call = readConverse(json, stream, model, directives.lenient === true);
  if (directives.prefill === 'reject' && call.body.messages.at(-1)?.role === 'assistant')
    throw modelRefused(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  const spoken = answerConverse(call, model, directives, cache);
  exchange.bill = billOf(spoken);
  const latencyMs = () => Math.round(performance.now() - exchange.arrivedAt);
  if (stream) {
    await playEventStream(exchange, {
      headers: { ...headersOf(), 'content-type': directives['content-type'] ?? eventStreamType },
      frames: converseFrames(spoken, latencyMs, directives),
      errorFrame: () => exceptionFrame(directives),
    });
    return;
  }
  await sendJson(exchange, {
    status: directives.status ?? 200,
    headers: headersOf(),
    value: converseResponse(spoken, latencyMs(), directives),
    compact: true,
    tokens: spoken.tokens,
  });
}

async function invoke(exchange: Exchange, json: unknown): Promise<void> {
  const { directives, model } = exchange;
  if (json === undefined) throw validation('Malformed input request, please reformat your input and try again.');
  const { value, lists, tokens } = invokeModel(json, model, directives);
  exchange.bill = billOfInput(tokens);
  const latencyMs = Math.round(performance.now() - exchange.arrivedAt);
  await sendJson(exchange, {
    status: directives.status ?? 200,
    headers: { ...headersOf(), ...(directives.nousage ? {} : invocationHeaders(tokens, latencyMs)) },
    value,
    lists,
  });
}

async function refuse(exchange: Exchange, error: ServiceException): Promise<void> {
  const { body } = exchange.directives;
  await sendJson(exchange, {
    status: error.status,
    headers: { ...headersOf(), ...errorHeaders(error), ...retryHeaders(exchange.directives) },
    value: error.body(),
    compact: true,
    ...(body === undefined ? {} : { raw: body }),
  });
}

function billOf({ usage, tokens }: ConverseAnswer): Bill {
  const {
    inputTokens = 0,
    outputTokens = 0,
    cacheReadInputTokens: read = 0,
    cacheWriteInputTokens: written = 0,
  } = usage;
  return {
    prompt: inputTokens + read + written,
    cached: read,
    completion: outputTokens,
    shown: tokens,
    toTheEnd: true,
  };
}

function headersOf(): OutgoingHttpHeaders {
  return { 'x-amzn-requestid': randomUUID() };
}
