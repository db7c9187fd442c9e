import { readFileSync } from 'node:fs';

/**
 * Version of the package that a module stands in; `moduleUrl` is its `import.meta.url`. The package file stands one
 * folder above both the sources and the compiled code.
 */
export function packageVersion(moduleUrl: string): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../package.json', moduleUrl), 'utf8'));
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : '0.0.0';
}
