import { toJson } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { type KeyView, KeyViewSchema } from '@headgate/proto/admin';
import type { AdminApi } from './connection.ts';
import { Failed, WrongCommand } from './failure.ts';
import { change, creation, type KeyOptions } from './key-options.ts';
import { keyColumns, keyDetails, timeText } from './key-text.ts';
import { table } from './table.ts';
import { jsonText, type Terminal } from './terminal.ts';
import { readSeconds } from './values.ts';

const PAGE = 1000;
const TRIES = 5;
const ID = /^(key_[0-9A-HJKMNP-TV-Z]{26}|cfg_[0-9a-f]{16})$/;

export async function createKey({ keys }: AdminApi, terminal: Terminal, options: KeyOptions): Promise<void> {
  const { key, secret } = await keys.createKey(creation(options, Date.now()));
  showSecret(terminal, 'created', expectKey(key), secret);
}

export async function listKeys(api: AdminApi, terminal: Terminal, group: string | undefined): Promise<void> {
  const found = await allKeys(api, group ?? '');
  if (terminal.json) return terminal.out(jsonText({ keys: found.map(keyJson) }));
  terminal.out(table(keyColumns(Date.now()), found));
}

export async function showKey(api: AdminApi, terminal: Terminal, named: string): Promise<void> {
  showView(terminal, await findKey(api, named));
}

export async function updateKey(api: AdminApi, terminal: Terminal, named: string, options: KeyOptions): Promise<void> {
  const isEmpty = Object.values(options).every((value) => value === undefined);
  if (isEmpty) throw new WrongCommand('nothing to change: name at least one option, such as --rpm 600');
  for (let tries = 1; ; tries += 1) {
    const before = await findKey(api, named);
    try {
      const { key } = await api.keys.updateKey(change(options, before, Date.now()));
      return showView(terminal, expectKey(key));
    } catch (error) {
      const isOvertaken = error instanceof ConnectError && error.code === Code.Aborted;
      if (!isOvertaken || tries === TRIES) throw error;
    }
  }
}

export async function setDisabled(api: AdminApi, terminal: Terminal, named: string, disabled: boolean): Promise<void> {
  const { id } = await findKey(api, named);
  const { key } = await api.keys.updateKey({ id, disabled });
  showView(terminal, expectKey(key));
}

export async function rotateKey(
  api: AdminApi,
  terminal: Terminal,
  named: string,
  overlap: string | undefined,
): Promise<void> {
  if (overlap === undefined) {
    throw new WrongCommand(
      '--overlap is missing: for how long shall the old key go on working? --overlap 1h; --overlap 0 ends it at once',
    );
  }
  const overlapSeconds = readSeconds('overlap', overlap);
  const { id } = await findKey(api, named);
  const { key, secret } = await api.keys.rotateKey({ id, overlapSeconds });
  const view = expectKey(key);
  const until = timeText(view.previousExpiresAtMs);
  showSecret(
    terminal,
    until === '' ? 'rotated, the old key is dead:' : `rotated, the old key works until ${until}:`,
    view,
    secret,
  );
}

export async function deleteKey(api: AdminApi, terminal: Terminal, named: string): Promise<void> {
  const { id, name } = await findKey(api, named);
  await api.keys.deleteKey({ id });
  if (terminal.json) return terminal.out(jsonText({ deleted: id }));
  terminal.say(`deleted ${id} (${name})`);
}

/** By id or by name. */
export async function findKey(api: AdminApi, named: string): Promise<KeyView> {
  if (ID.test(named)) return expectKey((await api.keys.getKey({ id: named })).key);
  const found = (await allKeys(api, '')).filter(({ name }) => name === named);
  const [first, ...others] = found;
  if (first === undefined)
    throw new Failed(`no key has the id or the name ${JSON.stringify(named)}: headgate keys list`);
  if (others.length === 0) return first;
  throw new Failed(
    `${found.length} keys are named ${JSON.stringify(named)}: name one by its id, ${found.map(({ id }) => id).join(' or ')}`,
  );
}

async function allKeys({ keys }: AdminApi, group: string): Promise<KeyView[]> {
  const found: KeyView[] = [];
  for (let pageToken = ''; ; ) {
    const page = await keys.listKeys({ group, pageSize: PAGE, pageToken });
    found.push(...page.keys);
    pageToken = page.nextPageToken;
    if (pageToken === '') return found;
  }
}

/** The key stands alone on standard output, for whoever pipes it on. */
function showSecret(terminal: Terminal, what: string, key: KeyView, secret: string): void {
  if (terminal.json) {
    terminal.out(jsonText({ key: keyJson(key), secret }));
    return;
  }
  terminal.say(`${what} ${key.id} (${key.name}). This is the key, shown this once:`);
  terminal.out(`${secret}\n`);
}

function showView(terminal: Terminal, key: KeyView): void {
  terminal.out(terminal.json ? jsonText(keyJson(key)) : keyDetails(key, Date.now()));
}

function keyJson(key: KeyView) {
  return toJson(KeyViewSchema, key, { alwaysEmitImplicit: true });
}

function expectKey(key: KeyView | undefined): KeyView {
  if (key === undefined) throw new Failed('the answer holds no key: is this an admin API of another version?');
  return key;
}
