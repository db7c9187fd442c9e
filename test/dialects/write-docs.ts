/** Writes what is generated from the dialects and from the matrix: docs/fidelity.md and the table in README.md. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fidelityPage } from './fidelity.ts';
import { PAGE, README } from './pages.ts';
import { withTable } from './readme-table.ts';

mkdirSync(dirname(PAGE), { recursive: true });
writeFileSync(PAGE, fidelityPage());
writeFileSync(README, withTable(readFileSync(README, 'utf8')));
