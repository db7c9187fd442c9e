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

/** One authorizer a provider, made when first needed and gone with the snapshot that it belongs to. */
export class Authorizers {
  readonly #made = new WeakMap<AuthorizedProvider, Authorizer>();
  /** By digest of the credential, the one used longest ago first. */
  readonly #ofCallers = new Map<string, Authorizer>();

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
    const known = this.#ofCallers.get(digest);
    const authorizer = known ?? make({ ...provider, credentials: callersOwn(provider, kind) }, kind);
    if (known) this.#ofCallers.delete(digest);
    this.#ofCallers.set(digest, authorizer);
    for (const oldest of this.#ofCallers.keys()) {
      if (this.#ofCallers.size <= MOST_CALLERS) break;
      this.#ofCallers.delete(oldest);
    }
    return authorizer;
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
