import { create } from '@bufbuild/protobuf';
import { type Timeouts, TimeoutsSchema } from '@headgate/proto/snapshot';
import {
  ConfigError,
  type ConfigProvider,
  type ConfigTimeouts,
  type Dialect,
  defaultBaseUrl,
  type Environment,
  WELL_KNOWN_PROVIDERS,
  type WellKnownProvider,
} from '../config/index.ts';

/** A provider with every default filled in, its credentials still in the open. */
export interface ResolvedProvider {
  readonly name: string;
  /** The well-known provider whose built-in models it serves; null for one of the operator's own. */
  readonly servesAs: string | null;
  readonly dialect: Dialect;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly timeouts?: Timeouts;
  readonly zeroDataRetention: boolean;
  readonly noPromptTraining: boolean;
  readonly promptCacheMs: number;
}

export const SIMULATOR = 'simulator';

const NO_KEY = 'none';

/** The shortest lifetime that a vendor documents (Anthropic, OpenAI); an own provider may say another. */
const PROMPT_CACHE_MS = 300_000;

/** A provider of headgate.yaml. One that names neither key nor base URL takes its usual variable, as without a file. */
export function configuredProvider(name: string, entry: ConfigProvider, env: Environment): ResolvedProvider {
  const known = WELL_KNOWN_PROVIDERS.get(name);
  const dialect = entry.dialect ?? known?.dialect;
  const baseUrl = entry.baseUrl ?? (dialect === undefined ? null : defaultBaseUrl(name, dialect, entry));
  if (dialect === undefined || baseUrl === null) {
    throw new Error(`provider ${name} passed validation without a dialect and a base URL`);
  }
  const usualKey = entry.baseUrl === undefined && known?.dialect === dialect ? usualKeyOf(known, env) : undefined;
  const apiKey = entry.apiKey ?? usualKey;
  return {
    name,
    servesAs: known?.dialect === dialect ? name : dialect === 'openai' ? null : dialect,
    dialect,
    baseUrl: withoutTrailingSlash(baseUrl),
    credentials: present({
      accessKeyId: entry.accessKeyId,
      accessToken: entry.accessToken,
      apiKey: apiKey === NO_KEY ? undefined : apiKey,
      credentials: asJsonText(entry.credentials),
      credentialsFile: entry.credentialsFile,
      secretAccessKey: entry.secretAccessKey,
      sessionToken: entry.sessionToken,
    }),
    settings: present({
      apiVersion: entry.apiVersion,
      location: entry.location,
      project: entry.project,
      region: entry.region,
    }),
    ...(entry.timeouts === undefined ? {} : { timeouts: timeoutsOf(entry.timeouts) }),
    zeroDataRetention: entry.zeroDataRetention,
    noPromptTraining: entry.noPromptTraining,
    promptCacheMs: entry.promptCacheMs ?? PROMPT_CACHE_MS,
  };
}

/** Every well-known provider whose usual key variable is set. */
export function environmentProviders(env: Environment): ResolvedProvider[] {
  return [...WELL_KNOWN_PROVIDERS].flatMap(([name, known]) => {
    const apiKey = usualKeyOf(known, env);
    if (apiKey === undefined || known.baseUrl === null) return [];
    const variable = known.baseUrlVariable;
    const override = variable === null ? undefined : nonEmpty(env[variable]);
    if (variable !== null && override !== undefined && !URL.canParse(override)) {
      throw environmentError(
        variable,
        `found ${JSON.stringify(override)}, expected an http(s) URL such as ${known.baseUrl}`,
      );
    }
    return [plainProvider(name, known.dialect, override ?? known.baseUrl, apiKey)];
  });
}

/** Stands in for every provider so that a first request works without any account. */
export function simulator(env: Environment): ResolvedProvider {
  const variable = 'HEADGATE_SIMULATOR_URL';
  const url = nonEmpty(env[variable]);
  if (url === undefined || !URL.canParse(url)) {
    const found = url === undefined ? 'no provider is configured and it is not set' : `found ${JSON.stringify(url)}`;
    const expected =
      'the URL of the simulator, or a provider key such as OPENAI_API_KEY, or providers in headgate.yaml';
    throw environmentError(variable, `${found}; expected ${expected}`);
  }
  const { pathname } = new URL(url);
  const baseUrl = pathname === '/' ? `${withoutTrailingSlash(url)}/v1` : url;
  return plainProvider(SIMULATOR, 'openai', baseUrl, 'simulator');
}

export function timeoutsOf(timeouts: ConfigTimeouts): Timeouts {
  return create(TimeoutsSchema, {
    connectMs: timeouts.connectMs ?? 0,
    firstTokenMs: timeouts.firstTokenMs ?? 0,
    streamStallMs: timeouts.streamStallMs ?? 0,
  });
}

function plainProvider(name: string, dialect: Dialect, baseUrl: string, apiKey: string): ResolvedProvider {
  return {
    name,
    servesAs: name,
    dialect,
    baseUrl: withoutTrailingSlash(baseUrl),
    credentials: { apiKey },
    settings: {},
    zeroDataRetention: false,
    noPromptTraining: false,
    promptCacheMs: PROMPT_CACHE_MS,
  };
}

function usualKeyOf(known: WellKnownProvider, env: Environment): string | undefined {
  return known.keyVariables.map((variable) => nonEmpty(env[variable])).find((value) => value !== undefined);
}

function asJsonText(credentials: ConfigProvider['credentials']): string | undefined {
  return credentials === undefined || typeof credentials === 'string' ? credentials : JSON.stringify(credentials);
}

/** In the order of their names, so that equal settings have equal bytes. */
function present(values: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}

function withoutTrailingSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

function environmentError(variable: string, message: string): ConfigError {
  return new ConfigError(null, [{ path: variable, line: null, column: null, message }]);
}
