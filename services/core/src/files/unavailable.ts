import { GatewayError } from '../errors/index.ts';

const RETRY_SOON_MS = 1_000;

/** What Redis or the bucket threw, as an answer; the reason is for the log alone. */
export function unavailable(
  thrown: unknown,
  log: { warn(message: string, fields?: Readonly<Record<string, unknown>>): void },
): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  log.warn('files cannot be reached', { error: thrown });
  return new GatewayError('service_unavailable', 'The files cannot be reached at the moment.', {
    code: 'files_unavailable',
    retryAfterMs: RETRY_SOON_MS,
    cause: thrown,
  });
}
