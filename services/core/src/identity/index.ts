export { type AuthenticationFailure, authenticationError, type TokenFailure } from './authentication-error.ts';
export { type BearerToken, bearerToken } from './bearer-token.ts';
export { configuredKeys } from './configured-keys.ts';
export { KeyHasher, sha256 } from './key-hash.ts';
export { type KeyLookup, KeyTable } from './key-table.ts';
export { looksLikeToken, OidcVerifier, type TokenLookup } from './oidc-verifier.ts';
export { Principal, type PrincipalFacts, type QueuePolicy } from './principal.ts';
