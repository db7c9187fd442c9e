import { createHash } from 'node:crypto';
import { GatewayError } from '../../errors/index.ts';
import type { AuthorizationKind, AuthorizedProvider } from './authorizers.ts';

/**
 * What of a caller's credential may be used. The libraries take far more than keys: files of this machine, programs to run,
 * URLs to call, and without anything the identity of the gateway itself; none of that may come with a request.
 * Throws a GatewayError of class `auth` when nothing is left.
 */
export function callersOwn(provider: AuthorizedProvider, kind: AuthorizationKind): Record<string, string> {
  const { apiKey, accessToken, accessKeyId, secretAccessKey, sessionToken, credentials } = provider.credentials;
  if (kind === 'aws') {
    if (apiKey) return { apiKey };
    if (accessKeyId && secretAccessKey) {
      return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
    }
  }
  if (kind === 'azure' && apiKey) return { apiKey };
  if (kind !== 'aws' && accessToken) return { accessToken };
  if (kind === 'google' && credentials) {
    const account = serviceAccount(credentials);
    if (account !== null) return { credentials: account };
  }
  throw new GatewayError('upstream_error', `The credential of this request is none of the provider ${provider.name}.`, {
    failure: 'auth',
    code: 'provider_auth_failed',
  });
}

/** A Google service account's key, and nothing else that a credentials file may say. */
function serviceAccount(json: string): string | null {
  try {
    const { client_email, private_key } = JSON.parse(json) as Record<string, unknown>;
    if (typeof client_email !== 'string' || typeof private_key !== 'string') return null;
    return JSON.stringify({ type: 'service_account', client_email, private_key });
  } catch {
    return null;
  }
}

/** Equal for equal credentials only; the credential cannot be had from it. */
export function digestOf({ name, credentials, settings }: AuthorizedProvider, kind: AuthorizationKind): string {
  const entries = Object.entries(credentials).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = JSON.stringify([kind, name, settings.region ?? '', entries]);
  return createHash('sha256').update(parts).digest('base64');
}
