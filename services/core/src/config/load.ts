import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, type ConfigIssue } from './config-error.ts';
import { crossCheck, publicHash } from './cross-checks.ts';
import type { Environment } from './interpolate.ts';
import { type Config, configSchema } from './schema.ts';
import { showFound, validate } from './validate.ts';
import { YamlSource } from './yaml-source.ts';

export interface LoadOptions {
  readonly env: Environment;
  /** Directory in which `headgate.yaml` is looked for. */
  readonly cwd: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path; null when there is no file. */
  readonly file: string | null;
  /** False when neither the file nor the environment names a Redis and the default stands. */
  readonly redisNamed: boolean;
}

/** What a process needs before it has a snapshot; reading it takes no secret. */
export interface Bootstrap {
  readonly server: Pick<Config['server'], 'host' | 'port' | 'processes'>;
  readonly redis: Config['redis'];
  readonly redisNamed: boolean;
  readonly file: string | null;
}

const DEFAULT_FILE = 'headgate.yaml';

/** Where the file stands or would stand. */
export function configPath({ env, cwd }: LoadOptions): { path: string; required: boolean } {
  const named = env.HEADGATE_CONFIG;
  if (named !== undefined && named !== '') return { path: resolve(cwd, named), required: true };
  return { path: resolve(cwd, DEFAULT_FILE), required: false };
}

/**
 * The whole configuration: `HEADGATE_CONFIG`, else `./headgate.yaml` if it exists, else defaults; the environment's
 * overrides on top. Throws a ConfigError that lists everything that is wrong.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const { file, text } = readConfigFile(options);
  const overrides = readOverrides(options.env);
  const source = readSource(file, text ?? '', overrides.issues);
  const unset = source.interpolate(options.env);
  const value = source.toValue();
  const checked = validate(configSchema, value, source);
  const issues = [
    ...overrides.issues,
    ...unset,
    ...(checked.ok ? [] : withoutRepeats(checked.issues, unset)),
    ...crossCheck(checked.ok ? wellFormed(checked.value) : wellFormedSections(value)).map(({ path, message }) =>
      source.issue(path, message),
    ),
  ];
  if (!checked.ok || issues.length > 0) throw new ConfigError(file, issues);
  const config = applyOverrides(checked.value, overrides);
  return { config: withDefaultKey(config, options.env, file), file, redisNamed: isRedisNamed(value, options.env) };
}

const bootstrapSchema = z.object({
  server: z
    .object({
      host: configSchema.shape.server.unwrap().shape.host,
      port: configSchema.shape.server.unwrap().shape.port,
      processes: configSchema.shape.server.unwrap().shape.processes,
    })
    .prefault({}),
  redis: configSchema.shape.redis,
});

/** Only where to listen and where Redis is; leaves the other sections, and the secrets they name, alone. */
export function loadBootstrap(env: Environment, cwd: string): Bootstrap {
  const { file, text } = readConfigFile({ env, cwd });
  const overrides = readOverrides(env);
  const source = readSource(file, text ?? '', overrides.issues);
  const unset = source.interpolate(env, ['server', 'redis']);
  const value = source.toValue();
  const checked = validate(bootstrapSchema, value, source);
  const issues = [...overrides.issues, ...unset, ...(checked.ok ? [] : withoutRepeats(checked.issues, unset))];
  if (!checked.ok || issues.length > 0) throw new ConfigError(file, issues);
  const { server, redis } = checked.value;
  return {
    server: { ...server, ...overrides.server },
    redis: { ...redis, ...overrides.redis },
    redisNamed: isRedisNamed(value, env),
    file,
  };
}

function readConfigFile(options: LoadOptions): { file: string | null; text: string | null } {
  const { path, required } = configPath(options);
  try {
    return { file: path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT' && !required) return { file: null, text: null };
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    const hint = required ? ' (named by HEADGATE_CONFIG)' : '';
    throw new ConfigError(path, [{ path: '', line: null, column: null, message: `${reason}${hint}` }]);
  }
}

function readSource(file: string | null, text: string, issues: readonly ConfigIssue[]): YamlSource {
  const parsed = YamlSource.parse(text);
  if (parsed.issues.length > 0) throw new ConfigError(file, [...issues, ...parsed.issues]);
  return parsed.source;
}

/** A missing variable is one mistake: what the schema then says about the same place is left out. */
function withoutRepeats(issues: readonly ConfigIssue[], unset: readonly ConfigIssue[]): ConfigIssue[] {
  const known = new Set(unset.map(({ path }) => path));
  return issues.filter(({ path }) => !known.has(path));
}

function wellFormed(config: Config) {
  return { auth: config.auth, providers: config.providers, models: config.models ?? null, files: config.files };
}

/** So that a wrong port does not hide a misspelt provider: the sections that are right are still held against each other. */
function wellFormedSections(value: unknown) {
  const sections = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const { auth, providers, models, files } = configSchema.shape;
  return {
    auth: auth.safeParse(sections.auth).data ?? null,
    providers: providers.safeParse(sections.providers).data ?? null,
    models: models.safeParse(sections.models).data ?? null,
    files: files.safeParse(sections.files).data ?? null,
  };
}

interface Overrides {
  readonly server: Partial<Bootstrap['server']>;
  readonly redis: Partial<Config['redis']>;
  readonly issues: readonly ConfigIssue[];
}

function readOverrides(env: Environment): Overrides {
  const { server, redis } = configSchema.shape;
  const issues: ConfigIssue[] = [];
  const read = <Schema extends z.ZodType>(
    name: string,
    schema: Schema,
    convert: (text: string) => unknown = String,
  ) => {
    const text = env[name];
    if (text === undefined || text === '') return undefined;
    const result = schema.safeParse(convert(text));
    if (result.success) return result.data;
    const expected = result.error.issues[0]?.message ?? 'another value';
    issues.push({
      path: name,
      line: null,
      column: null,
      message: `found ${showFound(text, [name], null)}, expected ${expected}`,
    });
    return undefined;
  };
  const numeric = (text: string) => (/^\d+$/.test(text) ? Number(text) : text);
  const serverShape = server.unwrap().shape;
  const redisShape = redis.unwrap().shape;
  return {
    server: defined({
      host: read('HEADGATE_HOST', serverShape.host),
      port: read('HEADGATE_PORT', serverShape.port, numeric),
      processes: read('HEADGATE_PROCESSES', serverShape.processes, numeric),
    }),
    redis: defined({
      url: read('REDIS_URL', redisShape.url),
      prefix: read('HEADGATE_REDIS_PREFIX', redisShape.prefix),
      queueUrl: read('HEADGATE_QUEUE_REDIS_URL', redisShape.queueUrl),
    }),
    issues,
  };
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function applyOverrides(config: Config, { server, redis }: Overrides): Config {
  return { ...config, server: { ...config.server, ...server }, redis: { ...config.redis, ...redis } };
}

function isRedisNamed(value: unknown, env: Environment): boolean {
  const section = (value as { redis?: { url?: unknown } } | null)?.redis;
  return (env.REDIS_URL ?? '') !== '' || (typeof section === 'object' && section?.url !== undefined);
}

const DEFAULT_KEY_NAME = 'default';

/** Adds the key of HEADGATE_API_KEY, unless the file already has that very key. */
function withDefaultKey(config: Config, env: Environment, file: string | null): Config {
  const key = env.HEADGATE_API_KEY;
  if (key === undefined || key === '') return config;
  const fail = (message: string) =>
    new ConfigError(file, [{ path: 'HEADGATE_API_KEY', line: null, column: null, message }]);
  if (!/^[\x21-\x7e]{1,1024}$/.test(key)) {
    throw fail('found a text (not shown), expected the key: printable characters without spaces');
  }
  const hash = publicHash({ key });
  if (config.auth.keys.some((entry) => publicHash(entry) === hash)) return config;
  if (config.auth.keys.some(({ name }) => name === DEFAULT_KEY_NAME)) {
    const where = file === null ? 'the file' : basename(file);
    throw fail(`it adds a key named "${DEFAULT_KEY_NAME}", but ${where} has another key of that name; rename that one`);
  }
  const keys = [...config.auth.keys, { name: DEFAULT_KEY_NAME, key, disabled: false }];
  return { ...config, auth: { ...config.auth, keys } };
}
