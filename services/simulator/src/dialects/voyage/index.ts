import type { EmbedResponse, EmbedResponseDataItem } from 'voyageai';
import { quantised } from '../../embedding/quantised.ts';
import { base64Of, vectorOf } from '../../embedding/vectors.ts';
import type { SnakeCased } from '../../embedding/wire.ts';
import type { Directives } from '../../faults/directives.ts';
import type { Exchange } from '../../http/exchange.ts';
import { sendJson } from '../../http/jsonReply.ts';
import { retryHeaders } from '../../http/retryHeaders.ts';
import { billOfInput } from '../../recording/usageLog.ts';
import type { Dialect } from '../dialect.ts';
import { steeredBody } from '../openai/index.ts';
import { ApiError, badRequest, wantedError } from './errors.ts';
import { isObject, type ReadEmbeddings, readEmbeddings } from './request.ts';

/** At the path that is OpenAI's, too, the model's name tells whose request it is; below `/voyage/` everything is Voyage's. */
const sharedPath = '/v1/embeddings';
const ownPrefix = '/voyage/';

/** Voyage AI's embeddings. */
export function voyageDialect(): Dialect {
  return {
    name: 'voyage',
    serves: (path, body) =>
      path.startsWith(ownPrefix) ||
      (path === sharedPath && isObject(body) && typeof body.model === 'string' && body.model.startsWith('voyage-')),
    steered: (_path, body) => steeredBody(body, true),
    answer,
    reject: (exchange, message) => refuse(exchange, badRequest(message)),
  };
}

type Item = Omit<SnakeCased<EmbedResponseDataItem>, 'embedding'> & { embedding: number[] | string };

async function answer(exchange: Exchange, json: unknown): Promise<void> {
  try {
    const { directives, model, request, path } = exchange;
    const wanted = wantedError(directives, model);
    if (wanted !== undefined) throw wanted;
    authorize(exchange);
    if (path !== sharedPath && path !== `${ownPrefix}v1/embeddings`) throw new ApiError(404, 'Not Found');
    if (request.method !== 'POST') throw new ApiError(405, 'Method Not Allowed');
    const read = readEmbeddings(json, model, directives);
    exchange.bill = billOfInput(read.tokens);
    const value: SnakeCased<EmbedResponse> = {
      object: 'list',
      data: [],
      model,
      ...(directives.nousage ? {} : { usage: { total_tokens: read.tokens } }),
    };
    await sendJson(exchange, {
      status: directives.status ?? 200,
      value,
      lists: { data: dataOf(read, directives) },
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    await refuse(exchange, error);
  }
}

function* dataOf({ fitted, dimensions, type, base64 }: ReadEmbeddings, { empty }: Directives): Generator<Item> {
  for (const [index, { text }] of (empty ? [] : fitted).entries()) {
    const vector = vectorOf(text, dimensions);
    const numbers = type === 'float' ? vector : quantised(vector, type);
    yield { object: 'embedding', embedding: base64 ? base64Of(numbers) : Array.from(numbers), index };
  }
}

function authorize({ request }: Exchange): void {
  const key = /^Bearer\s+(\S+)/i.exec(request.headers.authorization ?? '')?.[1];
  if (key === undefined || key === 'sk-invalid') throw new ApiError(401, 'Provided API key is invalid.');
}

async function refuse(exchange: Exchange, error: ApiError): Promise<void> {
  const { body } = exchange.directives;
  await sendJson(exchange, {
    status: error.status,
    headers: retryHeaders(exchange.directives),
    value: error.body(),
    compact: true,
    ...(body === undefined ? {} : { raw: body }),
  });
}
