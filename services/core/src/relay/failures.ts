import { GatewayError } from '../errors/index.ts';

/** Failures that the relay itself finds, beside those that a provider or the network tells of. */

/** The request's own time is over: nothing more is tried. */
export const deadlineExceeded = (ms: number): GatewayError =>
  new GatewayError('upstream_timeout', `No complete answer within the request's time of ${ms} ms.`, {
    code: 'deadline_exceeded',
    shouldRetry: false,
  });

export const FIRST_TOKEN_TIMEOUT = 'first_token_timeout';

export const noFirstToken = (provider: string, ms: number): GatewayError =>
  new GatewayError('upstream_timeout', `The provider ${provider} said nothing within ${ms} ms.`, {
    failure: 'silent',
    code: FIRST_TOKEN_TIMEOUT,
  });

export const stalled = (provider: string, ms: number): GatewayError =>
  new GatewayError('upstream_timeout', `The stream of the provider ${provider} stalled for ${ms} ms.`, {
    failure: 'stream_broken',
    code: 'stream_stalled',
  });

export const brokenOff = (provider: string, how: string, cause?: unknown): GatewayError =>
  new GatewayError('upstream_error', `The stream of the provider ${provider} broke off: ${how}.`, {
    failure: 'stream_broken',
    code: 'stream_broken',
    cause,
  });

export const unreadable = (provider: string, why: string): GatewayError =>
  new GatewayError('response_error', `The answer of the provider ${provider} cannot be read: ${why}.`, {
    failure: 'stream_broken',
    code: 'invalid_provider_response',
  });

export const emptySuccess = (): GatewayError =>
  new GatewayError('upstream_error', 'The provider finished without an answer.', { failure: 'empty_success' });

export const unsupportedDialect = (provider: string, dialect: string): GatewayError =>
  new GatewayError(
    'no_provider_available',
    `The provider ${provider} speaks ${dialect}, which this release does not translate.`,
    { failure: 'auth', code: 'unsupported_dialect', shouldRetry: false },
  );

/** In place of what the dialect says of the gateway's own credentials: here the caller's were refused. */
export const refusedByok = (provider: string, refusal: GatewayError): GatewayError =>
  new GatewayError('upstream_error', `The provider ${provider} refused a credential of this request.`, {
    failure: 'auth',
    code: 'provider_auth_failed',
    param: 'providerOptions.gateway.byok',
    cause: refusal,
  });

/** A new answer does not repeat what the client has of the broken one; its endpoint is not to blame. */
export const REALIGNMENT_FAILED = 'realignment_failed';

export const partedAnswer = (how: string): GatewayError =>
  new GatewayError('upstream_error', `Another answer does not go on where the stream broke: ${how}.`, {
    failure: 'stream_broken',
    code: REALIGNMENT_FAILED,
  });

export const shorterAnswer = (): GatewayError => partedAnswer('it is shorter');
