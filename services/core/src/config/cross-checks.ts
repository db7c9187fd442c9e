import { createHash } from 'node:crypto';
import { defaultBaseUrl, WELL_KNOWN_PROVIDERS } from './providers.ts';
import type { Config, ConfigKey, ConfigProvider } from './schema.ts';
import { nearest, suggestion } from './validate.ts';
import type { Path } from './yaml-source.ts';

/** Something that only shows when one part of the file is held against another. */
export interface CrossIssue {
  readonly path: Path;
  readonly message: string;
}

/** Sections that are well-formed by themselves; absent ones are left out of the checks. */
export interface WellFormed {
  readonly auth: Config['auth'] | null;
  readonly providers: Config['providers'] | null;
  readonly models: NonNullable<Config['models']> | null;
  readonly files: Config['files'] | null;
}

export function crossCheck({ auth, providers, models, files }: WellFormed): CrossIssue[] {
  return [
    ...(auth === null ? [] : checkKeys(auth.keys)),
    ...(providers === null ? [] : Object.entries(providers).flatMap(([name, entry]) => checkProvider(name, entry))),
    ...(models === null ? [] : checkModels(models)),
    ...(models === null || providers === null ? [] : checkEndpoints(models, providers)),
    ...(files === null ? [] : checkFiles(files)),
  ];
}

function checkKeys(keys: readonly ConfigKey[]): CrossIssue[] {
  const issues: CrossIssue[] = [];
  const names = new Map<string, number>();
  const hashes = new Map<string, number>();
  for (const [index, entry] of keys.entries()) {
    const path = ['auth', 'keys', index];
    const sameName = names.get(entry.name);
    if (sameName === undefined) names.set(entry.name, index);
    else
      issues.push({
        path: [...path, 'name'],
        message: `found ${JSON.stringify(entry.name)}, already the name of auth.keys.${sameName}; expected a name of its own`,
      });
    if ((entry.key === undefined) === (entry.keyHash === undefined)) {
      const found = entry.key === undefined ? 'neither key nor keyHash' : 'both key and keyHash';
      issues.push({ path, message: `found ${found}, expected one of the two` });
      continue;
    }
    const hash = publicHash(entry);
    const sameKey = hashes.get(hash);
    if (sameKey === undefined) hashes.set(hash, index);
    else
      issues.push({
        path: [...path, entry.key === undefined ? 'keyHash' : 'key'],
        message: `found the same key as auth.keys.${sameKey}, expected a key of its own`,
      });
  }
  return issues;
}

/** SHA-256 of a configured key in lower-case hexadecimal. */
export function publicHash(entry: Pick<ConfigKey, 'key' | 'keyHash'>): string {
  return (
    entry.keyHash?.toLowerCase() ??
    createHash('sha256')
      .update(entry.key ?? '')
      .digest('hex')
  );
}

function checkProvider(name: string, entry: ConfigProvider): CrossIssue[] {
  const path = ['providers', name];
  const dialect = entry.dialect ?? WELL_KNOWN_PROVIDERS.get(name)?.dialect;
  if (dialect === undefined) {
    const near = nearest(name, [...WELL_KNOWN_PROVIDERS.keys()]);
    const hint = near === null ? '' : `, or a well-known provider name; did you mean "${near}"?`;
    const message = `found nothing, expected the language that this provider speaks, such as openai${hint}`;
    return [{ path: [...path, 'dialect'], message }];
  }
  const issues: CrossIssue[] = [];
  if (dialect === 'vertex') {
    if (entry.project === undefined)
      issues.push({ path: [...path, 'project'], message: 'found nothing, expected a Google Cloud project id' });
    if (entry.location === undefined)
      issues.push({
        path: [...path, 'location'],
        message: 'found nothing, expected a Google Cloud location such as us-east5',
      });
  }
  if (dialect === 'bedrock') {
    if (entry.region === undefined)
      issues.push({ path: [...path, 'region'], message: 'found nothing, expected an AWS region such as us-east-1' });
    if ((entry.accessKeyId === undefined) !== (entry.secretAccessKey === undefined)) {
      const missing = entry.accessKeyId === undefined ? 'accessKeyId' : 'secretAccessKey';
      issues.push({
        path: [...path, missing],
        message: 'found nothing, expected accessKeyId and secretAccessKey together',
      });
    }
  }
  if (issues.length === 0 && entry.baseUrl === undefined && defaultBaseUrl(name, dialect, entry) === null) {
    const example = dialect === 'azure' ? 'https://my-resource.openai.azure.com' : 'https://api.example.com/v1';
    issues.push({ path: [...path, 'baseUrl'], message: `found nothing, expected an http(s) URL such as ${example}` });
  }
  return issues;
}

function checkFiles({ store, bucket, accessKeyId, secretAccessKey }: Config['files']): CrossIssue[] {
  const issues: CrossIssue[] = [];
  if (store === 's3' && bucket === undefined)
    issues.push({ path: ['files', 'bucket'], message: 'found nothing, expected the name of a bucket' });
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    const missing = accessKeyId === undefined ? 'accessKeyId' : 'secretAccessKey';
    const message = 'found nothing, expected accessKeyId and secretAccessKey together';
    issues.push({ path: ['files', missing], message });
  }
  return issues;
}

function checkModels(models: NonNullable<Config['models']>): CrossIssue[] {
  const issues: CrossIssue[] = [];
  const ids = new Map<string, number>();
  for (const [index, model] of models.entries()) {
    const same = ids.get(model.id);
    if (same === undefined) ids.set(model.id, index);
    else
      issues.push({
        path: ['models', index, 'id'],
        message: `found ${JSON.stringify(model.id)}, already the id of models.${same}; expected each id once`,
      });
    const endpoints = new Map<string, number>();
    for (const [at, { provider, model: upstream }] of model.endpoints.entries()) {
      const key = `${provider}:${upstream}`;
      const twin = endpoints.get(key);
      if (twin === undefined) endpoints.set(key, at);
      else
        issues.push({
          path: ['models', index, 'endpoints', at],
          message: `found the same provider and model as endpoints.${twin}, expected each endpoint once`,
        });
    }
  }
  return issues;
}

function checkEndpoints(models: NonNullable<Config['models']>, providers: Config['providers']): CrossIssue[] {
  const names = Object.keys(providers);
  return models.flatMap((model, index) =>
    model.endpoints.flatMap(({ provider }, at) => {
      if (Object.hasOwn(providers, provider)) return [];
      const known = names.length === 0 ? '; the file configures no providers' : suggestion(provider, names);
      const message = `found ${JSON.stringify(provider)}, expected the name of a configured provider${known}`;
      return [{ path: ['models', index, 'endpoints', at, 'provider'], message }];
    }),
  );
}
