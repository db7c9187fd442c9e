import type { Authorizer } from './authorizer.ts';
import { AwsAuthorizer } from './aws.ts';
import { AzureAuthorizer } from './azure.ts';
import { GoogleAuthorizer } from './google.ts';

/** What of a provider decides how its requests are authorized; the snapshot's own object, so that a new snapshot starts anew. */
export interface AuthorizedProvider {
  readonly name: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
}

/** One authorizer a provider, made when first needed and gone with the snapshot that it belongs to. */
export class Authorizers {
  readonly #made = new WeakMap<AuthorizedProvider, Authorizer>();

  for(provider: AuthorizedProvider, kind: 'google' | 'aws' | 'azure'): Authorizer {
    let authorizer = this.#made.get(provider);
    if (!authorizer) {
      authorizer = make(provider, kind);
      this.#made.set(provider, authorizer);
    }
    return authorizer;
  }
}

function make({ name, credentials, settings }: AuthorizedProvider, kind: 'google' | 'aws' | 'azure'): Authorizer {
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
