/** Writes what is generated of the chart. */
import { writeDashboards } from './dashboards.ts';
import { goldens, writeGoldens } from './golden.ts';
import { findHelms } from './helm.ts';
import { writeReadme } from './readme.ts';

const { helms, missing } = findHelms();
const [helm] = helms;
if (helm === undefined) throw new Error(`no helm: ${missing.join('; ')}`);
writeReadme();
writeDashboards();
writeGoldens(await goldens(helm));
