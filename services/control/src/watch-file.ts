import { createHash } from 'node:crypto';
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

const SETTLE_MS = 50;
const POLL_MS = 1000;

/**
 * Calls back when the content of a file has changed, also when it came, went, or was replaced: editors rename a new file
 * over the old one, Kubernetes swaps a symbolic link two directories up. The directory is watched because a watch on the
 * file would stay with the old one; a poll of the content finds what no event told.
 */
export class FileWatcher {
  readonly #path: string;
  readonly #onChange: () => void;
  #content: string;
  #watcher: FSWatcher | null = null;
  #settling: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | null = null;

  constructor(path: string, onChange: () => void) {
    this.#path = path;
    this.#onChange = onChange;
    this.#content = contentOf(path);
  }

  start(): void {
    this.#watchDirectory();
    this.#poll = setInterval(() => {
      if (this.#watcher === null) this.#watchDirectory();
      this.#look();
    }, POLL_MS);
  }

  stop(): void {
    this.#watcher?.close();
    this.#watcher = null;
    if (this.#settling !== null) clearTimeout(this.#settling);
    if (this.#poll !== null) clearInterval(this.#poll);
  }

  #watchDirectory(): void {
    const name = basename(this.#path);
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, (_event, changed) => {
        // `..data` is the link that Kubernetes swaps for a ConfigMap.
        if (changed === null || changed === name || changed === '..data') this.#soon();
      });
      this.#watcher.on('error', () => {
        this.#watcher?.close();
        this.#watcher = null;
      });
    } catch {
      this.#watcher = null;
    }
  }

  /** An editor writes in several steps; one look when they are over is enough. */
  #soon(): void {
    if (this.#settling !== null) clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#look(), SETTLE_MS);
  }

  #look(): void {
    const content = contentOf(this.#path);
    if (content === this.#content) return;
    this.#content = content;
    this.#onChange();
  }
}

function contentOf(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}
