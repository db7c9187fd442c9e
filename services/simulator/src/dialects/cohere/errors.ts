import { randomUUID } from 'node:crypto';
import type { Directives, ErrorKind } from '../../faults/directives.ts';

/** An error answer as Cohere gives it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  body(): { id: string; message: string } {
    return { id: randomUUID(), message: this.message };
  }
}

export function invalid(message: string): ApiError {
  return new ApiError(400, `invalid request: ${message}`);
}

const kinds: Readonly<Record<ErrorKind, (model: string) => ApiError>> = {
  context_length: () =>
    invalid('texts[0] is too long: total number of tokens must be at most 128000 - received 130001'),
  content_filter: () => invalid('the request was blocked by our content policy'),
  invalid_key: () => new ApiError(401, 'invalid api token'),
  forbidden: () => new ApiError(403, 'your api key does not have access to this resource'),
  model_not_found: (model) =>
    new ApiError(
      404,
      `model '${model}' not found, make sure the correct model ID was used and that you have access to the model.`,
    ),
  rate_limit: () =>
    new ApiError(
      429,
      'Please wait and try again later. Your request rate exceeds the limit of 2000 API calls / minute',
    ),
  quota: () =>
    new ApiError(
      429,
      "You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'.",
    ),
  server: () => new ApiError(500, 'internal server error, this has been reported to our developers'),
  unavailable: () => new ApiError(503, 'service temporarily unavailable, please try again later'),
  overloaded: () => new ApiError(503, 'the model is overloaded, please try again later'),
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
    kind === undefined ? new ApiError(status ?? 500, `request ended with status ${status}`) : kinds[kind](model);
  return new ApiError(failing ? status : usual.status, message ?? usual.message);
}
