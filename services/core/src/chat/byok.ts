import { z } from 'zod';
import type { ByokCredential } from '../routing/index.ts';
import { dictionary, list } from './checked-list.ts';
import { present } from './present.ts';

/** More of them than attempts are made for a request are of no use. */
const MOST_CREDENTIALS = 10;

/** Printable and without spaces: these go into headers. */
const secret = z.string().regex(/^[\x21-\x7e]{1,8192}$/, { error: 'expected printable characters without spaces' });
/** These go into host names and paths. */
const place = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/, { error: 'expected letters, digits and inner hyphens' });
const project = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9:._-]{0,126}[A-Za-z0-9])?$/, { error: 'expected the id of a Google Cloud project' });
const modelId = z
  .string()
  .regex(/^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:@/-]{0,511}$/, { error: 'expected a model id of the provider' });

/** A key that stands in JSON may have its line breaks written out. */
const privateKey = z
  .string()
  .min(1)
  .max(16_384)
  .transform((pem) => pem.replaceAll('\\n', '\n'));

const credential = z
  .looseObject({
    apiKey: secret.optional(),
    project: project.optional(),
    location: place.optional(),
    googleCredentials: z.looseObject({ privateKey, clientEmail: secret }).optional(),
    accessKeyId: secret.optional(),
    secretAccessKey: secret.optional(),
    sessionToken: secret.optional(),
    region: place.optional(),
    modelMappings: list(z.looseObject({ gatewayModelSlug: z.string().min(1), customModelId: modelId })).optional(),
  })
  .refine((given) => given.apiKey ?? given.googleCredentials ?? (given.accessKeyId && given.secretAccessKey), {
    error: 'expected apiKey, googleCredentials, or accessKeyId and secretAccessKey',
  });

type Credential = z.output<typeof credential>;

/** `providerOptions.gateway.byok` (WIRE 2.3): the caller's credentials by provider. */
export const byok = dictionary(
  list(credential).refine((credentials) => credentials.length <= MOST_CREDENTIALS, {
    error: `expected at most ${MOST_CREDENTIALS} credentials`,
  }),
);

/** In the catalog's terms (`ProviderEntry`). */
export function byokCredentials(given: z.output<typeof byok>): Record<string, readonly ByokCredential[]> {
  return Object.fromEntries(
    Object.entries(given).map(([provider, credentials]) => [provider, credentials.map(toCatalog)]),
  );
}

function toCatalog(given: Credential): ByokCredential {
  const { apiKey, accessKeyId, secretAccessKey, sessionToken, googleCredentials, project, location, region } = given;
  const mappings = (given.modelMappings ?? []).map((one) => [one.gatewayModelSlug, one.customModelId] as const);
  return {
    credentials: present({
      apiKey,
      accessKeyId,
      secretAccessKey,
      sessionToken,
      credentials: account(googleCredentials),
    }),
    settings: present({ project, location, region }),
    models: Object.fromEntries(mappings),
  };
}

/** Written from its two fields alone: Google's library does more for other kinds of account, such as reading files. */
function account(given: Credential['googleCredentials']): string | undefined {
  if (given === undefined) return undefined;
  return JSON.stringify({ type: 'service_account', client_email: given.clientEmail, private_key: given.privateKey });
}
