import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** So much longer a process has before it is ended by force. */
const EXTRA_GRACE_MS = 2_000;
/** One Ctrl-C may arrive twice. */
const ONE_SIGNAL_MS = 1_000;

/**
 * @typedef {object} Running
 * @property {string} name
 * @property {import('node:child_process').ChildProcess} child
 * @property {Promise<string>} firstLine  of what it prints, where it was asked for
 * @property {Promise<void>} ended
 */

/** The processes of the container. What they print goes to the container's output as it is. */
export class ContainerProcesses {
  /** @type {Running[]} */
  #running = [];
  #stopping = false;
  /** @type {(ending: { why: string }) => void} */
  #end = () => {};

  /** @param {NodeJS.ProcessEnv} env  what each of them gets */
  constructor(env) {
    this.env = env;
    /** @type {Promise<{ why: string }>} when all of it has to end: `signal`, or which process has ended by itself */
    this.ending = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  stopOnSignals() {
    let first = 0;
    for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT'])) {
      process.on(signal, () => {
        if (first === 0) {
          first = Date.now();
          this.#end({ why: 'signal' });
        } else if (Date.now() - first > ONE_SIGNAL_MS) this.#kill();
      });
    }
  }

  /**
   * @param {string} name
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} env
   * @param {'first line'} [wanted]  the first line of its output is waited for
   */
  startNode(name, args, env, wanted) {
    return this.start(name, process.execPath, args, { env: { ...this.env, ...env }, wanted });
  }

  /**
   * @param {string} name
   * @param {string} program
   * @param {string[]} args
   * @param {{ env: NodeJS.ProcessEnv, cwd?: string, input?: string, wanted?: 'first line' | undefined }} options
   * @returns {Running}
   */
  start(name, program, args, { env, cwd, input, wanted }) {
    const child = spawn(program, args, {
      env,
      ...(cwd !== undefined && { cwd }),
      stdio: [input === undefined ? 'ignore' : 'pipe', wanted ? 'pipe' : 'inherit', 'inherit'],
      // The head of a group of its own, so that Ctrl-C on a terminal reaches the first process alone.
      detached: true,
    });
    // That it has ended before it read is told by its end.
    child.stdin?.on('error', () => {}).end(input);
    /** @type {Promise<string>} */
    const firstLine = new Promise((resolve) => {
      if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve).on('line', printed);
    });
    /** @type {Promise<void>} */
    const ended = new Promise((resolve) => {
      /** @param {string} how */
      const end = (how) => {
        resolve();
        if (!this.#stopping) this.#end({ why: `${name} ${how}` });
      };
      child.once('error', (error) => end(`could not be started: ${error.message}`));
      child.once('exit', (code, signal) => end(signal ? `was ended by ${signal}` : `ended with exit code ${code}`));
    });
    const running = { name, child, firstLine, ended };
    this.#running.push(running);
    if (this.#stopping) this.#kill();
    return running;
  }

  /**
   * Asks them to end, one after the other, each when those that need it are gone.
   *
   * @param {string[]} order  names
   * @param {number} graceMs
   */
  async stop(order, graceMs) {
    this.#stopping = true;
    for (const name of order) {
      const named = this.#running.filter((running) => running.name === name);
      for (const { child } of named) if (isAlive(child)) child.kill('SIGTERM');
      const timer = setTimeout(() => {
        for (const { child } of named) kill(child);
      }, graceMs + EXTRA_GRACE_MS);
      await Promise.all(named.map(({ ended }) => ended));
      clearTimeout(timer);
    }
  }

  #kill() {
    for (const { child } of this.#running) kill(child);
  }
}

/** @param {string} line */
function printed(line) {
  process.stdout.write(`${line}\n`);
}

/** @param {import('node:child_process').ChildProcess} child */
function isAlive({ pid, exitCode, signalCode }) {
  return pid !== undefined && exitCode === null && signalCode === null;
}

/**
 * With the processes that it has started.
 *
 * @param {import('node:child_process').ChildProcess} child
 */
function kill(child) {
  if (isAlive(child) && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
}
