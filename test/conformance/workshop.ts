import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Stack } from '../support/stack.ts';
import { tinyPdf, tinyPng } from './media.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
/** Where test/setup.mjs put AI SDK 4. */
export const AI_SDK_4 = join(ROOT, '.headgate/conformance/ai4/node_modules');
const SEED = join(import.meta.dirname, 'seed');
/** What the examples say, and what stands for it here. */
const BASE_URL = /https:\/\/ai-gateway\.vercel\.sh(?=\/v1)/g;
const LONGEST_RUN_MS = 60_000;

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The text of an example as it is printed in the seed. */
export const seedText = (file: string): string => readFileSync(join(SEED, file), 'utf8');

/**
 * A folder like that of somebody who tries the examples: the picture and the document that they read, and the packages
 * that they import (default: those of this workspace).
 */
export class Workshop {
  readonly #directory: string;
  readonly #stack: Stack;

  constructor(stack: Stack, packages?: string) {
    const parent = join(ROOT, '.headgate/conformance');
    mkdirSync(parent, { recursive: true });
    this.#directory = mkdtempSync(join(parent, 'run-'));
    this.#stack = stack;
    mkdirSync(join(this.#directory, 'path/to'), { recursive: true });
    writeFileSync(join(this.#directory, 'path/to/image.png'), tinyPng());
    writeFileSync(join(this.#directory, 'path/to/document.pdf'), tinyPdf());
    if (packages !== undefined) symlinkSync(packages, join(this.#directory, 'node_modules'));
  }

  /** Runs an example with nothing but the base URL changed, the key in its usual variable. */
  runSeed(file: string, program: string, args: readonly string[] = []): Promise<Run> {
    return this.run(file, seedText(file).replace(BASE_URL, this.#stack.origin), program, args);
  }

  run(file: string, text: string, program: string, args: readonly string[] = []): Promise<Run> {
    writeFileSync(join(this.#directory, file), text);
    const child = spawn(program, [...args, file], {
      cwd: this.#directory,
      env: {
        PATH: process.env.PATH,
        HOME: this.#directory,
        AI_GATEWAY_API_KEY: this.#stack.key,
        GATEWAY_BASE_URL: this.#stack.baseUrl,
        PYTHONDONTWRITEBYTECODE: '1',
        NODE_NO_WARNINGS: '1',
        NODE_COMPILE_CACHE: join(ROOT, '.headgate/compile-cache'),
        NO_COLOR: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LONGEST_RUN_MS,
    });
    const printed = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      printed.stdout += data;
    });
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      printed.stderr += data;
    });
    return new Promise((done, fail) => {
      child.once('error', fail);
      child.once('close', (code) => done({ code, ...printed }));
    });
  }

  clear(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
