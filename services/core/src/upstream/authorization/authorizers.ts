import type { Authorizer } from './authorizer.ts';
import { AwsAuthorizer } from './aws.ts';
import { AzureAuthorizer } from './azure.ts';
import { callersOwn, digestOf } from './caller-credentials.ts';
import { GoogleAuthorizer } from './google.ts';

export type AuthorizationKind = 'google' | 'aws' | 'azure';

/** What of a provider decides how its requests are authorized; the snapshot's own object, so that a new snapshot starts anew. */
export interface AuthorizedProvider {
  readonly name: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
}

/** Callers with credentials of their own whose tokens are kept. */
const MOST_CALLERS = 500;
/** A secret of somebody who has not been here for as long as tokens live has no business in memory. */
const KEEP_CALLER_MS = 60 * 60_000;

interface KnownCaller {
  readonly authorizer: Authorizer;
  /** Milliseconds since the epoch. */
  usedAt: number;
}

/** One authorizer a provider, made when first needed and gone with the snapshot that it belongs to. */
export class Authorizers {
  readonly #made = new WeakMap<AuthorizedProvider, Authorizer>();
  /** By digest of the credential, the one used longest ago first. */
  readonly #ofCallers = new Map<string, KnownCaller>();
  #tidying: NodeJS.Timeout | null = null;

  for(provider: AuthorizedProvider, kind: AuthorizationKind): Authorizer {
    let authorizer = this.#made.get(provider);
    if (!authorizer) {
      authorizer = make(provider, kind);
      this.#made.set(provider, authorizer);
    }
    return authorizer;
  }

  /**
   * For a credential that came with a request: its provider entry lives as long as the request, its tokens live longer. Only
   * the very same credential gets them, and where it is not whole the gateway's own identity never takes its place.
   * Throws a GatewayError of class `auth`.
   */
  forCaller(provider: AuthorizedProvider, kind: AuthorizationKind): Authorizer {
    const digest = digestOf(provider, kind);
    const known = this.#ofCallers.get(digest) ?? {
      authorizer: make({ ...provider, credentials: callersOwn(provider, kind) }, kind),
      usedAt: 0,
    };
    known.usedAt = Date.now();
    this.#ofCallers.delete(digest);
    this.#ofCallers.set(digest, known);
    this.#forget();
    return known.authorizer;
  }

  /** Those who have been away for too long, and the oldest of too many; again later, while any are left. */
  #forget(): void {
    const since = Date.now() - KEEP_CALLER_MS;
    for (const [digest, { usedAt }] of this.#ofCallers) {
      if (usedAt > since && this.#ofCallers.size <= MOST_CALLERS) break;
      this.#ofCallers.delete(digest);
    }
    const [oldest] = this.#ofCallers.values();
    if (this.#tidying !== null || oldest === undefined) return;
    this.#tidying = setTimeout(() => {
      this.#tidying = null;
      this.#forget();
    }, oldest.usedAt - since).unref();
  }

  /** Callers' credentials that are kept now. */
  get callers(): number {
    return this.#ofCallers.size;
  }
}

function make({ name, credentials, settings }: AuthorizedProvider, kind: AuthorizationKind): Authorizer {
  switch (kind) {
    case 'google':
      return new GoogleAuthorizer(name, credentials);
    case 'aws':
      return new AwsAuthorizer(name, credentials, settings.region ?? 'us-east-1');
    case 'azure':
      return new AzureAuthorizer(name, credentials);
    default:
      return kind satisfies never;
  }
}
