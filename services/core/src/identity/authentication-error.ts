import { GatewayError } from '../errors/index.ts';

export type AuthenticationFailure = 'missing' | 'malformed' | 'unknown' | 'expired' | 'disabled' | TokenFailure;

/** What is wrong with an OIDC token. */
export type TokenFailure =
  | 'token_malformed'
  | 'token_issuer'
  | 'token_algorithm'
  | 'token_key'
  | 'token_signature'
  | 'token_audience'
  | 'token_expired'
  | 'token_not_yet'
  | 'token_claims';

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
  token_malformed: token('The token cannot be read: expected an OIDC token (JWS, compact form).'),
  token_issuer: token("The token's issuer is not one that this gateway trusts."),
  token_algorithm: token("The token's signature algorithm is not allowed here."),
  token_key: token('The token is signed with a key that its issuer does not publish.'),
  token_signature: token("The token's signature is not valid."),
  token_audience: token('The token is meant for another audience than this gateway.'),
  token_expired: { code: 'expired_token', message: 'The token has expired. Ask its issuer for a new one.' },
  token_not_yet: token('The token is not valid yet. Check the clocks of its issuer and of this gateway.'),
  token_claims: token('The token lacks a claim that this gateway needs, or has it in another form.'),
  disabled: { code: 'disabled_api_key', message: 'The API key is disabled. Ask the operator of this gateway.' },
};

function token(message: string) {
  return { code: 'invalid_token', message };
}

/** The 401 for a request that does not say who it is; never repeats what was sent. */
export function authenticationError(reason: AuthenticationFailure): GatewayError {
  const { code, message } = ANSWERS[reason];
  return new GatewayError('authentication_error', message, { code, headers: { 'www-authenticate': 'Bearer' } });
}
