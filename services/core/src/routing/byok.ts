import { type EndpointEntry, type ProviderEntry, withAccount } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import type { ByokCredential, RoutingOptions } from './request.ts';

/** What a dialect authorizes with: one of these sets has to be whole, or our own identity would take its place. */
const NEEDED: Readonly<Record<string, readonly (readonly string[])[]>> = {
  vertex: [['credentials'], ['accessToken']],
  bedrock: [['accessKeyId', 'secretAccessKey'], ['apiKey']],
};
const USUAL: readonly (readonly string[])[] = [['apiKey']];

/** How clients spell those sets (WIRE 2.3). */
const SPELLED: Readonly<Record<string, string>> = {
  vertex: 'googleCredentials { privateKey, clientEmail }',
  bedrock: 'accessKeyId and secretAccessKey, or apiKey',
};

/** The caller's own credentials (bring your own key), as copies of catalog entries. */
export class CallerAccounts {
  readonly #byok: RoutingOptions['byok'];
  /** One copy for one credential: what is made for a provider entry (its tokens, its connections) serves all its endpoints. */
  readonly #made = new Map<ByokCredential, ProviderEntry>();

  constructor(byok: RoutingOptions['byok']) {
    this.#byok = byok;
  }

  /** The endpoint under each of the caller's accounts with that provider, in order. Throws a GatewayError (400). */
  endpoints(endpoint: EndpointEntry, modelId: string): EndpointEntry[] {
    const { name, dialect } = endpoint.provider;
    const credentials = this.#byok && Object.hasOwn(this.#byok, name) ? this.#byok[name] : undefined;
    return (credentials ?? []).map((credential, i) => {
      if (!isWhole(credential, dialect)) throw notFitting(name, i, SPELLED[dialect] ?? 'apiKey');
      const provider = this.#provider(endpoint.provider, credential);
      const model = Object.hasOwn(credential.models, modelId) ? credential.models[modelId] : undefined;
      return model === undefined
        ? { ...endpoint, provider }
        : { ...endpoint, provider, model, key: `${name}:${model}` };
    });
  }

  #provider(own: ProviderEntry, credential: ByokCredential): ProviderEntry {
    let provider = this.#made.get(credential);
    if (!provider) {
      provider = withAccount(own, credential.credentials, credential.settings);
      this.#made.set(credential, provider);
    }
    return provider;
  }
}

const isWhole = ({ credentials }: ByokCredential, dialect: string): boolean =>
  (NEEDED[dialect] ?? USUAL).some((set) => set.every((name) => credentials[name]));

function notFitting(provider: string, i: number, spelled: string): GatewayError {
  const param = `providerOptions.gateway.byok.${provider}.${i}`;
  return new GatewayError(
    'invalid_request_error',
    `Invalid request: invalid value for '${param}': the provider ${provider} takes ${spelled}`,
    { param, code: 'invalid_value' },
  );
}
