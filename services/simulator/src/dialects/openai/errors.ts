import type { ErrorObject } from 'openai/resources/shared';
import type { Directives, ErrorKind } from '../../faults/directives.ts';

/** An error answer as OpenAI gives it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly param: string | null;

  constructor(
    status: number,
    message: string,
    options: { type?: string; code?: string | null; param?: string | null },
  ) {
    super(message);
    this.status = status;
    this.type = options.type ?? 'invalid_request_error';
    this.code = options.code ?? null;
    this.param = options.param ?? null;
  }

  body(): { error: ErrorObject } {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }
}

export function badRequest(message: string, param: string | null = null, code: string | null = null): ApiError {
  return new ApiError(400, message, { param, code });
}

const kinds: Readonly<Record<ErrorKind, (model: string) => ApiError>> = {
  context_length: () =>
    badRequest(
      "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages.",
      'messages',
      'context_length_exceeded',
    ),
  content_filter: () =>
    badRequest(
      'Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.',
      'prompt',
      'content_filter',
    ),
  invalid_key: () =>
    new ApiError(401, 'Incorrect API key provided: sk-inva*lid. You can find your API key in your account settings.', {
      code: 'invalid_api_key',
    }),
  forbidden: (model) =>
    new ApiError(403, `Project \`proj_simulator\` does not have access to model \`${model}\`.`, {
      code: 'model_not_found',
    }),
  model_not_found: (model) =>
    new ApiError(404, `The model \`${model}\` does not exist or you do not have access to it.`, {
      code: 'model_not_found',
    }),
  rate_limit: (model) =>
    new ApiError(
      429,
      `Rate limit reached for ${model} in organization org-simulator on tokens per min (TPM): Limit 200000, Used 199990, Requested 100. Please try again in 20ms.`,
      { type: 'tokens', code: 'rate_limit_exceeded' },
    ),
  quota: () =>
    new ApiError(429, 'You exceeded your current quota, please check your plan and billing details.', {
      type: 'insufficient_quota',
      code: 'insufficient_quota',
    }),
  server: () =>
    new ApiError(500, 'The server had an error while processing your request. Sorry about that!', {
      type: 'server_error',
    }),
  unavailable: () =>
    new ApiError(503, 'The server is temporarily unavailable. Please try again later.', {
      type: 'service_unavailable',
    }),
  overloaded: () =>
    new ApiError(529, 'That model is currently overloaded with other requests. Please try again later.', {
      type: 'server_error',
      code: 'overloaded',
    }),
};

const kindOfStatus = new Map<number, ErrorKind>([
  [401, 'invalid_key'],
  [403, 'forbidden'],
  [404, 'model_not_found'],
  [429, 'rate_limit'],
  [500, 'server'],
  [503, 'unavailable'],
  [529, 'overloaded'],
]);

/** The error that the directives ask for instead of an answer, if any. */
export function wantedError(directives: Directives, model: string): ApiError | undefined {
  const { status, error, message, type, code } = directives;
  const kind = error ?? (status !== undefined && status >= 400 ? kindOfStatus.get(status) : undefined);
  if (kind === undefined && (status === undefined || status < 400)) return undefined;
  const usual = kind === undefined ? unnamedError(status ?? 500) : kinds[kind](model);
  return new ApiError(status ?? usual.status, message ?? usual.message, {
    type: type ?? usual.type,
    code: code ?? usual.code,
    param: usual.param,
  });
}

function unnamedError(status: number): ApiError {
  return status < 500
    ? new ApiError(status, `The request was refused with status ${status}.`, {})
    : new ApiError(status, `The server failed with status ${status}.`, { type: 'server_error' });
}

/** The error to send inside a stream that had begun well. */
export function streamError(directives: Directives): ApiError {
  return new ApiError(
    500,
    directives.message ?? 'The server had an error while processing your request. Sorry about that!',
    {
      type: directives.type ?? 'server_error',
      code: directives.code ?? null,
    },
  );
}
