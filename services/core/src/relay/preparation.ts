import type { ChatRequest } from '../chat/index.ts';
import type { Dialect, EncodedRequest, FetchedMedia, Target } from '../dialects/index.ts';
import { GatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { type Authorizers, fetchMedia } from '../upstream/index.ts';

const NO_MEDIA: FetchedMedia = new Map();

export interface PreparationTools {
  readonly authorizers: Authorizers;
  readonly allowPrivateFileUrls: boolean;
}

/**
 * Makes a request ready to be sent: files fetched that the provider will not fetch itself, encoded, authorized. Answers at
 * once where nothing has to be waited for. Fails with a GatewayError.
 */
export class Preparation {
  readonly #tools: PreparationTools;
  /** Fetched once a request, however many endpoints are tried. */
  #media: { readonly key: string; readonly fetched: Promise<FetchedMedia> } | null = null;

  constructor(tools: PreparationTools) {
    this.#tools = tools;
  }

  /** `chat` is the request itself, or one derived from it for this attempt. */
  prepare(dialect: Dialect, planned: PlannedAttempt, chat: ChatRequest): EncodedRequest | Promise<EncodedRequest> {
    const target = targetOf(planned);
    const urls = dialect.remoteMedia?.(chat, target) ?? [];
    if (urls.length === 0) return this.#encode(dialect, planned, chat, NO_MEDIA);
    return this.#fetch(urls).then((media) => this.#encode(dialect, planned, chat, media));
  }

  #fetch(urls: readonly string[]): Promise<FetchedMedia> {
    const key = urls.join('\n');
    if (this.#media?.key !== key) {
      this.#media = { key, fetched: fetchMedia(urls, { allowPrivate: this.#tools.allowPrivateFileUrls }) };
    }
    return this.#media.fetched;
  }

  #encode(
    dialect: Dialect,
    planned: PlannedAttempt,
    chat: ChatRequest,
    media: FetchedMedia,
  ): EncodedRequest | Promise<EncodedRequest> {
    const target = targetOf(planned);
    const encoded = dialect.encodeChat(chat, target, media);
    if (chat.outline.providerOptions?.gateway?.strict === true) refuseLoss(encoded.warnings, target.provider);
    if (dialect.authorization === 'header') return encoded;
    const { authorizers } = this.#tools;
    const { provider } = planned.endpoint;
    const authorizer =
      planned.credentialType === 'byok'
        ? authorizers.forCaller(provider, dialect.authorization)
        : authorizers.for(provider, dialect.authorization);
    const headers = authorizer.authorize(encoded);
    return headers instanceof Promise ? headers.then((all) => ({ ...encoded, headers: all })) : { ...encoded, headers };
  }
}

/** `strict: true`: what would be dropped or altered is refused instead (DESIGN 5, law 2). */
function refuseLoss(warnings: readonly string[], provider: string): void {
  const [first] = warnings;
  if (first === undefined) return;
  const param = first.slice(0, first.indexOf(':'));
  throw new GatewayError(
    'invalid_request_error',
    `The provider ${provider} cannot take the request as it is: ${warnings.join('; ')}.`,
    {
      param,
      code: 'unsupported_parameter',
      failure: 'bad_request',
    },
  );
}

/** What of a planned attempt its dialect may see. */
export function targetOf({ endpoint, model }: PlannedAttempt): Target {
  const { name, baseUrl, credentials, settings } = endpoint.provider;
  return {
    provider: name,
    model: endpoint.model,
    baseUrl,
    credentials,
    settings,
    maxOutputTokens: endpoint.maxOutputTokens || model.maxOutputTokens,
    publisher: endpoint.publisher,
  };
}
