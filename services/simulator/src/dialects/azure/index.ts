import { randomUUID } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Exchange } from '../../http/exchange.ts';
import type { Dialect } from '../dialect.ts';
import { OpenaiApi } from '../openai/api.ts';
import { ApiError, badRequest } from '../openai/errors.ts';
import { steeredBody } from '../openai/index.ts';
import { isObject } from '../openai/shape.ts';
import { annotatedCompletion, annotatedFrames } from './contentFilter.ts';
import { AzureError, accessDenied, resourceNotFound, wantedError } from './errors.ts';

type Surface = 'deployment' | 'v1';

interface Operation {
  readonly surface: Surface;
  /** The deployment in the path; on the v1 surface the body names it. */
  readonly deployment: string | undefined;
  readonly name: 'chat/completions' | 'embeddings' | 'models';
  /** What follows `models/`. */
  readonly model: string;
}

/** Azure OpenAI: OpenAI's API behind deployments and dated versions, and behind `/openai/v1/`. */
export function azureDialect(): Dialect {
  const api = new OpenaiApi({ headersOf, completion: annotatedCompletion, frames: annotatedFrames });
  return {
    name: 'azure',
    serves: (path) => path.startsWith('/openai/'),
    steered: (path, body) => {
      const { name, deployment } = operationOf(path) ?? {};
      const steered = steeredBody(body, name === 'embeddings');
      return { ...steered, model: deployment ?? steered.model };
    },
    answer: (exchange, json) => answer(exchange, json, api),
    reject: (exchange, message) => api.refuse(exchange, badRequest(message, null, 'simulator_directive')),
  };
}

function operationOf(path: string): Operation | undefined {
  const deployed = /^\/openai\/deployments\/([^/]+)\/(chat\/completions|embeddings)$/.exec(path);
  const plain = /^\/openai\/v1\/(chat\/completions|embeddings|models)(?:\/(.+))?$/.exec(path);
  const name = (deployed?.[2] ?? plain?.[1]) as Operation['name'] | undefined;
  if (name === undefined || (plain?.[2] !== undefined && name !== 'models')) return undefined;
  return {
    surface: deployed === null ? 'v1' : 'deployment',
    deployment: deployed === null ? undefined : decoded(deployed[1] ?? ''),
    name,
    model: plain?.[2] ?? '',
  };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

async function answer(exchange: Exchange, json: unknown, api: OpenaiApi): Promise<void> {
  try {
    const wanted = wantedError(exchange.directives, exchange.model);
    if (wanted !== undefined) return await api.refuse(exchange, wanted);
    authorize(exchange);
    const { name, surface, model } = route(exchange);
    if (name === 'models') return await api.models(exchange, model);
    // The path says which deployment answers; what the body says of a model is ignored.
    const body = surface === 'deployment' && isObject(json) ? { ...json, model: exchange.model } : json;
    if (name === 'chat/completions') await api.chat(exchange, body);
    else await api.embeddings(exchange, body);
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof AzureError)) throw error;
    await api.refuse(exchange, error);
  }
}

/** A key of the resource in `api-key`, or a token of Microsoft Entra ID as bearer. */
function authorize({ request: { headers } }: Exchange): void {
  const key = headers['api-key'] ?? /^Bearer\s+(\S+)/i.exec(headers.authorization ?? '')?.[1];
  if (key === undefined || key === '' || key === 'sk-invalid') throw accessDenied();
}

function route({ path, request }: Exchange): Operation {
  const operation = operationOf(path);
  const version = new URL(request.url ?? '/', 'http://simulator').searchParams.get('api-version');
  const served =
    operation?.surface === 'deployment'
      ? /^\d{4}-\d{2}-\d{2}(-preview)?$/.test(version ?? '')
      : version === null || /^(v1|preview|latest|\d{4}-\d{2}-\d{2}(-preview)?)$/.test(version);
  if (operation === undefined || !served || request.method !== (operation.name === 'models' ? 'GET' : 'POST'))
    throw resourceNotFound();
  return operation;
}

/** The headers that Azure sends with every answer. */
function headersOf(): OutgoingHttpHeaders {
  return {
    'apim-request-id': randomUUID(),
    'x-request-id': randomUUID(),
    'x-ms-region': 'Simulator',
    'x-ratelimit-limit-requests': '100',
    'x-ratelimit-limit-tokens': '100000',
    'x-ratelimit-remaining-requests': '99',
    'x-ratelimit-remaining-tokens': '99998',
  };
}
