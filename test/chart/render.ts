/** What helm makes of the chart. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { CHART, valuesFile } from './files.ts';
import type { Helm } from './helm.ts';

/** A Kubernetes object as it was rendered. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface RenderOptions {
  /** Name of a file in ci/. */
  readonly values?: string;
  /** As for `--set`. */
  readonly set?: readonly string[];
  readonly kubeVersion?: string;
  /** Whether the cluster has the Prometheus Operator; default yes. */
  readonly operator?: boolean;
}

export const RELEASE = 'hg';
export const NAMESPACE = 'ai';
export const KUBE_VERSION = '1.34.0';

export class HelmError extends Error {
  override readonly name = 'HelmError';
}

/** The manifests as text, tests included. Throws a HelmError with what helm says. */
export async function renderText(helm: Helm, options: RenderOptions = {}): Promise<string> {
  return run(helm, ['template', RELEASE, CHART, '--namespace', NAMESPACE, ...argumentsOf(options)]);
}

export async function render(helm: Helm, options: RenderOptions = {}): Promise<Manifest[]> {
  return parse(await renderText(helm, options));
}

/** What helm prints after an installation. */
export async function renderNotes(helm: Helm, options: RenderOptions = {}): Promise<string> {
  // A client's dry run knows no other cluster than helm's own idea of one.
  const { kubeVersion: _, operator: __, ...plain } = options;
  const text = await run(helm, [
    ...['install', RELEASE, CHART, '--namespace', NAMESPACE, '--dry-run=client'],
    ...argumentsOf({ ...plain, operator: false }).filter((word) => !word.startsWith('--kube-version')),
  ]);
  const from = text.indexOf('NOTES:\n');
  if (from < 0) throw new HelmError(`no notes in: ${text.slice(-500)}`);
  return text.slice(from + 'NOTES:\n'.length).trimEnd();
}

export async function lint(helm: Helm, values: string): Promise<void> {
  await run(helm, [
    ...['lint', '--strict', CHART, '--values', valuesFile(values), '--kube-version', KUBE_VERSION],
    // Lint has no --api-versions: what needs the operator is linted without it.
    ...['serviceMonitor', 'podMonitor', 'prometheusRule'].flatMap((one) => ['--set', `metrics.${one}.enabled=false`]),
  ]);
}

function argumentsOf({ values, set = [], kubeVersion = KUBE_VERSION, operator = true }: RenderOptions): string[] {
  return [
    ...(values === undefined ? [] : ['--values', valuesFile(values)]),
    ...set.flatMap((one) => ['--set', one]),
    `--kube-version=${kubeVersion}`,
    ...(operator ? ['--api-versions', 'monitoring.coreos.com/v1'] : []),
  ];
}

export function parse(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw new HelmError(`${document.errors[0]?.message}`);
    const value: unknown = document.toJS();
    return value === null || value === undefined ? [] : [value as Manifest];
  });
}

async function run(helm: Helm, args: readonly string[]): Promise<string> {
  // A kubeconfig of whoever runs this is none of our business.
  const env = { ...process.env, KUBECONFIG: '/dev/null' };
  try {
    const { stdout } = await promisify(execFile)(helm.program, [...args], { env, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { stderr, stdout } = error as { stderr?: string; stdout?: string };
    throw new HelmError(`${helm.name} ${args.join(' ')}: ${stderr || stdout || String(error)}`);
  }
}
