import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { readChatRequest } from '@headgate/core/chat';
import { WELL_KNOWN_PROVIDERS } from '@headgate/core/config';
import { type Dialect, findDialect, type Target } from '@headgate/core/dialects';
import { GatewayError } from '@headgate/core/errors';
import { type Leaf, REMOTE_IMAGE, REMOTE_IMAGE_DATA, SECTIONS } from './leaves.ts';
import { LISTED, PROVIDERS, type ProviderRow } from './providers.ts';

/** What becomes of one leaf at one provider (DESIGN 5, law 2). */
export type Fate =
  | { readonly kind: 'passed' | 'mapped' | 'gateway' | 'default' | 'vanished'; readonly warnings: readonly string[] }
  | { readonly kind: 'warned'; readonly warnings: readonly string[] }
  | { readonly kind: 'rejected'; readonly status: number; readonly code: string | null };

/** `called`: its name in headgate.yaml, where that is another one than the row's. */
type Addressed = ProviderRow & { readonly called?: string };

export interface Column {
  readonly provider: Addressed;
  readonly dialect: Dialect;
}

/** The providers of the matrix whose dialect this release has. */
export const columns = (): Column[] =>
  PROVIDERS.flatMap((provider) => {
    const dialect = findDialect(provider.dialect);
    return dialect === undefined ? [] : [{ provider, dialect }];
  });

/** OpenAI's dialect as each well-known provider that speaks it wants it. */
export function presets(): Column[] {
  const [own] = columns().filter(({ provider }) => provider.name === 'local');
  assert.ok(own);
  return [...WELL_KNOWN_PROVIDERS]
    .filter(([, { dialect }]) => dialect === 'openai')
    .map(([name]) => ({ ...own, provider: { ...own.provider, title: name, called: name } }));
}

interface Encoded {
  readonly url: string;
  readonly headers: readonly string[];
  readonly body: unknown;
  readonly warnings: readonly string[];
}

export function fateOf({ dialect, provider }: Column, leaf: Leaf): Fate {
  const before = encode(dialect, provider, leaf.without);
  assert.ok(!(before instanceof GatewayError), `${leaf.title}: the request without it is refused: ${String(before)}`);
  const after = encode(dialect, provider, leaf.with);
  if (after instanceof GatewayError) return { kind: 'rejected', status: after.status, code: after.code };
  const warnings = after.warnings.filter((warning) => isAbout(warning, leaf));
  const { warnings: _, ...sent } = after;
  const { warnings: __, ...sentBefore } = before;
  if (!isDeepStrictEqual(sent, sentBefore)) {
    const passed = isDeepStrictEqual(valueAt(sent.body, leaf.path), valueAt(leaf.with, leaf.path));
    return { kind: passed ? 'passed' : 'mapped', warnings };
  }
  if (warnings.length > 0) return { kind: 'warned', warnings };
  return { kind: leaf.settled ?? 'vanished', warnings };
}

/** Older or shorter spellings, which are warned of by the name of what they mean. */
const ALIASES: Readonly<Record<string, string>> = {
  reasoning_effort: 'reasoning',
  functions: 'tools',
  function_call: 'tool_choice',
};

/** A mark on a message stands for one on its last part, and `prompt_cache_breakpoint` for `cache_control`. */
const CACHE_MARK = /\.(cache_control|prompt_cache_breakpoint)$/;

/** A warning names the leaf, the object that it belongs to, or what of the leaf it is about. */
function isAbout(warning: string, { path }: Leaf): boolean {
  const named = warning.slice(0, warning.indexOf(':'));
  const isWithin = (inner: string, outer: string) => inner === outer || inner.startsWith(`${outer}.`);
  const alias = ALIASES[path];
  if (CACHE_MARK.test(path) && CACHE_MARK.test(named)) return named.startsWith(path.split('.', 2).join('.'));
  return isWithin(path, named) || isWithin(named, path) || (alias !== undefined && isWithin(named, alias));
}

function encode(dialect: Dialect, provider: Addressed, body: object): Encoded | GatewayError {
  const bytes = Buffer.from(JSON.stringify(body));
  const room = Buffer.alloc(512);
  const store = Buffer.concat([room, bytes, room]);
  const target = targetOf(provider);
  try {
    const request = readChatRequest(store, room.length, room.length + bytes.length);
    const urls = dialect.remoteMedia?.(request, target) ?? [];
    const media = new Map(urls.map((url) => [url, { mediaType: 'image/png', data: REMOTE_IMAGE_DATA }]));
    assert.ok(urls.every((url) => url === REMOTE_IMAGE));
    const { url, headers, body: encoded, warnings } = dialect.encodeChat(request, target, media);
    return { url, headers, body: JSON.parse(encoded.toString()), warnings };
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

function targetOf({ name, called, upstream, publisher, settings }: Addressed): Target {
  const texts = Object.entries(settings).map(([key, value]) => [key, String(value)]);
  return {
    provider: called ?? name,
    model: upstream,
    baseUrl: 'https://provider.example',
    credentials: Object.fromEntries(texts),
    settings: Object.fromEntries(texts),
    maxOutputTokens: 32_000,
    publisher: publisher ?? '',
  };
}

function valueAt(value: unknown, path: string): unknown {
  let found = value;
  for (const key of path.split('.')) found = (found as Record<string, unknown> | null | undefined)?.[key];
  return found;
}

const HEAD = `# Fidelity: what becomes of every field of a chat request

Nothing vanishes: each leaf of the request reaches the provider, or is named in \`provider_metadata.gateway.warnings\`, or the
request is refused with a 400. With \`providerOptions.gateway.strict: true\` what would be warned of is refused, too.
This page is generated from the dialects themselves (\`node -C source test/dialects/write-docs.ts\`), and a test holds it to them.

| | |
| --- | --- |
| passed | the provider gets the field as it was written |
| mapped | the provider gets the same in its own words |
| warned | left out, and said so; *mapped, warned*: changed or in part, and said so. The number leads to the words below |
| 400 | refused, with this \`code\` |
| gateway | the gateway itself acts on it |
| default | it asks for what happens without it, too |

`;

/** docs/fidelity.md, whole. */
export function fidelityPage(): string {
  const all = columns().filter(({ provider }) => LISTED.includes(provider));
  const notes = new Notes();
  const tables = SECTIONS.map(({ title, leaves }) => {
    const rows = leaves.map((leaf) => {
      const cells = all.map((column) => cell(fateOf(column, leaf), notes));
      return `| \`${leaf.title.replaceAll('|', '\\|')}\` | ${cells.join(' | ')} |`;
    });
    const heads = all.map(({ provider }) => provider.title);
    return `## ${title}\n\n| field | ${heads.join(' | ')} |\n| --- |${' --- |'.repeat(heads.length)}\n${rows.join('\n')}\n`;
  });
  return `${HEAD}${tables.join('\n')}\n## The warnings\n\n${notes.list()}\n`;
}

function cell(fate: Fate, notes: Notes): string {
  if (fate.kind === 'rejected') return `${fate.status} \`${fate.code ?? ''}\``;
  const numbers = [...new Set(fate.warnings.map((warning) => notes.number(warning)))].join(', ');
  if (fate.kind === 'warned') return `warned ${numbers}`;
  if (fate.kind === 'vanished') return '**VANISHED**';
  return numbers === '' ? fate.kind : `${fate.kind}, warned ${numbers}`;
}

/** Numbers the warnings' words; the field before the colon is the row's. */
class Notes {
  readonly #words: string[] = [];

  number(warning: string): number {
    const words = PROVIDERS.reduce(
      (text, { name }) => text.replaceAll(`the provider ${name}`, 'the provider'),
      warning.slice(warning.indexOf(':') + 1).trim(),
    );
    const known = this.#words.indexOf(words);
    return known >= 0 ? known + 1 : this.#words.push(words);
  }

  list(): string {
    return this.#words.map((words, i) => `${i + 1}. ${words}`).join('\n');
  }
}
