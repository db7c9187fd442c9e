import { readFileSync } from 'node:fs';

/** This service's version; the package file stands one folder above both the sources and the compiled code. */
export const VERSION = readVersion();

function readVersion(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : '0.0.0';
}
