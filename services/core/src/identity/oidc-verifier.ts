import { createHash, hash } from 'node:crypto';
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import type { OidcIssuerEntry } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import { type AuthenticationFailure, authenticationError, type TokenFailure } from './authentication-error.ts';
import { JwksSource } from './jwks-source.ts';
import { OIDC_ID, Principal } from './principal.ts';

/** Three base64url parts (RFC 7515, section 7.1). */
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
const LONGEST_TOKEN = 8 * 1024;
const MOST_REMEMBERED = 10_000;
/** A refused token is refused again without another look for so long. */
const REMEMBER_REFUSAL_MS = 5_000;
/** The issuer may have withdrawn the key: a token is looked at again after this. */
const REMEMBER_MS = 300_000;
const LONGEST_SUBJECT = 255;
const RETRY_SOON_MS = 2_000;

/** Whether a credential has the form of an OIDC token; what has not is taken for an API key. */
export const looksLikeToken = (credential: string): boolean => credential.length > 40 && COMPACT.test(credential);

export type TokenLookup =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly error: GatewayError };

export interface OidcLog {
  warn(message: string, fields?: Record<string, unknown>): void;
}

interface Remembered {
  readonly lookup: TokenLookup;
  readonly untilMs: number;
}

interface Issuer {
  readonly entry: OidcIssuerEntry;
  readonly source: JwksSource;
}

/**
 * Tells who holds an OIDC token (OpenID Connect Core 1.0, section 3.1.3.7; RFC 7519). A token that was verified is
 * remembered until it expires, so that a steady client costs one hash and one look-up.
 */
export class OidcVerifier {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #remembered = new Map<string, Remembered>();

  /** `jwksCooldownMs`: how often a token with an unknown key may have the keys fetched anew. */
  constructor(entries: readonly OidcIssuerEntry[], log: OidcLog, { jwksCooldownMs }: { jwksCooldownMs?: number } = {}) {
    const cooldown = jwksCooldownMs === undefined ? {} : { cooldownMs: jwksCooldownMs };
    this.#issuers = new Map(
      entries.map((entry) => {
        const { issuer, jwksUri } = entry;
        const onFailure = (reason: string): void =>
          log.warn('the keys of an OIDC issuer cannot be fetched', { issuer, reason });
        return [issuer, { entry, source: new JwksSource({ issuer, jwksUri, onFailure, ...cooldown }) }];
      }),
    );
  }

  /** Whether there is anybody to ask. */
  get enabled(): boolean {
    return this.#issuers.size > 0;
  }

  /** `nowMs` is since the epoch. At once for a token that was seen before. */
  find(token: string, nowMs: number): TokenLookup | Promise<TokenLookup> {
    if (token.length > LONGEST_TOKEN || !looksLikeToken(token)) return refused('token_malformed');
    const digest = hash('sha256', token, 'base64');
    const remembered = this.#remembered.get(digest);
    if (remembered !== undefined && nowMs < remembered.untilMs) return remembered.lookup;
    return this.#verify(token, digest, nowMs);
  }

  close(): void {
    for (const { source } of this.#issuers.values()) source.close();
  }

  async #verify(token: string, digest: string, nowMs: number): Promise<TokenLookup> {
    const refuse = (reason: TokenFailure): TokenLookup =>
      this.#remember(digest, refused(reason), nowMs + REMEMBER_REFUSAL_MS);
    const payload = readPayload(token);
    if (payload === null) return refuse('token_malformed');
    const issuer = this.#issuers.get(payload.iss ?? '');
    if (issuer === undefined) return refuse('token_issuer');
    const claims = await this.#checked(token, issuer, nowMs);
    // Nothing is known of the token: the next request asks again.
    if (claims instanceof GatewayError) return { ok: false, error: claims };
    if (typeof claims === 'string') return refuse(claims);
    const principal = principalOf(claims, issuer.entry);
    if (principal === null) return refuse('token_claims');
    const expiresAtMs = ((claims.exp ?? 0) + issuer.entry.clockToleranceSeconds) * 1_000;
    return this.#remember(digest, { ok: true, principal }, Math.min(nowMs + REMEMBER_MS, expiresAtMs));
  }

  /** The claims, or what is wrong; an error when nobody can say. */
  async #checked(
    token: string,
    { entry, source }: Issuer,
    nowMs: number,
  ): Promise<JWTPayload | TokenFailure | GatewayError> {
    for (let tries = 1; ; tries++) {
      const keys = await source.keys();
      if (keys === null) return issuerUnreachable();
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer: entry.issuer,
          audience: entry.audience,
          algorithms: [...entry.algorithms],
          requiredClaims: ['exp'],
          clockTolerance: entry.clockToleranceSeconds,
          currentDate: new Date(nowMs),
        });
        return payload;
      } catch (error) {
        const failure = failureOf(error);
        if (failure !== 'token_key' || tries > 1 || !(await source.rotated())) return failure;
      }
    }
  }

  #remember(digest: string, lookup: TokenLookup, untilMs: number): TokenLookup {
    if (this.#remembered.size >= MOST_REMEMBERED) {
      // Maps keep their order: the first is the oldest.
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(digest, { lookup, untilMs });
    return lookup;
  }
}

const refused = (reason: AuthenticationFailure): TokenLookup => ({ ok: false, error: authenticationError(reason) });

function issuerUnreachable(): GatewayError {
  return new GatewayError('service_unavailable', "The token cannot be checked: its issuer's keys cannot be fetched.", {
    code: 'oidc_issuer_unreachable',
    retryAfterMs: RETRY_SOON_MS,
  });
}

function readPayload(token: string): JWTPayload | null {
  try {
    return decodeJwt(token);
  } catch {
    return null;
  }
}

function failureOf(error: unknown): TokenFailure {
  if (error instanceof errors.JWTExpired) return 'token_expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf' && error.reason === 'check_failed') return 'token_not_yet';
    if (error.claim === 'aud') return 'token_audience';
    return error.claim === 'iss' ? 'token_issuer' : 'token_claims';
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) return 'token_algorithm';
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return 'token_key';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'token_signature';
  return 'token_malformed';
}

/** Null when a claim that is needed is not there, or is something else than the operator says. */
function principalOf(claims: JWTPayload, entry: OidcIssuerEntry): Principal | null {
  const subject = textClaim(claims, entry.subjectClaim);
  if (!subject) return null;
  const name = entry.nameClaim === '' ? subject : textClaim(claims, entry.nameClaim);
  const group = entry.groupClaim === '' ? '' : textClaim(claims, entry.groupClaim);
  const allowed = entry.modelsClaim === '' ? [] : listClaim(claims, entry.modelsClaim);
  if (name === null || group === null || allowed === null) return null;
  return new Principal({
    id: `${OIDC_ID}${shortHash(entry.issuer)}:${subject}`,
    name: name || subject,
    group,
    limits: entry.limits,
    budget: entry.budget,
    queue: null,
    models: [entry.models, allowed],
  });
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

/** '' when it is absent, null when it is not a plain text. A claim of a claim is written with a dot. */
function textClaim(claims: JWTPayload, path: string): string | null {
  const value = claimAt(claims, path);
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.length <= LONGEST_SUBJECT && !/[\p{Cc}]/u.test(value) ? value : null;
}

/** A token that says which models it may use but says it in another form must not be let in to all of them. */
function listClaim(claims: JWTPayload, path: string): readonly string[] | null {
  const value = claimAt(claims, path);
  if (value === undefined) return [];
  if (typeof value === 'string') return narrowed(value.split(' ').filter((part) => part !== ''));
  const texts = Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : null;
  return texts !== null && texts.length === (value as unknown[]).length ? narrowed(texts) : null;
}

/** An empty list allows nothing, where an absent one allows all. */
const narrowed = (patterns: readonly string[]): readonly string[] => (patterns.length === 0 ? [''] : patterns);

function claimAt(claims: JWTPayload, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
