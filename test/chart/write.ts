/** Writes what is generated of the chart. */

import { goldens, writeGoldens } from './golden.ts';
import { findHelms } from './helm.ts';
import { writeReadme } from './values-table.ts';

const { helms, missing } = findHelms();
const [helm] = helms;
if (helm === undefined) throw new Error(`no helm: ${missing.join('; ')}`);
writeReadme();
writeGoldens(await goldens(helm));
