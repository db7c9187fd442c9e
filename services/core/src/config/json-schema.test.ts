import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from './index.ts';
import { configJsonSchemaText } from './json-schema.ts';

const EXAMPLE = fileURLToPath(new URL('../../../../headgate.example.yaml', import.meta.url));

test('the checked-in JSON Schema is the one that the code makes', () => {
  const checkedIn = readFileSync(new URL('./headgate.schema.json', import.meta.url), 'utf8');
  assert.equal(checkedIn, configJsonSchemaText(), 'run: npm run generate:schema -w @headgate/core');
});

test('the example is valid without a single variable set, and points editors at the schema', () => {
  const { config } = loadConfig({ env: { HEADGATE_CONFIG: EXAMPLE }, cwd: '/' });
  assert.deepEqual(Object.keys(config.providers), ['openai', 'anthropic', 'local']);
  assert.equal(config.models?.length, 4);
  assert.match(
    readFileSync(EXAMPLE, 'utf8'),
    /^# yaml-language-server: \$schema=\.\/services\/core\/src\/config\/headgate\.schema\.json\n/,
  );
});

test('unknown keys are errors for editors too, and a variable may stand for a number', () => {
  const schema = JSON.parse(configJsonSchemaText());
  assert.equal(schema.additionalProperties, false);
  assert.equal(schema.properties.server.additionalProperties, false);
  assert.deepEqual(
    schema.properties.server.properties.port.anyOf.map(({ type }: { type: string }) => type),
    ['integer', 'string'],
  );
});
