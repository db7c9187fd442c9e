/**
 * Manifests held against typed models of the Kubernetes API, as strictly as an API server does, without one:
 * by the models' own JSON schemas (types, formats, enums, required fields), and compiled as typed literals, so that
 * TypeScript's check of excess properties names every field that does not exist.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT, STATE } from './files.ts';
import type { Manifest } from './render.ts';

const MODELS: Readonly<Record<string, string>> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

export interface Origin {
  /** Where it was rendered, for people. */
  readonly where: string;
  readonly manifest: Manifest;
}

/** One line for each fault; what is the same in several renders is checked once. */
export async function strictFaults(all: readonly Origin[]): Promise<string[]> {
  const distinct = new Map(all.map((origin) => [JSON.stringify(origin.manifest), origin]));
  const origins = [...distinct.values()];
  const faults = (await Promise.all(origins.map(schemaFaults))).flat();
  return [...faults, ...(await typeFaults(origins))];
}

const nameOf = ({ where, manifest }: Origin) => `${where}: ${manifest.kind}/${manifest.metadata.name}`;

function moduleOf({ apiVersion, kind }: Manifest): string {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const name = MODELS[group ?? ''] ?? 'kubernetes-models';
  return group === '' ? `${name}/${version}/${kind}` : `${name}/${group}/${version}/${kind}`;
}

interface Model {
  validate(): void;
}

async function schemaFaults(origin: Origin): Promise<string[]> {
  const { manifest } = origin;
  const module = moduleOf(manifest);
  let models: Record<string, new (data: unknown) => Model>;
  try {
    models = await import(module);
  } catch {
    return [`${nameOf(origin)}: no model for ${manifest.apiVersion} ${manifest.kind}`];
  }
  try {
    const Kind = models[manifest.kind];
    if (Kind === undefined) return [`${nameOf(origin)}: ${module} exports no ${manifest.kind}`];
    new Kind(manifest).validate();
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Models of CRDs may come without a schema; their types are checked below.
    return /^no schema with key or ref/.test(message) ? [] : [`${nameOf(origin)}: ${message}`];
  }
}

async function typeFaults(origins: readonly Origin[]): Promise<string[]> {
  const folder = path.join(STATE, 'chart');
  const file = path.join(folder, `manifests-${process.pid}.ts`);
  const starts: { line: number; origin: Origin }[] = [];
  let source = '';
  let line = 1;
  for (const [index, origin] of origins.entries()) {
    starts.push({ line, origin });
    const { kind } = origin.manifest;
    const text =
      `import type { I${kind} as T${index} } from ${JSON.stringify(moduleOf(origin.manifest))};\n` +
      `export const o${index}: T${index} = ${JSON.stringify(origin.manifest, null, 1)};\n`;
    source += text;
    line += text.split('\n').length - 1;
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, source);
  try {
    const tsc = path.join(ROOT, 'node_modules', '.bin', 'tsc');
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--pretty', 'false', '--types', ''];
    const module = ['--module', 'nodenext', '--moduleResolution', 'nodenext', '--target', 'es2024'];
    await promisify(execFile)(tsc, [...options, ...module, file], { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
    return [];
  } catch (error) {
    const output = (error as { stdout?: string }).stdout ?? '';
    const found = [...output.matchAll(/^[^\s(][^(]*\((\d+),\d+\): error (.*)$/gm)].map(([, at = '0', message]) => {
      const start = starts.findLast((one) => one.line <= Number(at));
      return `${start === undefined ? file : nameOf(start.origin)}: ${message} (${source.split('\n')[Number(at) - 1]?.trim()})`;
    });
    return found.length > 0 ? found : [`tsc failed: ${output || String(error)}`];
  } finally {
    rmSync(file, { force: true });
  }
}
