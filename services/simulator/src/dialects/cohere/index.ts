import { randomUUID } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Steered } from '../../faults/steering.ts';
import type { Exchange } from '../../http/exchange.ts';
import { sendJson } from '../../http/jsonReply.ts';
import { retryHeaders } from '../../http/retryHeaders.ts';
import { billOfInput } from '../../recording/usageLog.ts';
import type { Dialect } from '../dialect.ts';
import { embedAnswer } from './answer.ts';
import { ApiError, invalid, wantedError } from './errors.ts';
import { isObject, readEmbed } from './request.ts';

const embedPath = '/v2/embed';

/** Cohere's Embed API, version 2. */
export function cohereDialect(): Dialect {
  return {
    name: 'cohere',
    serves: (path) => path.startsWith('/v2/'),
    steered: (_path, body) => steeredEmbed(body),
    answer,
    reject: (exchange, message) => refuse(exchange, invalid(message)),
  };
}

/** What of an embed body may hold directives; Bedrock's Cohere models take the same. */
export function steeredEmbed(body: unknown): Steered {
  if (!isObject(body)) return { model: '', texts: [] };
  const texts = Array.isArray(body.texts) ? body.texts : [];
  const inputs = Array.isArray(body.inputs) ? body.inputs : [];
  const parts = inputs.flatMap((input: unknown) =>
    isObject(input) && Array.isArray(input.content) ? input.content : [],
  );
  return {
    model: typeof body.model === 'string' ? body.model : '',
    texts: [...texts, ...parts.map((part: unknown) => (isObject(part) ? part.text : part))].filter(
      (text) => typeof text === 'string',
    ),
    items: texts.length + inputs.length,
  };
}

async function answer(exchange: Exchange, json: unknown): Promise<void> {
  try {
    const { directives, model, request, path } = exchange;
    const wanted = wantedError(directives, model);
    if (wanted !== undefined) throw wanted;
    authorize(exchange);
    if (path !== embedPath) throw new ApiError(404, 'not found');
    if (request.method !== 'POST') throw new ApiError(405, 'method not allowed');
    const { value, lists, tokens } = embedAnswer(readEmbed(json, model, directives), directives);
    exchange.bill = billOfInput(tokens);
    await sendJson(exchange, { status: directives.status ?? 200, headers: headersOf(), value, lists });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    await refuse(exchange, error);
  }
}

function authorize({ request }: Exchange): void {
  const key = /^Bearer\s+(\S+)/i.exec(request.headers.authorization ?? '')?.[1];
  if (key === undefined) throw new ApiError(401, 'no api key supplied');
  if (key === 'sk-invalid') throw new ApiError(401, 'invalid api token');
}

async function refuse(exchange: Exchange, error: ApiError): Promise<void> {
  const { body } = exchange.directives;
  await sendJson(exchange, {
    status: error.status,
    headers: { ...headersOf(), ...retryHeaders(exchange.directives) },
    value: error.body(),
    compact: true,
    ...(body === undefined ? {} : { raw: body }),
  });
}

function headersOf(): OutgoingHttpHeaders {
  return { 'x-debug-trace-id': randomUUID(), 'x-endpoint-monthly-call-limit': '1000' };
}
