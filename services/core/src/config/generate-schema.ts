import { writeFileSync } from 'node:fs';
import { configJsonSchemaText } from './json-schema.ts';

writeFileSync(new URL('./headgate.schema.json', import.meta.url), configJsonSchemaText());
