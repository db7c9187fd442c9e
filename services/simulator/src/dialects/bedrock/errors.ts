import type { OutgoingHttpHeaders } from 'node:http';
import type { Directives, ErrorKind } from '../../faults/directives.ts';

/** An exception as Amazon Bedrock answers with it: its name in a header, only its message in the body. */
export class ServiceException extends Error {
  override readonly name = 'ServiceException';
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }

  body(): { message: string } {
    return { message: this.message };
  }
}

export function validation(message: string): ServiceException {
  return new ServiceException(400, 'ValidationException', message);
}

/** What the model refuses, not the service. */
export function modelRefused(message: string): ServiceException {
  return validation(`The model returned the following errors: ${message}`);
}

/** The type of a JSON value is wrong. */
export function unreadable(message: string): ServiceException {
  return new ServiceException(400, 'SerializationException', message);
}

const kinds: Readonly<Record<ErrorKind, () => ServiceException>> = {
  context_length: () => validation('Input is too long for requested model.'),
  content_filter: () => modelRefused('Output blocked by content filtering policy'),
  invalid_key: () =>
    new ServiceException(403, 'UnrecognizedClientException', 'The security token included in the request is invalid.'),
  forbidden: () =>
    new ServiceException(
      403,
      'AccessDeniedException',
      "You don't have access to the model with the specified model ID.",
    ),
  model_not_found: () =>
    new ServiceException(
      404,
      'ResourceNotFoundException',
      'Could not resolve the foundation model from the provided model identifier.',
    ),
  rate_limit: () =>
    new ServiceException(429, 'ThrottlingException', 'Too many requests, please wait before trying again.'),
  quota: () =>
    new ServiceException(429, 'ThrottlingException', 'Too many tokens per day, please wait before trying again.'),
  server: () =>
    new ServiceException(
      500,
      'InternalServerException',
      'The system encountered an unexpected error during processing. Try your request again.',
    ),
  unavailable: () =>
    new ServiceException(503, 'ServiceUnavailableException', 'Bedrock is unable to process your request.'),
  overloaded: () =>
    new ServiceException(503, 'ServiceUnavailableException', 'Too many connections, please wait before trying again.'),
};

const ofStatus = new Map<number, () => ServiceException>([
  [403, kinds.forbidden],
  [404, kinds.model_not_found],
  [408, () => new ServiceException(408, 'ModelTimeoutException', 'The model has timed out in processing the request.')],
  [
    424,
    () =>
      new ServiceException(
        424,
        'ModelErrorException',
        'The system encountered an unexpected error during processing. Try your request again.',
      ),
  ],
  [429, kinds.rate_limit],
  [500, kinds.server],
  [503, kinds.unavailable],
]);

/** The error that the directives ask for instead of an answer, if any. `type` is the exception's name. */
export function wantedError({ status, error, message, type }: Directives): ServiceException | undefined {
  const failing = status !== undefined && status >= 400;
  if (error === undefined && !failing) return undefined;
  const usual = (error === undefined ? ofStatus.get(status ?? 500) : kinds[error])?.() ?? unnamed(status ?? 500);
  return new ServiceException(failing ? status : usual.status, type ?? usual.type, message ?? usual.message);
}

function unnamed(status: number): ServiceException {
  return status < 500
    ? new ServiceException(status, 'ValidationException', `The request was refused with status ${status}.`)
    : new ServiceException(status, 'InternalServerException', `The service failed with status ${status}.`);
}

/** The name may have a namespace behind a colon, which readers have to cut off. */
export function errorHeaders({ type }: ServiceException): OutgoingHttpHeaders {
  return { 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` };
}
