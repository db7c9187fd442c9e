/**
 * `npm run chart` checks the Helm chart without a cluster, `npm run chart:write` (--write) writes what is generated of it:
 * the README's table of values, the dashboards, and the golden renders.
 *
 * Exit code 1 where a check fails, and where helm cannot be had: a chart that nobody rendered is not checked.
 */
import os from 'node:os';
import path from 'node:path';
import { thisCheckout } from '../../services/launcher/checkout.mjs';
import { withPathFirst } from '../../services/launcher/command.mjs';
import { runMain, say } from '../../services/launcher/failure.mjs';
import { runInForeground } from '../../services/launcher/foreground.mjs';
import { setUp } from '../../services/launcher/setup.mjs';
import { providePromtool } from './promtool.mjs';

await runMain(async () => {
  const checkout = thisCheckout();
  const { node } = await setUp({ checkout, env: process.env, say, scope: 'full' });
  const folder = path.join(checkout.root, 'test', 'chart');
  const write = process.argv.slice(2).includes('--write');
  const checks = ['chart', 'behaviour', 'failures', 'files', 'kept-secrets', 'prometheus'].map((name) =>
    path.join(folder, `${name}.check.ts`),
  );
  const tests = ['--test', '--test-reporter=spec', `--test-concurrency=${Math.max(2, os.cpus().length)}`, ...checks];
  const args = write ? [path.join(folder, 'write.ts')] : tests;
  const promtool = write ? {} : await providePromtool(path.join(checkout.root, '.headgate', 'chart'));
  if ('missing' in promtool)
    say(`SKIPPED: alerts and queries are not read by Prometheus's own tool: ${promtool.missing}`);
  const env = {
    ...withPathFirst(path.dirname(node), process.env),
    HEADGATE_PROMTOOL: promtool.program ?? '',
    HEADGATE_PROMTOOL_MISSING: promtool.missing ?? '',
  };
  await runInForeground(node, [path.join(folder, 'fetch-helm.ts')], { cwd: checkout.root, env });
  return runInForeground(node, ['-C', 'source', ...args], { cwd: checkout.root, env });
});
