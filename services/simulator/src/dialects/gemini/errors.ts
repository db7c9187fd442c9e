import type { Directives, ErrorKind } from '../../faults/directives.ts';

/** An error answer as Google's APIs give it (google.rpc.Status as JSON). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;
  readonly status: string;
  readonly details: readonly object[];

  constructor(code: number, status: string, message: string, details: readonly object[] = []) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
  }

  body(): { error: { code: number; message: string; status: string; details?: readonly object[] } } {
    const { code, message, status, details } = this;
    return { error: { code, message, status, ...(details.length > 0 ? { details } : {}) } };
  }
}

export function badRequest(message: string, details: readonly object[] = []): ApiError {
  return new ApiError(400, 'INVALID_ARGUMENT', message, details);
}

/** Where the model is served: Google AI Studio (the Gemini API) or Vertex AI. Some errors differ. */
export type Host = 'studio' | 'vertex';

const typeUrl = (name: string) => `type.googleapis.com/google.rpc.${name}`;

/** One bad field, as google.rpc.BadRequest lists it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** What the JSON parser did not understand, all at once. */
export function invalidFields(violations: readonly FieldViolation[]): ApiError {
  return badRequest(violations.map(({ description }) => description).join('\n'), [
    {
      '@type': typeUrl('BadRequest'),
      fieldViolations: violations.map(({ field, description }) =>
        field === '' ? { description } : { field, description },
      ),
    },
  ]);
}

/** What the service itself checks, such as `contents[0].parts: must not be empty`. */
export function invalidRequest(problems: readonly string[]): ApiError {
  return badRequest(problems.map((problem) => `* GenerateContentRequest.${problem}\n`).join(''));
}

export function invalidKey(host: Host): ApiError {
  if (host === 'vertex')
    return new ApiError(
      401,
      'UNAUTHENTICATED',
      'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.',
      [{ '@type': typeUrl('ErrorInfo'), reason: 'ACCESS_TOKEN_TYPE_UNSUPPORTED', domain: 'googleapis.com' }],
    );
  return badRequest('API key not valid. Please pass a valid API key.', [
    {
      '@type': typeUrl('ErrorInfo'),
      reason: 'API_KEY_INVALID',
      domain: 'googleapis.com',
      metadata: { service: 'generativelanguage.googleapis.com' },
    },
  ]);
}

export function missingKey(host: Host): ApiError {
  if (host === 'vertex')
    return new ApiError(
      401,
      'UNAUTHENTICATED',
      'Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.',
    );
  return new ApiError(
    403,
    'PERMISSION_DENIED',
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
  );
}

export function modelNotFound(model: string, host: Host): ApiError {
  const message =
    host === 'vertex'
      ? `Publisher Model \`${model}\` was not found or your project does not have access to it. Please ensure you are using a valid model version. For more information, see: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions`
      : `models/${model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.`;
  return new ApiError(404, 'NOT_FOUND', message);
}

const quotaFailure = {
  '@type': typeUrl('QuotaFailure'),
  violations: [
    {
      quotaMetric: 'generativelanguage.googleapis.com/generate_content_free_tier_requests',
      quotaId: 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier',
    },
  ],
};

type Make = (model: string, host: Host) => ApiError;

/** `content_filter` is no error here, but an answer with a block reason. */
const kinds: Readonly<Record<Exclude<ErrorKind, 'content_filter'>, Make>> = {
  context_length: () =>
    badRequest('The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).'),
  invalid_key: (_model, host) => invalidKey(host),
  forbidden: () => new ApiError(403, 'PERMISSION_DENIED', 'The caller does not have permission'),
  model_not_found: modelNotFound,
  rate_limit: (_model, host) =>
    new ApiError(
      429,
      'RESOURCE_EXHAUSTED',
      host === 'vertex'
        ? 'Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.'
        : 'Resource has been exhausted (e.g. check quota).',
    ),
  quota: () =>
    new ApiError(
      429,
      'RESOURCE_EXHAUSTED',
      'You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.',
      [quotaFailure],
    ),
  server: () =>
    new ApiError(
      500,
      'INTERNAL',
      'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
    ),
  unavailable: () => overloaded(),
  overloaded: () => overloaded(),
};

function overloaded(): ApiError {
  return new ApiError(503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.');
}

const ofCode = new Map<number, Make>([
  [401, (_model) => invalidKey('vertex')],
  [403, kinds.forbidden],
  [404, kinds.model_not_found],
  [429, kinds.rate_limit],
  [500, kinds.server],
  [503, kinds.unavailable],
]);

/** google.rpc.Code by HTTP status. */
const statuses: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  409: 'ABORTED',
  499: 'CANCELLED',
  501: 'UNIMPLEMENTED',
  504: 'DEADLINE_EXCEEDED',
};

/** The error that the directives ask for instead of an answer, if any. */
export function wantedError(directives: Directives, model: string, host: Host): ApiError | undefined {
  const { status, error, message, type } = directives;
  const failing = status !== undefined && status >= 400;
  if (!failing && (error === undefined || error === 'content_filter')) return undefined;
  const usual =
    error === undefined || error === 'content_filter'
      ? (ofCode.get(status ?? 400)?.(model, host) ?? unnamed(status ?? 400))
      : kinds[error](model, host);
  const delay = retryDelay(directives);
  const details = delay === undefined ? [] : [{ '@type': typeUrl('RetryInfo'), retryDelay: delay }];
  return new ApiError(failing ? status : usual.code, type ?? usual.status, message ?? usual.message, [
    ...usual.details,
    ...details,
  ]);
}

function unnamed(code: number): ApiError {
  const status = statuses[code] ?? (code < 500 ? 'FAILED_PRECONDITION' : 'INTERNAL');
  return new ApiError(code, status, `The request ended with status ${code}.`);
}

/** Google says how long to wait in the body. */
function retryDelay(directives: Directives): string | undefined {
  const { 'retry-after': seconds, 'retry-after-ms': ms, 'retry-after-date': ahead } = directives;
  if (ms !== undefined) return `${ms / 1000}s`;
  if (seconds !== undefined && /^\d+(\.\d+)?$/.test(seconds)) return `${seconds}s`;
  return ahead === undefined ? undefined : `${ahead}s`;
}

/** The error to send inside a stream that had begun well. */
export function streamError({ type, message }: Directives): ApiError {
  return new ApiError(503, type ?? 'UNAVAILABLE', message ?? 'The model is overloaded. Please try again later.');
}
