import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export const PAGE = resolve(ROOT, 'docs/fidelity.md');
export const README = resolve(ROOT, 'README.md');
