import type { Exchange } from '../../http/exchange.ts';
import { ApiError as AnthropicError, badRequest as anthropicBadRequest, wantedError } from '../anthropic/errors.ts';
import { MessagesApi, steeredMessages } from '../anthropic/index.ts';
import { isObject } from '../anthropic/shape.ts';
import type { Dialect } from '../dialect.ts';
import { ApiError as GoogleError, invalidKey, missingKey, wantedError as wantedGoogleError } from '../gemini/errors.ts';
import { decodedModel, GeminiApi, steeredCall } from '../gemini/index.ts';

const methodPath =
  /^\/v1(?:beta1)?\/projects\/[^/]+\/locations\/[^/]+\/publishers\/(google|anthropic)\/models\/([^/]+):([A-Za-z]+)$/;

/** Vertex AI: Gemini as Google serves it there, and Claude behind rawPredict. */
export function vertexDialect(): Dialect {
  const gemini = new GeminiApi('vertex');
  const claude = new MessagesApi('vrtx_');
  return {
    name: 'vertex',
    serves: (path) => /^\/v1(beta1)?\/projects\//.test(path),
    steered: (path, body) => {
      const [, publisher, segment, method] = methodPath.exec(path) ?? [];
      const model = decodedModel(segment);
      if (publisher !== 'anthropic') return steeredCall(body, model, method);
      // The token count's model stands in the body.
      return steeredMessages(body, model === 'count-tokens' && isObject(body) ? body.model : model);
    },
    answer: (exchange, json) =>
      gemini.refusing(exchange, async () => {
        authorize(exchange);
        const [, publisher, segment, method] = methodPath.exec(exchange.path) ?? [];
        if (publisher !== 'anthropic') return await gemini.call(exchange, method, json);
        const failure = googleFailure(exchange);
        if (failure !== undefined) throw failure;
        await claude.refusing(exchange, () => rawPredict(claude, exchange, segment, method, json));
      }),
    reject: (exchange, message) =>
      methodPath.exec(exchange.path)?.[1] === 'anthropic'
        ? claude.refuse(exchange, anthropicBadRequest(message))
        : gemini.refuse(exchange, new GoogleError(400, 'INVALID_ARGUMENT', message)),
  };
}

function authorize({ request }: Exchange): void {
  const token = /^Bearer\s+(\S+)/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw missingKey('vertex');
  if (token === 'sk-invalid') throw invalidKey('vertex');
}

/** What Google refuses before Claude gets to see it: rights, names and quotas. */
const googleStatuses = new Set([401, 403, 404, 429]);

function googleFailure({ directives, model }: Exchange): GoogleError | undefined {
  const wanted = wantedGoogleError(directives, model, 'vertex');
  return wanted !== undefined && googleStatuses.has(wanted.code) ? wanted : undefined;
}

async function rawPredict(
  claude: MessagesApi,
  exchange: Exchange,
  segment: string | undefined,
  method: string | undefined,
  json: unknown,
): Promise<void> {
  const wanted = wantedError(exchange.directives, exchange.model);
  if (wanted !== undefined) throw wanted;
  if (exchange.request.method !== 'POST' || (method !== 'rawPredict' && method !== 'streamRawPredict'))
    throw new AnthropicError(404, 'not_found_error', 'Not found');
  if (segment === 'count-tokens') await claude.count(exchange, json);
  else await claude.create(exchange, json, 'vertex');
}
