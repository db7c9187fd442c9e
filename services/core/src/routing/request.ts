import type { ModelEntry } from '../catalog/index.ts';

/** What of `providerOptions.gateway` decides the order of attempts (WIRE 2.3); validated by the chat room. */
export interface RoutingOptions {
  readonly order?: readonly string[] | undefined;
  readonly only?: readonly string[] | undefined;
  readonly ignore?: readonly string[] | undefined;
  readonly sort?: 'cost' | 'ttft' | 'tps' | undefined;
  /** `vision`, `implicit-caching`, `quantization:x`, `!quantization:x`, or a tag of the catalog. */
  readonly has?: readonly string[] | undefined;
  /** US dollars per million tokens, as OpenRouter's `max_price`. */
  readonly maxPrice?: { readonly input?: number | undefined; readonly output?: number | undefined } | undefined;
  /** Only endpoints of one of these quantizations (OpenRouter's `provider.quantizations`). */
  readonly quantizations?: readonly string[] | undefined;
  /** Request fields that the model has to take (OpenRouter's `provider.require_parameters`). */
  readonly requireParameters?: readonly string[] | undefined;
  /** Only providers that the operator has labelled so. */
  readonly zeroDataRetention?: boolean | undefined;
  readonly disallowPromptTraining?: boolean | undefined;
  /** The caller's own credentials, by provider, tried in order before the gateway's. */
  readonly byok?: Readonly<Record<string, readonly ByokCredential[]>> | undefined;
  /** Milliseconds to the first token, by provider; hold for all credentials. */
  readonly providerTimeouts?: { readonly byok?: Readonly<Record<string, number>> | undefined } | undefined;
  /** `off`, or a key of the caller's own (a conversation's id) in place of the prompt's prefix. */
  readonly affinity?: 'auto' | 'off' | { readonly key: string } | undefined;
  /** Options that were given and have no effect, as the client wrote them; the plan warns of each. */
  readonly ignored?: readonly string[] | undefined;
}

/** One credential as a client sends it. Never log, never put into an error. */
export interface ByokCredential {
  /** As in `ProviderEntry.credentials`: apiKey, accessKeyId, secretAccessKey, sessionToken, credentials (JSON text). */
  readonly credentials: Readonly<Record<string, string>>;
  /** As in `ProviderEntry.settings`: project, location, region; laid over the provider's own. */
  readonly settings: Readonly<Record<string, string>>;
  /** Public model id to the provider's model id of the caller's account. */
  readonly models: Readonly<Record<string, string>>;
}

/** What a request needs of an endpoint; read from the request, not from its options. */
export interface RequestFeatures {
  readonly images: boolean;
  readonly files: boolean;
  readonly audio: boolean;
  readonly tools: boolean;
  readonly jsonSchema: boolean;
  /** Rough, from the bytes of the prompt. */
  readonly promptTokens: number;
  /** What the client allows the answer to have; null when it does not say. */
  readonly maxOutputTokens: number | null;
}

export interface PlanRequest {
  /** The model asked for, then its fallbacks; never empty. */
  readonly models: readonly ModelEntry[];
  readonly options: RoutingOptions;
  readonly features: RequestFeatures;
  /** Endpoint that served the same cacheable prefix last, and the hash of that prefix; null: no affinity. */
  readonly affinity: { readonly prefix: number; readonly endpointKey: string | null } | null;
  /** Any number; equal seeds give equal plans. */
  readonly seed: number;
}
