export { type AuthenticationFailure, authenticationError } from './authentication-error.ts';
export { type BearerToken, bearerToken } from './bearer-token.ts';
export { configuredKeys } from './configured-keys.ts';
export { KeyHasher, sha256 } from './key-hash.ts';
export { type KeyLookup, KeyTable } from './key-table.ts';
export { Principal } from './principal.ts';
