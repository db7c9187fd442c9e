import { GatewayError } from '../errors/index.ts';

export type AuthenticationFailure = 'missing' | 'malformed' | 'unknown' | 'expired' | 'disabled';

const ANSWERS: Readonly<Record<AuthenticationFailure, { readonly code: string; readonly message: string }>> = {
  missing: {
    code: 'missing_api_key',
    message: 'No API key was sent. Send it as a header: Authorization: Bearer YOUR_API_KEY.',
  },
  malformed: {
    code: 'invalid_api_key',
    message: 'The Authorization header cannot be read. Expected: Authorization: Bearer YOUR_API_KEY.',
  },
  unknown: { code: 'invalid_api_key', message: 'The API key is not valid here. Check the key and the base URL.' },
  expired: {
    code: 'expired_api_key',
    message: 'The API key has expired. Ask the operator of this gateway for a new one.',
  },
  disabled: { code: 'disabled_api_key', message: 'The API key is disabled. Ask the operator of this gateway.' },
};

/** The 401 for a request that does not say who it is; never repeats what was sent. */
export function authenticationError(reason: AuthenticationFailure): GatewayError {
  const { code, message } = ANSWERS[reason];
  return new GatewayError('authentication_error', message, { code, headers: { 'www-authenticate': 'Bearer' } });
}
