import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, seedText } from './workshop.ts';

/** The document that the examples come from stands beside the checkout of who develops Headgate, not in every clone. */
const DOCUMENT = join(ROOT, '../shared/seed/openai-compatible-api.txt');
const skip = existsSync(DOCUMENT) ? false : `${DOCUMENT} is not here: the examples are tested as they were checked in`;

/** The document has two examples of this name. */
const TITLES: Readonly<Record<string, string>> = { 'client-ai-sdk.ts': 'client.ts' };

test('the examples are those of the document, letter by letter, and none is missing', { skip }, () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  const files = readdirSync(join(import.meta.dirname, 'seed')).sort();
  for (const file of files) {
    assert.ok(document.includes(`\n${TITLES[file] ?? file}\n${seedText(file)}`), `${file} differs from the document`);
  }
  const titles = [...document.matchAll(/^[a-z-]+\.(?:ts|py|sh|js)$/gm)].map(([title]) => title).sort();
  assert.deepEqual(files.map((file) => TITLES[file] ?? file).sort(), titles);
});
