import type { Directives, ErrorKind } from '../../faults/directives.ts';

/** An error answer as Voyage AI gives it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  body(): { detail: string } {
    return { detail: this.message };
  }
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, message);
}

const kinds: Readonly<Record<ErrorKind, (model: string) => ApiError>> = {
  context_length: (model) =>
    badRequest(
      `Request to model '${model}' failed. The max allowed tokens per submitted batch is 120000. Your batch has 121138 tokens after truncation. Please lower the number of tokens in the batch.`,
    ),
  content_filter: () => badRequest('The request was refused by our usage policy.'),
  invalid_key: () => new ApiError(401, 'Provided API key is invalid.'),
  forbidden: () => new ApiError(403, 'Your IP address or API key is not allowed to make this request.'),
  model_not_found: (model) => badRequest(`Model ${model} is not supported. Supported models are ['voyage-3.5'].`),
  rate_limit: () =>
    new ApiError(429, 'Your request was rate limited: too many requests or tokens per minute. Please slow down.'),
  quota: () =>
    new ApiError(
      429,
      'You have not yet added your payment method in the billing page and will have reduced rate limits of 3 RPM and 10K TPM.',
    ),
  server: () => new ApiError(500, 'Internal server error.'),
  unavailable: () => new ApiError(503, 'The service is temporarily unavailable.'),
  overloaded: () => new ApiError(503, 'The servers are overloaded at the moment.'),
};

const kindOfStatus = new Map<number, ErrorKind>([
  [401, 'invalid_key'],
  [403, 'forbidden'],
  [404, 'model_not_found'],
  [429, 'rate_limit'],
  [500, 'server'],
  [503, 'unavailable'],
]);

/** The error that the directives ask for instead of an answer, if any. */
export function wantedError({ status, error, message }: Directives, model: string): ApiError | undefined {
  const failing = status !== undefined && status >= 400;
  if (error === undefined && !failing) return undefined;
  const kind = error ?? kindOfStatus.get(status ?? 500);
  const usual =
    kind === undefined ? new ApiError(status ?? 500, `The request ended with status ${status}.`) : kinds[kind](model);
  return new ApiError(failing ? status : usual.status, message ?? usual.message);
}
